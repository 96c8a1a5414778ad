package mock

import (
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openDBEngines(s *session) catalog[resource.DBEngine] {
	return catalog[resource.DBEngine]{s.callRegion, s.pageSize, allDBEngines}
}

// engine is a database engine as every region of this cloud has it.
type engine struct {
	name, title string
	versions    []string // the oldest first; a database gets the newest but one, as on most clouds
	port        int
	admin       string // name of the administrator who asks for none
}

func engines() []engine {
	return []engine{
		{"mysql", "MySQL", []string{"8.0", "8.4", "9.4"}, 3306, "admin"},
		{"mariadb", "MariaDB", []string{"10.11", "11.4", "11.8"}, 3306, "admin"},
		{"postgresql", "PostgreSQL", []string{"15", "16", "17", "18"}, 5432, "postgres"},
		{"sqlserver", "SQL Server", []string{"2019", "2022", "2025"}, 1433, "sqladmin"},
	}
}

// engineNamed is the engine that a database asks for.
func engineNamed(name string) (engine, error) {
	i := slices.IndexFunc(engines(), func(e engine) bool { return e.name == name })
	if i < 0 {
		return engine{}, refuseField("spec.engine", "InvalidDBEngine", "there is no engine %.64q; the engines are: %s", name, joined(engines(), func(e engine) string { return e.name }))
	}
	return engines()[i], nil
}

// check checks a version.
func (e engine) check(field, version string) error {
	if !slices.Contains(e.versions, version) {
		return noVersion(field, e.title, version, e.versions)
	}
	return nil
}

// usual is the version of who asks for none.
func usual(versions []string) string { return versions[len(versions)-2] }

// after are the versions that are newer than one.
func after(versions []string, version string) []string {
	return versions[slices.Index(versions, version)+1:]
}

// noVersion is the answer to a version of something that there is not.
func noVersion(field, of, version string, versions []string) error {
	return refuseField(field, "InvalidParameterValue", "there is no version %.64q of %s; the versions are: %s", version, of, joined(versions, func(v string) string { return v }))
}

func allDBEngines() []resource.DBEngine {
	var all []resource.DBEngine
	for _, e := range engines() {
		for _, v := range e.versions {
			all = append(all, resource.DBEngine{ID: e.name + "-" + v, Engine: e.name, Version: v, Title: e.title + " " + v, Default: v == usual(e.versions), Upgrades: after(e.versions, v)})
		}
	}
	return all
}
