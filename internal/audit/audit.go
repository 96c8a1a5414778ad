// Package audit has the audit trail sealed, sends it out, and notes who came in.
package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what the trail needs.
type Config struct {
	Store  *store.Store
	Logger *slog.Logger
	Sink   *Sink         // where sealed entries are sent to, if anywhere
	Every  time.Duration // how often entries are sealed; default: 2 s
}

// Trail is the audit trail of a server.
type Trail struct {
	Config
	server string
	wrong  *rate.Limiter
}

// What the entries are about that are written here.
const (
	kindSession = "session"

	VerbLogin  = "login"
	VerbLogout = "logout"
)

// Wrong logins that are noted: what comes faster is not to fill the database.
const (
	wrongEach  = time.Second
	wrongBurst = 100
)

const sendLease = 30 * time.Second

// New returns the trail.
func New(c Config) *Trail {
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	return &Trail{Config: c, server: uuid.NewString(), wrong: rate.NewLimiter(rate.Every(wrongEach), wrongBurst)}
}

// Run seals and sends until the context ends.
func (t *Trail) Run(ctx context.Context) {
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	for {
		if err := t.round(ctx); err != nil && ctx.Err() == nil {
			t.Logger.Error("the audit trail cannot be sealed or sent; tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *Trail) round(ctx context.Context) error {
	if err := t.Store.SealAudit(ctx); err != nil {
		return err
	}
	if t.Sink == nil {
		return nil
	}
	return t.Store.SendAudit(ctx, t.server, sendLease, t.Sink.send)
}

// List answers a page of the trail, the newest entries first.
func (t *Trail) List(ctx context.Context, query store.Query) ([]api.AuditEntry, string, error) {
	rows, next, err := t.Store.Read().ListAudit(ctx, query)
	return store.Convert(rows, (*store.Audit).Resource), next, err
}

// Verify looks whether the sealed entries are what they were.
func (t *Trail) Verify(ctx context.Context) (*api.AuditProof, error) { return t.Store.VerifyAudit(ctx) }

// Session notes that somebody has logged in or out.
func (t *Trail) Session(ctx context.Context, who, verb string) {
	t.Store.NoteAfter(ctx, t.Logger, store.Audit{Who: who, Verb: verb, Kind: kindSession}, nil)
}

// Refused notes that somebody was not let in, and why, if more can be said than that the token or
// the password is wrong.
func (t *Trail) Refused(ctx context.Context, why error) {
	if why == nil {
		why = resource.Errorf(resource.CodeUnauthenticated, "a wrong token or password")
	}
	if !t.wrong.Allow() {
		t.Logger.Warn("so many wrong tokens or passwords are sent that not each is in the audit trail", "address", auth.Address(ctx))
		return
	}
	t.Store.NoteAfter(ctx, t.Logger, store.Audit{Who: auth.Nobody, Verb: VerbLogin, Kind: kindSession}, why)
}
