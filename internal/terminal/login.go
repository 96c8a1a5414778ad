package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// host is where a session goes, and how.
type host struct {
	user, address string // the address with its port
	port          int
	how           string // all of it in words, without secrets
}

// hostOf chooses among the addresses that the resource's record has.
func hostOf(l *Login, r api.TerminalRequest) (*host, error) {
	if err := resource.Invalid(r.Problems("")...); err != nil {
		return nil, err
	}
	what := l.Resource.Kind + " " + l.Resource.Name
	address, named := cmp.Or(l.Public, l.Private), "an address"
	switch r.Address {
	case "public":
		address, named = l.Public, "a public address"
	case "private":
		address, named = l.Private, "a private address"
	}
	if address == "" {
		return nil, Endf(api.EndUnreachable, resource.CodeConflict, "the %s does not have %s: it is %s", what, named, l.Resource.State)
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil, Endf(api.EndUnreachable, resource.CodeConflict, "the %s has %q where an IP address should be", what, address)
	}
	ip = ip.Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip.Zone() != "" {
		return nil, Endf(api.EndUnreachable, resource.CodeDenied, "the %s has the address %s, which no machine can be reached by from afar", what, ip)
	}
	user := cmp.Or(r.User, l.User)
	if user == "" {
		return nil, resource.Invalid(resource.Problem{Field: "user", Message: "is required: the record of the " + what + " does not say who can log in. It depends on the image; usual names are ubuntu, ec2-user, debian, rocky", Rule: resource.RuleRequired})
	}
	port := cmp.Or(r.Port, l.Port)
	h := &host{user: user, port: port, address: netip.AddrPortFrom(ip, uint16(port)).String()} //nolint:gosec // 1 to 65535
	h.how = fmt.Sprintf("%s@%s, with %s", user, h.address, means(r))
	return h, nil
}

// means says by what a login is tried.
func means(r api.TerminalRequest) string {
	switch {
	case r.Key != "":
		return "a key that was given"
	case r.Password != "":
		return "a password that was given"
	default:
		return "the key pair's key"
	}
}

// login connects and logs in.
func (t *Terminals) login(ctx context.Context, l *Login, to *host, r api.TerminalRequest) (*ssh.Client, *api.TerminalReady, error) {
	auth, err := t.auth(ctx, l, r)
	if err != nil {
		return nil, nil, err
	}
	known, err := t.knownHostKey(ctx, l, to.port)
	if err != nil {
		return nil, nil, err
	}
	ready := &api.TerminalReady{User: to.user, Address: to.address, New: known == nil}
	accepted := false
	config := &ssh.ClientConfig{
		User: to.user, Auth: auth, ClientVersion: "SSH-2.0-mcic", HostKeyAlgorithms: hostKeyAlgorithms(known),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if known == nil {
				pinned, err := t.pinHostKey(ctx, l, to.port, authorized(key))
				if err != nil {
					return err
				}
				known = &pinned
			}
			if known.Key != authorized(key) {
				return changed(l, to, known, "shows "+ssh.FingerprintSHA256(key))
			}
			ready.HostKey, accepted = *known, true
			return nil
		},
	}
	limited, cancel := context.WithTimeout(ctx, t.Connect)
	defer cancel()
	client, err := dial(limited, to.address, config)
	if err == nil {
		return client, ready, nil
	}
	_, otherKind := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	end, isEnd := errors.AsType[*End](err)
	switch {
	case ctx.Err() != nil:
		return nil, nil, interruption(ctx)
	case isEnd:
		return nil, nil, end
	case otherKind && known != nil:
		return nil, nil, changed(l, to, known, "does not have a key of that kind any more")
	case accepted && limited.Err() == nil:
		return nil, nil, Endf(api.EndRefused, resource.CodeUnauthenticated, "the SSH server at %s refuses %s with %s; check the name, which depends on the image, and that the key or password is the right one (%w)", to.address, to.user, means(r), err)
	}
	if limited.Err() != nil {
		err = fmt.Errorf("no answer within %s", t.Connect)
	}
	return nil, nil, Endf(api.EndUnreachable, resource.CodeUnavailable,
		"cannot connect to the SSH server of the %s %s (%s, as last seen) at %s: %w; check that it runs, that its security groups let the port in, and that this server can reach that address",
		l.Resource.Kind, l.Resource.Name, l.Resource.State, to.address, err)
}

// changed says that a host key is not the one that is recorded.
func changed(l *Login, to *host, known *api.HostKey, now string) *End {
	r := l.Resource
	return Endf(api.EndHostKey, resource.CodeConflict,
		"the SSH server at %s is not the one that was seen before: its host key was %s (%s, since %s), and it %s. Somebody may be between, or the machine was set up anew. Only if you know that it was, have the old key forgotten: mcic %s hostkeys %s -c %s --forget",
		to.address, known.Fingerprint, keyType(known.Key), known.SeenAt.Format("2006-01-02"), now, r.Kind, r.Name, r.Connection)
}

// auth is the one way to log in that was asked for.
func (t *Terminals) auth(ctx context.Context, l *Login, r api.TerminalRequest) ([]ssh.AuthMethod, error) {
	if r.Password != "" {
		return []ssh.AuthMethod{
			ssh.Password(r.Password),
			ssh.KeyboardInteractive(func(_, _ string, questions []string, echo []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range questions {
					if !echo[i] { // it asks for a secret
						answers[i] = r.Password
					}
				}
				return answers, nil
			}),
		}, nil
	}
	key := []byte(r.Key)
	if len(key) == 0 {
		var err error
		if key, err = t.loginKey(ctx, l); err != nil {
			return nil, err
		}
	}
	signer, err := parseKey(key, r.Passphrase)
	if err != nil {
		return nil, err
	}
	return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
}

func parseKey(key []byte, passphrase string) (ssh.Signer, error) {
	invalid := func(field, message string) (ssh.Signer, error) {
		return nil, resource.Invalid(resource.Problem{Field: field, Message: message})
	}
	if !strings.HasSuffix(string(key), "\n") { // pasted keys often lack it
		key = append(key, '\n')
	}
	if passphrase != "" {
		signer, err := ssh.ParsePrivateKeyWithPassphrase(key, []byte(passphrase))
		if err != nil {
			return invalid("passphrase", "does not open the private key, or that is not one in PEM format")
		}
		return signer, nil
	}
	signer, err := ssh.ParsePrivateKey(key)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		return nil, resource.Invalid(resource.Problem{Field: "passphrase", Message: "is required: the private key is encrypted", Rule: resource.RuleRequired})
	}
	if err != nil {
		return invalid("key", "is not a private key in PEM format, which begins with -----BEGIN; RSA, ECDSA and Ed25519 keys are possible")
	}
	return signer, nil
}

// hostKeyAlgorithms are those that may be chosen. A server has keys of several types;
// which one was seen first is asked for from then on, for any other would look like
// a change. Certificates are left out: they change without the key.
func hostKeyAlgorithms(known *api.HostKey) []string {
	rsa := []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	if known == nil {
		return append([]string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}, rsa...)
	}
	if keyType(known.Key) == ssh.KeyAlgoRSA {
		return rsa
	}
	return []string{keyType(known.Key)}
}

// authorized is a key as in a line of an authorized_keys file.
func authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func keyType(key string) string {
	name, _, _ := strings.Cut(key, " ")
	return name
}
