package spider

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// described describes a cloud: as its driver does or, where none is installed, as
// CB-Spider does.
func (r *request) described(cloud string) (*driver.Description, error) {
	d, err := r.server.Registry.Driver(r.Context(), cloud)
	if resource.CodeOf(err) == resource.CodeNotFound {
		if known := spiderCloud(cloud); known != nil {
			return known, nil
		}
	}
	return d, err
}

// spiderCloud describes a cloud as CB-Spider does, nil if it does not know it.
func spiderCloud(name string) *driver.Description {
	for _, about := range spiderClouds() {
		if about.Name == name {
			return &driver.Description{About: about}
		}
	}
	return nil
}

// listClouds answers the clouds that can be registered.
func listClouds(r *request) (any, error) {
	var names []string
	for _, d := range r.server.Registry.Drivers(r.Context()) {
		names = append(names, provider(d.Name))
	}
	for _, about := range spiderClouds() {
		names = append(names, provider(about.Name))
	}
	slices.Sort(names)
	return map[string]any{"cloudos": slices.Compact(names)}, nil
}

// CloudInfo is what a client must know to register a cloud.
type CloudInfo struct {
	Region, Credential, CredentialCSP, RootDiskType, RootDiskSize, DiskType, DiskSize, IdMaxLength, DefaultRegionToQuery []string
}

// getCloud answers it. An unknown cloud has none.
func getCloud(r *request) (any, error) {
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	d, err := r.described(cloudOf(name))
	if resource.CodeOf(err) == resource.CodeNotFound {
		return CloudInfo{}, nil
	}
	if err != nil {
		return nil, err
	}
	return cloudInfo(d), nil
}

func cloudInfo(d *driver.Description) CloudInfo {
	facts := d.Facts
	info := CloudInfo{
		Region: []string{"Region"}, RootDiskType: filled(facts.RootDisks.Types), RootDiskSize: filled(diskSizes(facts.RootDisks)),
		DiskType: filled(facts.Disks.Types), DiskSize: filled(diskSizes(facts.Disks)), DefaultRegionToQuery: []string{facts.DefaultRegion},
	}
	if !facts.Zoneless {
		info.Region = append(info.Region, "Zone")
	}
	if facts.DefaultZone != "" {
		info.DefaultRegionToQuery = append(info.DefaultRegionToQuery, facts.DefaultZone)
	}
	keyed := slices.ContainsFunc(d.Credential, func(f driver.Field) bool { return f.Keys != driver.Keys{} })
	for _, f := range d.Credential {
		switch {
		case f.Keys != driver.Keys{}:
			info.Credential, info.CredentialCSP = append(info.Credential, f.Keys.Spider), append(info.CredentialCSP, f.Keys.Cloud)
		case !keyed: // of a cloud that CB-Spider does not know
			info.Credential, info.CredentialCSP = append(info.Credential, f.Name), append(info.CredentialCSP, f.Name)
		}
	}
	for _, length := range facts.NameLengths {
		info.IdMaxLength = append(info.IdMaxLength, strconv.Itoa(length))
	}
	info.IdMaxLength = filled(info.IdMaxLength)
	return info
}

// filled is a list as CB-Spider writes it: one that is empty has an empty text.
func filled(texts []string) []string {
	if len(texts) == 0 {
		return []string{""}
	}
	return texts
}

// rootDisk is the type of root disk that is asked for, "" where the choice is the
// cloud's. TYPE1, TYPE2, … count the cloud's types; beyond the last they mean the last.
func (t *translation) rootDisk(asked text) string {
	digits, numbered := strings.CutPrefix(strings.ToUpper(string(asked)), "TYPE")
	n, err := strconv.Atoi(digits)
	if !numbered || err != nil || n < 1 {
		return asked.chosen()
	}
	types, err := t.rootDisks()
	if err != nil || len(types) == 0 {
		t.err = cmp.Or(t.err, err)
		return ""
	}
	return types[min(n, len(types))-1]
}

// rootDisks are the cloud's types of root disks.
func (t *translation) rootDisks() ([]string, error) {
	c, err := t.server.Registry.KnownConnection(t.Context(), t.connection)
	if err != nil {
		return nil, err
	}
	d, err := t.described(c.Cloud)
	if err != nil {
		return nil, err
	}
	return d.Facts.RootDisks.Types, nil
}

func diskSizes(disks driver.Disks) []string {
	var sizes []string
	for _, s := range disks.Sizes {
		sizes = append(sizes, fmt.Sprintf("%s|%d|%d|GB", s.Type, s.Min, s.Max))
	}
	return sizes
}

// cloudsJSON are the clouds of CB-Spider as it describes them, for where their drivers are
// not installed or still to come.
// https://github.com/cloud-barista/cb-spider/blob/master/cloud-driver-libs/cloudos_meta.yaml
//
//go:embed clouds.json
var cloudsJSON []byte

// spiderClouds describes them. A driver's description takes the place of a cloud's.
func spiderClouds() []driver.About {
	type cloud struct {
		Name  string
		Keys  [][2]string // of a credential: CB-Spider's and the cloud's
		Facts driver.Facts
	}
	var all []driver.About
	for _, c := range read[[]cloud](cloudsJSON) {
		about := driver.About{Name: c.Name, Facts: c.Facts}
		for _, key := range c.Keys {
			about.Credential = append(about.Credential, driver.Field{
				Name: key[0], Title: key[0], Doc: "The cloud calls it " + key[1] + ".", Type: driver.TypeLines, Secret: true, Required: true,
				Keys: driver.Keys{Spider: key[0], Cloud: key[1]},
			})
		}
		all = append(all, about)
	}
	return all
}
