package resource

import "time"

// DriverInstallation is how a server came by a driver.
type DriverInstallation struct {
	Version     string     `json:"version" doc:"The version that is wanted on all servers."`
	Repository  string     `json:"repository" doc:"Name of the repository that it came from."`
	Digest      string     `json:"digest" doc:"Digest of its package. Every server runs exactly this one."`
	Key         string     `json:"key,omitempty" doc:"Fingerprint of the key that its signature was verified with. Absent if it was installed without one."`
	Previous    string     `json:"previous,omitempty" doc:"The version that was installed before."`
	Problem     string     `json:"problem,omitempty" doc:"Why this server does not run it yet."`
	InstalledAt *time.Time `json:"installedAt,omitempty" doc:"When it was installed, upgraded or downgraded."`
}
