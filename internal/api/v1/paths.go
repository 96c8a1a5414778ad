package v1

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"
)

// named is a router whose variables for names take no colon, which begins an action: so that
// :stop of a VM is not taken for a part of its name, whichever method asks for it.
type named struct{ chi.Router }

// withoutColon is what the pattern of a route says after a variable for a name.
const withoutColon = ":[^/:]+"

var variableOfName = regexp.MustCompile(`\{(connection|name|id|driver)\}`)

func (n named) MethodFunc(method, path string, handle http.HandlerFunc) {
	n.Router.MethodFunc(method, variableOfName.ReplaceAllString(path, "{$1"+withoutColon+"}"), handle)
}

// documentedPath is the path of a route as the documents have it.
func documentedPath(pattern string) string { return strings.ReplaceAll(pattern, withoutColon, "") }
