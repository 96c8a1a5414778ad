package resource

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
)

// Database is the kind of managed database servers.
var Database = define[DatabaseSpec, DatabaseStatus](Kind{
	Name:    "database",
	Title:   "Database",
	Doc:     "A managed database server, with databases in it.",
	Secrets: []Secret{{Name: adminPassword, Doc: "The administrator's password. Only when the server made it."}},

	Patience: 2, // a server with a standby, or with a backup to read, takes long on most clouds
	Actions: []Action{
		action(Action{Name: "start", Doc: "Starts the server.", From: []State{StateStopped}, Until: []State{StateRunning}}, Starter.Start),
		action(Action{Name: "stop", Doc: "Stops the server and keeps its data. Most clouds still charge for its storage, and some start it again after days.", From: []State{StateRunning}, Until: []State{StateStopped}}, Stopper.Stop),
		action(Action{Name: "restart", Doc: "Restarts the server. Connections break.", From: []State{StateRunning}, Until: []State{StateRunning}}, Restarter.Restart),
		changes(actionWith(Action{Name: "resize", Doc: "Changes its machine, its storage or both. Storage does not shrink. Connections may break.", From: []State{StateRunning}, Until: []State{StateRunning}}, DatabaseResizer.Resize), (*DatabaseSpec).resize),
		actionWith(Action{Name: "setpassword", Doc: "Replaces the administrator's password. Connections that are open stay.", From: []State{StateRunning}, Until: []State{StateRunning}}, PasswordSetter.SetPassword),
		changes(actionWith(Action{Name: "upgrade", Doc: "Brings the server to a newer version of its engine. It cannot be undone, and connections break.", From: []State{StateRunning}, Until: []State{StateRunning}}, DatabaseUpgrader.Upgrade),
			func(s *DatabaseSpec, to DatabaseVersion) { s.Version = to.Version }),
		actionWith(Action{Name: "createdatabase", Doc: "Makes a database in the server; one of that name that is there already is left as it is.", From: []State{StateRunning}, Until: []State{StateRunning}}, DatabaseCreator.CreateDatabase),
		actionWith(Action{Name: "dropdatabase", Doc: "Deletes a database in the server with its data for good; one that is not there is passed over.", From: []State{StateRunning}, Until: []State{StateRunning}}, DatabaseDropper.DropDatabase),
	},
	Views: []View{
		view(View{Name: "databases", Doc: "The databases in the server, without those of the engine's own."}, DatabasesReader.Databases),
	},
})

// adminPassword is what the field and the secret are called that let the administrator in.
const adminPassword = "adminPassword"

// Restarter is implemented by collections whose objects can be restarted.
type Restarter interface {
	Restart(ctx context.Context, id string) error
}

// DatabaseResizer is implemented by collections whose servers can become larger or smaller.
type DatabaseResizer interface {
	Resize(ctx context.Context, id string, to DatabaseSize) error
}

// PasswordSetter is implemented by collections whose administrator's password can be replaced.
type PasswordSetter interface {
	SetPassword(ctx context.Context, id string, to AdminPassword) error
}

// DatabaseUpgrader is implemented by collections whose servers can be brought to a newer version.
type DatabaseUpgrader interface {
	Upgrade(ctx context.Context, id string, to DatabaseVersion) error
}

// DatabaseCreator is implemented by collections that make databases in servers.
type DatabaseCreator interface {
	CreateDatabase(ctx context.Context, id string, named DatabaseName) error
}

// DatabaseDropper is implemented by collections that delete databases in servers.
type DatabaseDropper interface {
	DropDatabase(ctx context.Context, id string, named DatabaseName) error
}

// DatabasesReader is implemented by collections that know the databases in servers.
type DatabasesReader interface {
	Databases(ctx context.Context, id string) (DatabaseNames, error)
}

// DatabaseSpec is what a database server is asked to be.
type DatabaseSpec struct {
	Engine           string   `json:"engine" doc:"Engine: mysql, mariadb, postgresql, sqlserver or what else the cloud has; see the catalog's dbengines." minLength:"1" maxLength:"64" pattern:"^[a-z][a-z0-9-]*$" patternDescription:"a name in lower case, such as postgresql"`
	Version          string   `json:"version,omitempty" doc:"Version of the engine as the cloud writes it, such as 17 or 8.4; see the catalog's dbengines. Default: the cloud's choice." completed:"cloud" maxLength:"64"`
	Spec             string   `json:"spec" doc:"Name of the machine type, such as db.t4g.micro on AWS; see the catalog's dbspecs." catalog:"dbspec" minLength:"1" maxLength:"128"`
	StorageGiB       int      `json:"storageGiB,omitempty" doc:"Size of its storage in GiB. Default: the least that the cloud has." completed:"cloud" minimum:"1" maximum:"131072"`
	StorageType      string   `json:"storageType,omitempty" doc:"The cloud's name of the type of its storage, such as gp3 on AWS. Default: the cloud's choice." completed:"cloud" maxLength:"128"`
	VPC              string   `json:"vpc" doc:"Name of the VPC that it can be reached from." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets          []string `json:"subnets,omitempty" doc:"Names of the subnets that it may stand in. AWS wants two in different zones. Default: the cloud's choice among those of the VPC." completed:"cloud" ref:"subnet" flag:"subnet" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	SecurityGroups   []string `json:"securitygroups,omitempty" doc:"Names of the security groups that say who reaches it, where the cloud takes them. Default: the cloud's default group of the VPC." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Public           bool     `json:"public,omitempty" doc:"Whether it has a public address, too. Default: it can be reached only from inside the VPC."`
	HighAvailability bool     `json:"highAvailability,omitempty" doc:"Whether a standby in another zone takes over when it fails, which about doubles its price. Default: false."`
	AdminUser        string   `json:"adminUser,omitempty" doc:"Name of the administrator: a letter, then letters, digits and underscores. Default: the cloud's choice." completed:"cloud" maxLength:"32" pattern:"^([A-Za-z][A-Za-z0-9_]*)?$" patternDescription:"a letter, then letters, digits and underscores"`
	AdminPassword    string   `json:"adminPassword,omitempty" doc:"Password of the administrator: 8 to 128 characters with three of lower-case letters, upper-case letters, digits and others, and none of blanks, quotes, backslashes, slashes and @. Without it the server makes one and answers it once. It is handed to the cloud and never shown." maxLength:"128" file:"true" writeOnly:"true"`
	BackupDays       int      `json:"backupDays,omitempty" doc:"For how many days the backups are kept that the cloud makes by itself. Default: the cloud's choice; some make none." completed:"cloud" minimum:"1" maximum:"35"`
	FromBackup       string   `json:"fromBackup,omitempty" doc:"Name of the backup of a database to begin with, of the same engine. Default: it begins empty." flag:"from-backup" ref:"dbbackup,weak" maxLength:"512"`
}

// DatabaseStatus is what the cloud reports of a database server.
type DatabaseStatus struct {
	Endpoint string `json:"endpoint,omitempty" address:"true" doc:"Name or address to connect to."`
	Port     int    `json:"port,omitempty" doc:"Port to connect to."`
	Version  string `json:"version,omitempty" doc:"Version of the engine that it runs, in full where the cloud tells."`
}

// DatabaseSize is the parameter of a database server's resize. What is left out stays.
type DatabaseSize struct {
	Spec        string `json:"spec,omitempty" doc:"Name of the new machine type; see the catalog's dbspecs. Default: as it is." catalog:"dbspec" maxLength:"128"`
	StorageGiB  int    `json:"storageGiB,omitempty" doc:"New size of its storage in GiB, at least the present one. Default: as it is." minimum:"1" maximum:"131072"`
	StorageType string `json:"storageType,omitempty" doc:"New type of its storage. Default: as it is." maxLength:"128"`
}

// AdminPassword is the parameter of setpassword.
type AdminPassword struct {
	AdminPassword string `json:"adminPassword" doc:"The new password: 8 to 128 characters with three of lower-case letters, upper-case letters, digits and others, and none of blanks, quotes, backslashes, slashes and @." minLength:"8" maxLength:"128" file:"true" writeOnly:"true"`
}

// DatabaseVersion is the parameter of upgrade.
type DatabaseVersion struct {
	Version string `json:"version" doc:"Version of the engine as the cloud writes it; the catalog's dbengines say which versions follow which." minLength:"1" maxLength:"64"`
}

// DatabaseName names a database in a server.
type DatabaseName struct {
	Name string `json:"name" doc:"Name of the database in the server: a letter, then letters, digits and underscores, at most 63." minLength:"1" maxLength:"63" pattern:"^[A-Za-z][A-Za-z0-9_]*$" patternDescription:"a letter, then letters, digits and underscores"`
}

// DatabaseNames is what the view databases answers.
type DatabaseNames struct {
	Databases []string `json:"databases" doc:"Names of the databases, in order." nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (s *DatabaseSpec) Problems(at string) []Problem {
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	problems = append(problems, doubleNames(join(at, "securitygroups"), s.SecurityGroups)...)
	if s.AdminPassword != "" {
		problems = append(problems, passwordProblems(join(at, adminPassword), s.AdminPassword)...)
	}
	return problems
}

// Problems implements the rules beyond the schema.
func (p *AdminPassword) Problems(at string) []Problem {
	return passwordProblems(join(at, adminPassword), p.AdminPassword)
}

// Problems implements the rules beyond the schema.
func (d *DatabaseSize) Problems(at string) []Problem {
	if *d == (DatabaseSize{}) {
		return []Problem{{Field: join(at, "spec"), Message: "nothing is given; give a machine type, a size of the storage or both", Rule: RuleRequired}}
	}
	return nil
}

// Complete makes the administrator's password if none was given.
func (s *DatabaseSpec) Complete() (map[string]string, error) {
	if s.AdminPassword != "" {
		return nil, nil
	}
	s.AdminPassword = newPassword()
	return map[string]string{adminPassword: s.AdminPassword}, nil
}

// ProblemsAgainst checks that subnets and security groups are of the VPC, and that a backup fits.
func (s *DatabaseSpec) ProblemsAgainst(find Find) []Problem {
	problems := networkProblems(find, s.Subnets, s.SecurityGroups, s.VPC, "the database is to belong")
	var backup DBBackupStatus
	findStatus(find, DBBackup.Kind, s.FromBackup, &backup)
	return append(problems, s.ProblemsOf(backup)...)
}

// ProblemsOf says why the server cannot begin with the data of a backup, as far as that shows it.
func (s *DatabaseSpec) ProblemsOf(backup DBBackupStatus) []Problem {
	var problems []Problem
	if backup.Engine != "" && backup.Engine != s.Engine {
		problems = append(problems, Problem{Field: "spec.engine", Message: fmt.Sprintf("the backup is of %s, which only that can read; choose it, or leave out fromBackup", printable(backup.Engine))})
	}
	if s.StorageGiB != 0 && s.StorageGiB < backup.SizeGiB {
		problems = append(problems, Problem{Field: "spec.storageGiB", Message: fmt.Sprintf("%d GiB are too few for the backup; ask for at least %d GiB", s.StorageGiB, backup.SizeGiB), Rule: RuleMinimum, Limit: fmt.Sprint(backup.SizeGiB)})
	}
	return problems
}

// resize changes what is given.
func (s *DatabaseSpec) resize(to DatabaseSize) {
	s.Spec, s.StorageGiB, s.StorageType = cmp.Or(to.Spec, s.Spec), cmp.Or(to.StorageGiB, s.StorageGiB), cmp.Or(to.StorageType, s.StorageType)
}

// strength is the rule of passwords. It is the same for all clouds: as strong as Azure wants them,
// in the characters that AWS takes. What is narrower than that, such as a length, drivers check.
// https://learn.microsoft.com/azure/postgresql/flexible-server/quickstart-create-server
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
const strength = "8 to 128 characters with three of lower-case letters, upper-case letters, digits and others, and none of blanks, quotes, backslashes, slashes and @"

// passwordProblems says why a password is refused. It never repeats it.
func passwordProblems(field, password string) []Problem {
	lower, upper, digit, other, refused := 0, 0, 0, 0, 0
	for _, r := range password {
		switch {
		case r < '!' || r > '~' || strings.ContainsRune("/\\'\"`@", r):
			refused = 1
		case r >= 'a' && r <= 'z':
			lower = 1
		case r >= 'A' && r <= 'Z':
			upper = 1
		case r >= '0' && r <= '9':
			digit = 1
		default:
			other = 1
		}
	}
	if refused == 0 && len(password) >= 8 && len(password) <= 128 && lower+upper+digit+other >= 3 {
		return nil
	}
	return []Problem{{Field: field, Message: "is weak, or not what every cloud takes; choose " + strength, Rule: RulePattern, Limit: strength}}
}

// newPassword is one that nobody guesses. Its 20 characters are not too many for any cloud.
func newPassword() string { return "Aa1-" + rand.Text()[:16] }
