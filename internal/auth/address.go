package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Addressed notes the address that each request comes from. Behind a proxy that is what the
// proxy next to the server says; what others say stands before that, and proves nothing.
func Addressed(next http.Handler, behindProxy bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			address = r.RemoteAddr
		}
		if values := r.Header.Values("X-Forwarded-For"); behindProxy && len(values) > 0 {
			all := strings.Split(values[len(values)-1], ",")
			if ip, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
				address = ip.String()
			}
		}
		next.ServeHTTP(w, r.WithContext(From(r.Context(), address)))
	})
}
