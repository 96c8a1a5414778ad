// Package respond sends what the APIs answer: with an ETag, so that who asks again is told
// that nothing has changed, and compressed for those who take that.
package respond

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Answer is a body and what is made of it once for all who ask. It does not change.
type Answer struct {
	raw     []byte
	kind    string // content type
	tag     string // opaque part of the ETag
	codings *Codings

	mu         sync.Mutex
	compressed map[string][]byte // by content coding
}

// New answers a body of that content type, which must not be changed any more.
func (c *Codings) New(raw []byte, contentType string) *Answer {
	sum := sha256.Sum256(raw)
	return &Answer{raw: raw, kind: contentType, tag: hex.EncodeToString(sum[:16]), codings: c, compressed: map[string][]byte{}}
}

// least is from how many bytes on compressing is worth it: less goes into one packet.
const least = 1400

// Write answers a request by the body, or by 304 if the client has it.
func (a *Answer) Write(w http.ResponseWriter, r *http.Request) {
	raw, coding := a.raw, ""
	if len(raw) >= least {
		coding = accepted(r.Header.Get("Accept-Encoding"))
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "private, no-cache") // stored only to be asked for again with the ETag
	// The same answer compressed is other bytes: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1
	tag := `"` + a.tag + `"`
	if coding != "" {
		tag = "W/" + tag
	}
	h.Set("ETag", tag)
	if a.known(r) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	if coding != "" {
		raw = a.as(coding)
		h.Set("Content-Encoding", coding)
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = w.Write(raw) // the client is gone if this fails
}

// known reports whether the client has it already. Which form it has does not matter:
// https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
func (a *Answer) known(r *http.Request) bool {
	for _, tags := range r.Header.Values("If-None-Match") {
		for tag := range strings.SplitSeq(tags, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" || tag == `"`+a.tag+`"` {
				return true
			}
		}
	}
	return false
}

func (a *Answer) as(coding string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	raw, ok := a.compressed[coding]
	if !ok {
		raw = a.codings.compress(coding, a.raw)
		a.compressed[coding] = raw
	}
	return raw
}

// accepted is the content coding that a client takes best, or "" for none.
// https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
func accepted(header string) string {
	var best string
	var most float64
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		quality := 1.0
		if value, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			var err error
			if quality, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		if name != zstdCoding && name != gzipCoding || quality <= 0 {
			continue
		}
		if cmp.Or(cmp.Compare(quality, most), cmp.Compare(name, best)) > 0 { // of the same quality zstd
			best, most = name, quality
		}
	}
	return best
}
