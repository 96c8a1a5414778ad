package v1

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sessionAnswer says how a browser is logged in.
type sessionAnswer struct {
	Until time.Time `json:"until"`
	Dev   bool      `json:"dev"` // whether the server runs with --dev
}

// sessionRoutes let browsers log in and out. They are no part of the OpenAPI
// document: programs send the token.
func (s *server) sessionRoutes(r chi.Router) {
	const path = "/v1/session"
	reply := func(w http.ResponseWriter, until time.Time) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(sessionAnswer{until, s.Dev}) // the client is gone if this fails
	}
	r.Get(path, func(w http.ResponseWriter, r *http.Request) {
		until, ok, err := s.Sessions.Until(r)
		if err != nil {
			problem(err).write(w)
			return
		}
		if !ok {
			plain(http.StatusUnauthorized, resource.CodeUnauthenticated, "nobody is logged in here, or the login has run out; log in").write(w)
			return
		}
		reply(w, until)
	})
	r.With(bufferBody).Post(path, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Token string `json:"token"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			badField(http.StatusUnprocessableEntity, "body", "is not JSON with the field token").write(w)
			return
		}
		until, ok := s.Sessions.Start(w, r, body.Token)
		if !ok {
			s.Audit.Refused(r.Context())
			plain(http.StatusUnauthorized, resource.CodeUnauthenticated, "this is not the admin token. It lies in the file token of the server's data folder").write(w)
			return
		}
		s.Audit.Session(r.Context(), auth.Admin, audit.VerbLogin)
		reply(w, until)
	})
	r.Delete(path, func(w http.ResponseWriter, r *http.Request) {
		_, open, _ := s.Sessions.Until(r) // what is wrong with the records is seen by End
		if err := s.Sessions.End(w, r); err != nil {
			problem(err).write(w)
			return
		}
		if open {
			s.Audit.Session(r.Context(), auth.Admin, audit.VerbLogout)
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
