package drivers

import (
	"fmt"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
)

// What the entries of the audit trail are about.
const (
	auditDriver     = "driver"
	auditRepository = "repository"
)

// Their verbs.
const (
	verbCreate = "create"
	verbUpdate = "update"
	verbDelete = "delete"

	verbInstall   = "install"
	verbUpgrade   = "upgrade"
	verbDowngrade = "downgrade"
	verbRemove    = "remove"
)

// trust says for the audit trail whose drivers a repository lets run.
func trust(r *api.Repository) string {
	if r.Insecure {
		return r.URL + ", INSECURE: packages need no signature"
	}
	keys := make([]string, len(r.Keys))
	for i, k := range r.Keys {
		if keys[i] = k.Fingerprint; k.Prefix != "" {
			keys[i] += " for " + k.Prefix + "*"
		}
	}
	return r.URL + ", trusted keys: " + strings.Join(keys, ", ")
}

// origin says for the audit trail what was installed.
func origin(e repository.Entry, from string) string {
	signed := "signed with " + e.Key
	if e.Key == "" {
		signed = "NOT SIGNED: the repository is insecure"
	}
	return fmt.Sprintf("%s (%s) from %s, %s", e.Version, e.Digest, from, signed)
}
