package driver

import (
	"maps"
	"slices"
	"strings"
)

// Facts are what holds for a cloud everywhere and is known without asking it, for
// programs that register clouds before they reach them, as those of CB-Spider do.
type Facts struct {
	RootDisks     Disks  `json:"rootDisks,omitzero" doc:"Root disks of VMs."`
	Disks         Disks  `json:"disks,omitzero" doc:"Disks beside them."`
	NameLengths   []int  `json:"nameLengths,omitempty" doc:"How long names can be: of VPCs, subnets, security groups, key pairs, VMs, disks, NLBs, images, clusters, node groups and databases, in this order. 0: unknown." nullable:"false"`
	DefaultRegion string `json:"defaultRegion,omitempty" doc:"Region to ask for what is the same in all of them, such as their list."`
	DefaultZone   string `json:"defaultZone,omitempty" doc:"A zone of that region."`
	Zoneless      bool   `json:"zoneless,omitempty" doc:"Whether connections need no zone."`
}

// Disks are the types of disks with their sizes. A type can have other sizes for each
// of its grades, or none that is known.
type Disks struct {
	Types []string    `json:"types,omitempty" doc:"Types, in the order in which clients count them: the first is TYPE1 in CB-Spider." nullable:"false"`
	Sizes []SizeRange `json:"sizes,omitempty" doc:"Sizes of types, or of their grades." nullable:"false"`
}

// SizeRange is how large disks of a type can be.
type SizeRange struct {
	Type string `json:"type" doc:"The type, or a grade of it."`
	Min  int    `json:"min" doc:"Least size in GiB."`
	Max  int    `json:"max" doc:"Largest size in GiB."`
}

// Keys are what clients of CB-Spider call a field: they know two vocabularies.
type Keys struct {
	Spider string `json:"spider" doc:"CB-Spider's own name, such as ClientId."`
	Cloud  string `json:"cloud" doc:"The cloud's name in CB-Spider, such as aws_access_key_id."`
}

// AnswersTo reports whether a name means the field: its own, a key or an alias.
// Letters count alike in both cases.
func (f Field) AnswersTo(name string) bool {
	return name != "" && slices.ContainsFunc(append([]string{f.Name, f.Keys.Spider, f.Keys.Cloud}, f.Aliases...), func(own string) bool { return strings.EqualFold(own, name) })
}

// Named gives values that go by any of the fields' names the names of the fields. What
// no field is meant by is left out.
func (d *Description) Named(values map[string]string) Values {
	named := Values{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, f := range d.Credential {
			if values[name] != "" && f.AnswersTo(name) {
				named[f.Name] = values[name]
			}
		}
	}
	return named
}
