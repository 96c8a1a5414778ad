package v1

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sessionAnswer says how a browser is logged in.
type sessionAnswer struct {
	Until time.Time `json:"until"`
	User  string    `json:"user,omitempty"` // absent for who has the admin token
	Dev   bool      `json:"dev"`            // whether the server runs with --dev
}

const sessionPath = "/v1/session"

// sessionRoutes let browsers log in and out. They are no part of the OpenAPI
// document: programs send the token.
func (s *server) sessionRoutes(r chi.Router) {
	reply := func(w http.ResponseWriter, session people.Session) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(sessionAnswer{session.Until, session.Who.User, s.Dev}) // the client is gone if this fails
	}
	r.Get(sessionPath, func(w http.ResponseWriter, r *http.Request) {
		session, ok, err := s.People.SessionOf(r)
		if err != nil {
			problem(err).write(w)
			return
		}
		if !ok {
			plain(http.StatusUnauthorized, resource.CodeUnauthenticated, "nobody is logged in here, or the login has run out; log in").write(w)
			return
		}
		reply(w, session)
	})
	r.With(bufferBody).Post(sessionPath, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Token, User, Password, Code string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			badField(http.StatusUnprocessableEntity, "body", "is not JSON with the field token, or with user, password and, for who has a second step, code").write(w)
			return
		}
		if body.User != "" {
			session, err := s.People.StartLogin(w, r, body.User, body.Password, body.Code)
			if err != nil {
				problem(err).write(w)
				return
			}
			reply(w, session)
			return
		}
		until, ok := s.People.Sessions.Start(w, r, body.Token)
		if !ok {
			s.Audit.Refused(r.Context(), nil)
			plain(http.StatusUnauthorized, resource.CodeUnauthenticated, "this is not the admin token. It lies in the file token of the server's data folder").write(w)
			return
		}
		s.Audit.Session(r.Context(), auth.Admin, audit.VerbLogin)
		reply(w, people.Session{Until: until})
	})
	r.Delete(sessionPath, func(w http.ResponseWriter, r *http.Request) {
		session, open, _ := s.People.SessionOf(r) // what is wrong with the records is seen by EndLogin
		provider, err := s.People.EndLogin(w, r, s.address(r)+"/")
		if err != nil {
			problem(err).write(w)
			return
		}
		if open {
			s.Audit.Session(r.Context(), cmp.Or(session.Who.User, auth.Admin), audit.VerbLogout)
		}
		if provider == "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", noStore)
		_ = json.NewEncoder(w).Encode(map[string]string{"logoutAt": provider}) // the client is gone if this fails
	})
}
