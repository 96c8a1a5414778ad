package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAClientThatWritesAllFirstReadsWhyItIsRefused is a client, as many are, that reads no
// answer before it has written all of its request.
func TestAClientThatWritesAllFirstReadsWhyItIsRefused(t *testing.T) {
	w := newWorld(t, "--dev")
	name := strings.Repeat("n", 10<<20)
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, w.Token, len(body), body)
	}
	ask := func(request string) (int, string) {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.Address, "http://"))
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(c, request)
		require.NoError(t, err, "the request was not read whole")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		raw, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, string(raw)
	}
	for path, body := range map[string]string{
		"/v1/connections/mock/vpcs": fmt.Sprintf(`{"name":%q,"spec":{"cidr":"10.0.0.0/16"}}`, name),
		"/spider/vpc":               fmt.Sprintf(`{"ConnectionName":"mock","ReqInfo":{"Name":%q,"IPv4_CIDR":"10.0.0.0/16"}}`, name),
	} {
		status, answer := ask(post(path, body))
		assert.Equal(t, http.StatusRequestEntityTooLarge, status, path)
		assert.True(t, json.Valid([]byte(answer)), answer)
		assert.Contains(t, answer, "is larger than 1048576 bytes", path)

		status, answer = ask(post(path, strings.Replace(body, name, name[:1000<<10], 1)))
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, status, path)
		assert.Less(t, len(answer), 2000, "a name that is too long is not repeated")

		status, _ = ask(strings.Replace(post(path, body), w.Token, "wrong", 1))
		assert.Equal(t, http.StatusUnauthorized, status, path)
		status, _ = ask(fmt.Sprintf("GET %s/%s?ConnectionName=mock HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, name, w.Token))
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status, path)
	}
}
