package mock

import (
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openDBSpecs(s *session) catalog[resource.DBSpec] {
	return catalog[resource.DBSpec]{s.callRegion, s.pageSize, allDBSpecs}
}

// allDBSpecs are the machine types for databases of every region of this cloud. SQL Server does
// not run on the smallest.
func allDBSpecs() []resource.DBSpec {
	open := []string{"mysql", "mariadb", "postgresql"}
	specs := []resource.DBSpec{
		{Name: "db-burst.micro", VCPUs: 1, MemoryMiB: 1024, Engines: open},
		{Name: "db-burst.small", VCPUs: 2, MemoryMiB: 2048, Engines: open},
	}
	all := append(slices.Clone(open), "sqlserver")
	for _, f := range []family{{name: "db-std", gibCPU: 4}, {name: "db-mem", gibCPU: 8}} {
		for _, s := range []size{{"large", 2}, {"xlarge", 4}, {"2xlarge", 8}, {"4xlarge", 16}, {"8xlarge", 32}} {
			specs = append(specs, resource.DBSpec{Name: f.name + "." + s.name, VCPUs: s.vcpus, MemoryMiB: s.vcpus * f.gibCPU * 1024, Engines: all})
		}
	}
	return specs
}

// checkDBSpec checks that there is a machine type and that it runs an engine.
func checkDBSpec(field, name, engine string) error {
	specs := allDBSpecs()
	i := slices.IndexFunc(specs, func(s resource.DBSpec) bool { return s.Name == name })
	switch {
	case i < 0:
		return refuseField(field, "InvalidDBInstanceClass", "there is no machine type %.64q for databases; choose the name of one of the catalog's dbspecs", name)
	case !slices.Contains(specs[i].Engines, engine):
		return refuseField(field, "InvalidParameterCombination", "the machine type %s runs %s, not %s; choose another", name, strings.Join(specs[i].Engines, ", "), engine)
	}
	return nil
}
