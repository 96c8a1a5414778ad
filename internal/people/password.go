package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// How passwords are hashed: argon2id with what OWASP recommends.
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// hashers bounds how many passwords are hashed at once, each of which takes memory.
type hashers chan struct{}

// hash is how a password is recorded, in the usual form, which says how it was made.
func (h hashers) hash(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key := h.key(password, salt, argonTime, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// matches reports whether a password is the one that was recorded so. Without a record it takes
// as long, so that nobody sees who has a password.
func (h hashers) matches(password, recorded string) bool {
	var (
		version, memory, time int
		threads               uint8
	)
	parts := strings.Split(recorded, "$")
	if len(parts) == 6 && parts[1] == "argon2id" {
		_, _ = fmt.Sscanf(parts[2], "v=%d", &version)
		_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads)
		salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
		want, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
		if err == nil && saltErr == nil && keyErr == nil && version == argon2.Version && len(want) > 0 {
			key := h.key(password, salt, uint32(time), uint32(memory), threads, uint32(len(want))) //nolint:gosec // as it was written
			return subtle.ConstantTimeCompare(key, want) == 1
		}
	}
	h.key(password, make([]byte, argonSalt), argonTime, argonMemory, argonThreads, argonKey)
	return false
}

func (h hashers) key(password string, salt []byte, time, memory uint32, threads uint8, length uint32) []byte {
	h <- struct{}{}
	defer func() { <-h }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, length)
}

// minPassword is how many characters a password has at least.
const minPassword = 12

// common are what passwords of that length are made of that are in every list of stolen ones:
// runs on the keyboard and in the alphabet, and words that everybody takes. A password that is
// little more than these is as good as known.
func common() []string {
	return []string{
		"1234567890", "0987654321", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y", "1qaz2wsx3edc", "qazwsxedc", "abcdefghijklmnopqrstuvwxyz",
		"password", "passw0rd", "p@ssw0rd", "p@ssword", "administrator", "admin", "welcome", "letmein", "changeme", "iloveyou", "sunshine", "princess",
		"football", "baseball", "superman", "batman", "dragon", "monkey", "master", "shadow", "michael", "jennifer", "trustno1", "starwars", "computer",
		"internet", "secret", "default", "login", "access", "server", "cloud", "qwerty", "qwer", "asdf", "test", "root", "user", "guest", "company",
		"summer", "winter", "spring", "autumn", "korea", "seoul", "mcic", "infra", "connector",
	}
}

// minRest is how many characters a password has beside what is common, at least.
const minRest = 6

// checkPassword refuses what is soon guessed. It says why, and never what it was.
func checkPassword(user, password string) error {
	refuse := func(format string, args ...any) error {
		return resource.Invalid(resource.Problem{Field: "password", Message: fmt.Sprintf(format, args...)})
	}
	if utf8.RuneCountInString(password) < minPassword {
		return refuse("is shorter than %d characters; take several words", minPassword)
	}
	rest := strings.ToLower(password)
	for _, word := range append([]string{strings.ToLower(user)}, common()...) {
		if len(word) > 3 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	for size := 4; size <= 10; size++ { // pieces of the runs
		for _, run := range common()[:9] {
			for i := 0; i+size <= len(run); i++ {
				rest = strings.ReplaceAll(rest, run[i:i+size], "")
			}
		}
	}
	different := map[rune]bool{}
	for _, c := range rest {
		different[c] = true
	}
	if len(different) < minRest {
		return refuse("is one that is tried first: it has little beside common words, runs on the keyboard, repetitions and the name of the user; take several words")
	}
	return nil
}

// takes refuses a password that nobody should have.
func (p *People) takes(user, password string) error {
	if err := checkPassword(user, password); err != nil {
		return err
	}
	found, err := breached(p.Breached).has(password)
	if found {
		err = resource.Invalid(resource.Problem{Field: "password", Message: "is in a list of passwords that were stolen elsewhere, which are tried first; take another one, and change it wherever else you use it"})
	}
	return err
}

// ChangePassword changes the password of who asks and knows the old one.
func (p *People) ChangePassword(ctx context.Context, body []byte) error {
	var request api.PasswordChange
	if err := resource.Decode(body, &request); err != nil {
		return err
	}
	name, err := own(ctx)
	if err != nil {
		return err
	}
	row, err := p.Store.Read().User(ctx, name)
	if err == nil {
		err = local(row, "passwords")
	}
	if err != nil {
		return err
	}
	if _, err := p.knows(ctx, name, request.Old); err != nil { // who is logged in has given a code, or needs none
		return err
	}
	if err := p.takes(name, request.New); err != nil {
		return err
	}
	hash := p.hashing.hash(request.New)
	return p.change(ctx, Update, name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, name)
		if err != nil {
			return err
		}
		row.Password = hash
		if err := q.UpdateUser(ctx, row, "password"); err != nil {
			return err
		}
		return q.EndLogins(ctx, name, "")
	})
}

// inviteLife is how long an invitation is good.
const inviteLife = 72 * time.Hour

// Invite makes an invitation to choose a password, in the place of those before. Whoever has it
// can do so once.
func (p *People) Invite(ctx context.Context, name string) (*api.Invitation, error) {
	text, until := rand.Text()+rand.Text(), time.Now().Add(inviteLife).Truncate(time.Second)
	err := p.change(ctx, Update, "invitation of "+name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, name)
		if err == nil {
			err = local(row, "passwords")
		}
		if err != nil {
			return err
		}
		if err := q.EndInvitations(ctx, name); err != nil {
			return err
		}
		return q.InsertLogin(ctx, &store.UserLogin{Hash: hashed(text), User: name, Purpose: store.PurposeInvite, Until: store.MicrosOf(until)})
	})
	if err != nil {
		return nil, err
	}
	return &api.Invitation{User: name, Code: text, Path: "/invite#" + text, ExpiresAt: until}, nil
}

// Accept lets who has an invitation choose a password. It tells whose.
func (p *People) Accept(ctx context.Context, body []byte) (*api.Accepted, error) {
	var request api.Acceptance
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	invited, err := p.Store.Read().UserLogin(ctx, hashed(request.Code), store.PurposeInvite)
	if err != nil {
		return nil, err
	}
	if err := p.takes(invited.User, request.Password); err != nil {
		return nil, err
	}
	hash := p.hashing.hash(request.Password)
	err = p.change(auth.As(ctx, invited.User), Update, invited.User, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.UserLogin(ctx, invited.Hash, store.PurposeInvite); err != nil { // somebody was first
			return err
		}
		row, err := q.User(ctx, invited.User)
		if err != nil {
			return err
		}
		row.Password, row.Failures, row.LockedUntil = hash, 0, 0
		if err := q.UpdateUser(ctx, row, "password", "failures", "locked_until"); err != nil {
			return err
		}
		return q.EndLogins(ctx, row.Name, "")
	})
	return &api.Accepted{User: invited.User}, err
}
