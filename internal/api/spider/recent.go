package spider

import (
	"cmp"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// VMRecentInfo is an image and a spec that VMs were created with.
type VMRecentInfo struct {
	CSP, Region, Zone, ImageName, SpecName                          string
	OSArch, OsPlatform, OsDistribution, CPUInfo, GPUInfo, PriceInfo string
	AvgCreationTime                                                 float64 // seconds
	CreationCount                                                   int64
	LastCreatedAt                                                   string
}

func (s *server) recentRoutes() []route {
	const one = "/vm/imagespecrecent"
	return []route{
		{method: http.MethodGet, path: one, needs: right{people.Read, resource.VM.Name, everywhere}, handle: listRecents},
		{method: http.MethodPost, path: one + "/bulk", needs: right{people.Create, resource.VM.Name, everywhere}, handle: addRecents},
		{method: http.MethodDelete, path: one, needs: right{people.Delete, resource.VM.Name, everywhere}, handle: removeRecent},
	}
}

// recents answers what the engine has counted of VMs.
func (r *request) recents(filters ...store.Filter) ([]api.Recent, error) {
	var all []api.Recent
	query := store.Query{Limit: pageSize, Filters: filters}
	for {
		items, next, err := r.server.Inventory.Recent(r.Context(), resource.VM.Name, query)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if next == "" {
			return all, nil
		}
		query.Token = next
	}
}

func recentInfo(r api.Recent) VMRecentInfo {
	return VMRecentInfo{
		CSP: provider(r.Cloud), Region: r.Region, Zone: r.Zone, ImageName: cmp.Or(r.Choice["image"], r.Choice["customimage"]), SpecName: r.Choice["spec"],
		OSArch: r.Details["OSArch"], OsPlatform: r.Details["OsPlatform"], OsDistribution: r.Details["OsDistribution"],
		CPUInfo: r.Details["CPUInfo"], GPUInfo: r.Details["GPUInfo"], PriceInfo: r.Details["PriceInfo"],
		AvgCreationTime: r.AverageSeconds, CreationCount: int64(r.Count), LastCreatedAt: r.LastAt.UTC().Format(time.RFC3339),
	}
}

// fewRecents is how many are answered unless it is said otherwise.
const fewRecents = 10

// listRecents answers those that are asked for, the latest first unless it is said how
// they are to be sorted.
func listRecents(r *request) (any, error) {
	given, err := r.text("Limit")
	if err != nil {
		return nil, err
	}
	limit, err := strconv.Atoi(cmp.Or(given, strconv.Itoa(fewRecents)))
	if err != nil || limit < 1 {
		return nil, invalid("Limit", "%q is not a number from 1", shorten(given))
	}
	var filters []store.Filter
	at, err := r.text("ConnectionName")
	if err != nil {
		return nil, err
	}
	if at != "" {
		if at, err = r.connection(); err != nil {
			return nil, err
		}
		c, err := r.server.Registry.KnownConnection(r.Context(), at)
		if err != nil {
			return nil, err
		}
		for field, value := range map[string]string{"cloud": c.Cloud, "region": c.Region, "zone": c.Zone} {
			filters = append(filters, store.Filter{Field: field, Op: store.FilterEqual, Value: value})
		}
	}
	found, err := r.recents(filters...)
	if err != nil {
		return nil, err
	}
	all := make([]VMRecentInfo, len(found))
	for i, one := range found {
		all[i] = recentInfo(one)
	}
	if all, err = narrowed(r, all, "LastCreatedAt"); err != nil {
		return nil, err
	}
	all = all[:min(limit, len(all))]
	return all, r.describe(all)
}

// describe adds what the catalogs say of images and specs, where one of the connections
// leads to them. What cannot be asked stays empty.
func (r *request) describe(all []VMRecentInfo) error {
	connections, err := r.server.Registry.Connections(r.Context())
	if err != nil {
		return err
	}
	places := map[[2]string]string{}
	for _, c := range connections {
		places[[2]string{provider(c.Cloud), c.Region}] = c.Name
	}
	for i := range all {
		one := &all[i]
		at := places[[2]string{one.CSP, one.Region}]
		if at == "" {
			continue
		}
		if one.OSArch == "" {
			if found, err := catalogOf(r, at, resource.Images, store.Filter{Field: "id", Op: store.FilterEqual, Value: one.ImageName}); err == nil && len(found) > 0 {
				info := images().convert(one.Region, found[0])
				one.OSArch, one.OsPlatform, one.OsDistribution = info.OSArchitecture, info.OSPlatform, info.OSDistribution
			}
		}
		if one.CPUInfo == "" {
			if found, err := catalogOf(r, at, resource.Specs, store.Filter{Field: "name", Op: store.FilterEqual, Value: one.SpecName}); err == nil && len(found) > 0 {
				one.CPUInfo = fmt.Sprintf("%d/%s GiB", found[0].VCPUs, decimal(float64(found[0].MemoryMiB)/1024))
				if found[0].GPUs > 0 {
					one.GPUInfo = fmt.Sprintf("%d/%s GB", found[0].GPUs, decimal(float64(found[0].GPUMemoryMiB)/1024))
				}
			}
		}
	}
	return nil
}

// The most that an imported record can say.
const (
	maxRecentCount   = 1_000_000
	maxRecentSeconds = 30 * 24 * 60 * 60
)

// recent is the record as the engine keeps it.
func (i VMRecentInfo) recent() (api.Recent, error) {
	recent := api.Recent{
		Kind: resource.VM.Name, Cloud: cloudOf(i.CSP), Region: i.Region, Zone: i.Zone, Choice: map[string]string{"image": i.ImageName, "spec": i.SpecName},
		Count: int(cmp.Or(i.CreationCount, 1)), AverageSeconds: i.AvgCreationTime, LastAt: time.Now(), Details: map[string]string{},
	}
	for name, value := range map[string]string{
		"OSArch": i.OSArch, "OsPlatform": i.OsPlatform, "OsDistribution": i.OsDistribution, "CPUInfo": i.CPUInfo, "GPUInfo": i.GPUInfo, "PriceInfo": i.PriceInfo,
	} {
		if value != "" {
			recent.Details[name] = value
		}
	}
	if i.CreationCount < 0 || i.CreationCount > maxRecentCount {
		return recent, invalid("CreationCount", "%d is not a number from 0 to %d", i.CreationCount, maxRecentCount)
	}
	if i.AvgCreationTime < 0 || i.AvgCreationTime > maxRecentSeconds {
		return recent, invalid("AvgCreationTime", "%g is not a number of seconds from 0 to %d", i.AvgCreationTime, maxRecentSeconds)
	}
	if i.LastCreatedAt != "" {
		var err error
		if recent.LastAt, err = time.Parse(time.RFC3339, i.LastCreatedAt); err != nil {
			return recent, invalid("LastCreatedAt", "%q is not a time such as 2026-01-31T12:00:00Z", shorten(i.LastCreatedAt))
		}
	}
	return recent, wrongChoice(i)
}

// addRecents takes over a list. What is there already is passed over.
func addRecents(r *request) (any, error) {
	var records []VMRecentInfo
	if err := decode(r.top["records"], &records, "records"); err != nil {
		return nil, err
	}
	list := make([]api.Recent, len(records))
	for i, record := range records {
		var err error
		if list[i], err = record.recent(); err != nil {
			return nil, err
		}
	}
	inserted, err := r.server.Inventory.ImportRecent(r.Context(), list)
	return map[string]int{"inserted": inserted, "skipped": len(records) - inserted, "total": len(records)}, err
}

// removeRecent forgets one; one that is not there is no error.
func removeRecent(r *request) (any, error) {
	wanted := VMRecentInfo{}
	if err := r.fill(&wanted, "CSP", "Region", "Zone", "ImageName", "SpecName"); err != nil {
		return nil, err
	}
	if err := wrongChoice(wanted); err != nil {
		return nil, err
	}
	found, err := r.recents()
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		info := recentInfo(one)
		if strings.EqualFold(info.CSP, wanted.CSP) && info.Region == wanted.Region && info.Zone == wanted.Zone && info.ImageName == wanted.ImageName && info.SpecName == wanted.SpecName {
			if err := r.server.Inventory.ForgetRecent(r.Context(), resource.VM.Name, one.ID); err != nil && resource.CodeOf(err) != resource.CodeNotFound {
				return nil, err
			}
		}
	}
	return map[string]string{"message": "Successfully removed from recent records"}, nil
}

// fill reads fields of a struct, all of them texts, from the body or the query.
func (r *request) fill(into any, fields ...string) error {
	for _, name := range fields {
		text, err := r.text(name)
		if err != nil {
			return err
		}
		reflect.ValueOf(into).Elem().FieldByName(name).SetString(text)
	}
	return nil
}
