package respond

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
)

// Represent has the JSON that next answers sent as an Answer is: what it answers with 200,
// but what has a Cache-Control, an ETag or a Content-Encoding of its own. An answer with
// a secret is no-store, and so never compressed beside text that somebody else may
// have chosen: its length would tell of the secret (https://www.breachattack.com).
func (c *Codings) Represent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		answer := &collector{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		if answer.collects {
			c.New(answer.body.Bytes(), w.Header().Get("Content-Type")).Write(w, r)
		}
	})
}

// collector keeps a body that is to be represented, and lets all others pass.
type collector struct {
	http.ResponseWriter
	body     bytes.Buffer
	decided  bool
	collects bool
}

func (c *collector) WriteHeader(status int) {
	if c.decided {
		return
	}
	c.decided = true
	h := c.Header()
	own := h.Get("Cache-Control") + h.Get("ETag") + h.Get("Content-Encoding")
	c.collects = status == http.StatusOK && own == "" && isJSON(h.Get("Content-Type"))
	if !c.collects {
		c.ResponseWriter.WriteHeader(status)
	}
}

func (c *collector) Write(raw []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.collects {
		return c.body.Write(raw)
	}
	return c.ResponseWriter.Write(raw)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *collector) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
