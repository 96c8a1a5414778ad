package v1

import "net/http"

// Open is New, with what each route needs, by method and path.
func Open(c Config) (http.Handler, map[string]string) {
	handler, d := open(c)
	needs := map[string]string{}
	for route, n := range d.needs {
		needs[route] = n.String()
	}
	return handler, needs
}
