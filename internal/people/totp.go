package people

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what authenticator apps take
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The second step of a login: a code that an authenticator app makes of a secret and of the time,
// as all of them take it. https://www.rfc-editor.org/rfc/rfc6238
const (
	stepSeconds = 30
	stepSkew    = 1 // steps that clocks may differ by
	stepSecret  = 20
	recoveries  = 10
)

// codeOf is the code of a step.
func codeOf(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step))) //nolint:gosec // after 1970; never fails
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// stepOf answers which step a code is of that is good at a time.
func stepOf(secret []byte, code string, at time.Time) (step int64, ok bool) {
	now := at.Unix() / stepSeconds
	for s := now - stepSkew; s <= now+stepSkew; s++ {
		if subtle.ConstantTimeCompare([]byte(codeOf(secret, s)), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// plainCode is a code without what people write into it.
func plainCode(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// useCode uses up a code of a user who has a second step. It says which kind of code it was.
func (p *People) useCode(ctx context.Context, q *store.Queries, row *store.User, code string) (string, error) {
	secret, err := p.Sealer.Unseal(ctx, row.TOTP, row.Identity())
	if err != nil {
		return "", err
	}
	code = plainCode(code)
	if step, ok := stepOf(secret, code, p.now()); ok {
		return "with a code", q.UseStep(ctx, row.Name, step)
	}
	return "with a recovery code", q.UseRecovery(ctx, row.Name, hashed(code))
}

// codeRefused is the answer to who knows the password of a user who has a second step, but gives no
// code or a wrong one.
func codeRefused(why string) error {
	return &resource.Error{Code: resource.CodeUnauthenticated, Message: "code: " + why, Fields: []resource.Problem{{Field: "code", Message: why}}}
}

// own answers the user who asks.
func own(ctx context.Context) (string, error) {
	who, _ := From(ctx)
	if who.User == "" {
		return "", resource.Errorf(resource.CodeUnsupported, "who has the admin token has no password here; the token is changed with its file")
	}
	return who.User, nil
}

// PrepareTOTP makes the secret of a second step for who asks and knows the password. Codes are
// asked for once one was given.
func (p *People) PrepareTOTP(ctx context.Context, body []byte) (*api.TOTPSecret, error) {
	var request api.TOTPRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	name, err := own(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := p.knows(ctx, name, request.Password); err != nil {
		return nil, err
	}
	secret := make([]byte, stepSecret)
	_, _ = rand.Read(secret) // never fails
	err = p.changeTOTP(ctx, "prepared the second step", name, func(ctx context.Context, q *store.Queries, row *store.User) (err error) {
		if row.TOTPOn {
			return resource.Errorf(resource.CodeConflict, "%s has a second step already; remove it first: mcic totp remove", name)
		}
		if row.TOTP, err = p.Sealer.Seal(secret, row.Identity()); err != nil {
			return err
		}
		return q.SetTOTP(ctx, row, nil)
	})
	if err != nil {
		return nil, err
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	return &api.TOTPSecret{Secret: text, URI: "otpauth://totp/mcic:" + url.PathEscape(name) + "?issuer=mcic&secret=" + text}, nil
}

// ConfirmTOTP has codes asked for from now on, once who asks has shown one.
func (p *People) ConfirmTOTP(ctx context.Context, body []byte) (*api.RecoveryCodes, error) {
	var request api.TOTPConfirmation
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	name, err := own(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := p.try(ctx, name); err != nil { // or else codes could be guessed here
		return nil, p.refused(ctx, name, err)
	}
	made, hashes := &api.RecoveryCodes{}, []string{}
	for range recoveries {
		code := rand.Text()[:16]
		made.RecoveryCodes = append(made.RecoveryCodes, strings.ToLower(code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:]))
		hashes = append(hashes, hashed(code))
	}
	err = p.changeTOTP(ctx, "turned the second step on", name, func(ctx context.Context, q *store.Queries, row *store.User) error {
		if row.TOTPOn || len(row.TOTP) == 0 {
			return resource.Errorf(resource.CodeConflict, "%s has no second step that is to be confirmed; begin with: mcic totp create", name)
		}
		secret, err := p.Sealer.Unseal(ctx, row.TOTP, row.Identity())
		if err != nil {
			return err
		}
		step, ok := stepOf(secret, plainCode(request.Code), p.now())
		if !ok {
			return resource.Invalid(resource.Problem{Field: "code", Message: "is not the one that the app shows now; look whether the clock of its device is right"})
		}
		row.TOTPOn, row.TOTPStep, row.Failures, row.LockedUntil = true, step, 0, 0
		if err := q.UpdateUser(ctx, row, "failures", "locked_until"); err != nil {
			return err
		}
		return q.SetTOTP(ctx, row, hashes)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// RemoveTOTP takes the second step of who asks away, who knows the password and has a code.
func (p *People) RemoveTOTP(ctx context.Context, body []byte) error {
	var request api.TOTPRemoval
	if err := resource.Decode(body, &request); err != nil {
		return err
	}
	name, err := own(ctx)
	if err != nil {
		return err
	}
	if err := p.CheckLogin(ctx, name, request.Password, request.Code); err != nil {
		return err
	}
	return p.changeTOTP(ctx, removedTOTP, name, noTOTP)
}

const removedTOTP = "removed the second step"

// noTOTP takes the second step of a user away.
func noTOTP(ctx context.Context, q *store.Queries, row *store.User) error {
	row.TOTP, row.TOTPOn, row.TOTPStep = nil, false, 0
	return q.SetTOTP(ctx, row, nil)
}

func (p *People) changeTOTP(ctx context.Context, what, name string, do func(context.Context, *store.Queries, *store.User) error) error {
	return p.changeNoted(ctx, Update, name, what, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, q, row)
	})
}
