package people

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stolen writes a list of n passwords in some form.
func stolen(t *testing.T, n int, form func(i int, hash string) string) breached {
	t.Helper()
	var hashes []string
	for i := range n {
		hashes = append(hashes, fmt.Sprintf("%X", sha1.Sum(fmt.Appendf(nil, "stolen password %d", i))))
	}
	slices.Sort(hashes)
	var text strings.Builder
	for i, hash := range hashes {
		text.WriteString(form(i, hash))
	}
	return list(t, text.String())
}

func list(t *testing.T, text string) breached {
	t.Helper()
	file := filepath.Join(t.TempDir(), "passwords")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return breached(file)
}

func TestStolenPasswordsAreFoundInAList(t *testing.T) {
	for name, form := range map[string]func(int, string) string{
		"as it is downloaded":  func(i int, hash string) string { return fmt.Sprintf("%s:%d\n", hash, i*i*i+1) },
		"lines end with CRLF":  func(i int, hash string) string { return fmt.Sprintf("%s:%d\r\n", hash, i) },
		"small letters":        func(i int, hash string) string { return fmt.Sprintf("%s:%d\n", strings.ToLower(hash), i) },
		"without counts":       func(_ int, hash string) string { return hash + "\n" },
		"some without a count": func(i int, hash string) string { return hash + []string{"", ":", ":12345678"}[i%3] + "\n" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 200} {
				b := stolen(t, n, form)
				require.NoError(t, b.check())
				for i := range n + 20 {
					found, err := b.has(fmt.Sprintf("stolen password %d", i))
					require.NoError(t, err)
					assert.Equal(t, i < n, found, "%d of %d", i, n)
				}
			}
		})
	}
	whole := stolen(t, 3, func(i int, hash string) string { return hash + ":1" + []string{"\n", "\n", ""}[i] })
	require.NoError(t, whole.check())
	for i := range 3 {
		found, err := whole.has(fmt.Sprintf("stolen password %d", i))
		require.NoError(t, err)
		assert.True(t, found, "the last line has no end")
	}
}

func TestAListThatIsNoneIsRefusedAtTheStart(t *testing.T) {
	lines := func(i int, hash string) string { return fmt.Sprintf("%s:%d\n", hash, i) }
	raw, err := os.ReadFile(string(stolen(t, 100, lines)))
	require.NoError(t, err)
	sorted := strings.SplitAfter(strings.TrimSuffix(string(raw), "\n")+"\n", "\n")
	slices.Reverse(sorted)
	for name, one := range map[string]struct {
		b    breached
		says string
	}{
		"missing":      {breached(filepath.Join(t.TempDir(), "none")), "no such file"},
		"a folder":     {breached(t.TempDir()), "is no file"},
		"empty":        {list(t, ""), "is empty"},
		"not in order": {list(t, strings.Join(sorted, "")), "not in the order"},
		"words":        {list(t, "password\n123456\n"), "HASH:COUNT"},
		"NTLM":         {list(t, "8846F7EAEE8FB117AD06BDD830B7586C:1\n"), "HASH:COUNT"},
		"one line":     {list(t, strings.Repeat("A", 5000)), "HASH:COUNT"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, one.b.check(), one.says)
			require.ErrorContains(t, one.b.check(), "--breached-passwords")
		})
	}
	require.NoError(t, breached("").check(), "there need be none")
}

func TestNobodyChoosesAStolenPassword(t *testing.T) {
	b := stolen(t, 50, func(i int, hash string) string { return fmt.Sprintf("%s:%d\n", hash, i) })
	p := &People{Config: Config{Breached: string(b)}}
	require.ErrorContains(t, p.takes("anna", "stolen password 7"), "list of passwords that were stolen")
	require.NoError(t, p.takes("anna", "stolen password 77"))
	require.ErrorContains(t, p.takes("anna", "password1234"), "tried first")
	require.NoError(t, os.Remove(string(b)))
	require.ErrorContains(t, p.takes("anna", "stolen password 77"), "cannot be read", "what cannot be looked up is not taken")
}
