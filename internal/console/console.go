// Package console serves the web console, whose source is in web/. What its build
// has put into dist is embedded; without a build there is a page that says how to
// make one.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist missing.html
var files embed.FS

// Handler answers the console's files, and its one page for every other path: which
// page it shows is decided in the browser.
func Handler() (http.Handler, error) {
	built, err := fs.Sub(files, "dist")
	if err != nil {
		return nil, err
	}
	return handler(built)
}

// nonceMark is where a page has the nonce of its answer.
const nonceMark = "CSP_NONCE"

func handler(built fs.FS) (http.Handler, error) {
	page, err := fs.ReadFile(built, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		page, err = files.ReadFile("missing.html")
	}
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if file, err := open(built, name); err == nil && name != "index.html" && !strings.HasPrefix(name, ".") {
			h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
			h.Set("Cache-Control", "no-cache")
			if strings.HasPrefix(name, "assets/") { // the name has the hash of the content
				h.Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			file.write(w, r)
			return
		}
		if strings.HasPrefix(name, "assets/") { // of an older build: no page can stand in for it
			http.NotFound(w, r)
			return
		}
		nonce := rand.Text()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; img-src 'self' data:; "+
			"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		asset{content: bytes.ReplaceAll(page, []byte(nonceMark), []byte(nonce))}.write(w, r)
	}), nil
}

// packedAs is the end of the name of a file that the build has compressed.
const packedAs = ".gz"

// asset is a file, as it is or compressed.
type asset struct {
	content []byte
	packed  bool
}

func open(built fs.FS, name string) (asset, error) {
	content, err := fs.ReadFile(built, name)
	if err == nil {
		return asset{content, false}, nil
	}
	content, err = fs.ReadFile(built, name+packedAs)
	return asset{content, true}, err
}

// write writes the file, compressed if it is and the client takes that.
func (a asset) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept-Encoding")
	if a.packed && !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if unpacked, err := gzip.NewReader(bytes.NewReader(a.content)); err == nil {
			_, _ = io.Copy(w, unpacked) //nolint:gosec // a file of ours; the client is gone if this fails
		}
		return
	}
	if a.packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	_, _ = w.Write(a.content) // a file of ours; the client is gone if this fails
}
