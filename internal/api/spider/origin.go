package spider

import (
	"net/http"
	"net/url"
	"strings"
)

// foreign reports whether another site may have had a browser make a request, which sends
// passwords by itself. acts says that the request changes something though it is a GET,
// such as a link or a picture leads to.
//
// Browsers say where it comes from in Sec-Fetch-Site where they speak TLS or to this
// machine; in Origin, but not with GET; and in Referer, unless a page forbids that.
func foreign(r *http.Request, acts bool) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return false
	case "none": // no page, which can be a link in a message
		return acts
	case "":
	default:
		return true
	}
	if !acts && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return false
	}
	for _, header := range []string{"Origin", "Referer"} {
		if from := r.Header.Get(header); from != "" {
			u, err := url.Parse(from)
			return err != nil || u.Host != r.Host
		}
	}
	return acts && strings.HasPrefix(r.UserAgent(), "Mozilla/") // as every browser begins
}
