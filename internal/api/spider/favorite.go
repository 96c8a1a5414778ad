package spider

import (
	"cmp"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/engine"
)

// VMFavoriteInfo is an image and a spec that somebody wants to find again.
type VMFavoriteInfo struct {
	CSP, Region, Zone, ImageName, SpecName                          string
	OSArch, OsPlatform, OsDistribution, CPUInfo, GPUInfo, PriceInfo string
	CreatedAt                                                       string
}

// typeFavorite is their type of registrations.
const typeFavorite = "favorite"

func (s *server) favoriteRoutes() []route {
	const one = "/vm/imagespecfavorite"
	return []route{
		{method: http.MethodGet, path: one, handle: listFavorites},
		{method: http.MethodPost, path: one, handle: addFavorite},
		{method: http.MethodPost, path: one + "/bulk", handle: addFavorites},
		{method: http.MethodDelete, path: one, handle: removeFavorite},
	}
}

// key is what there is one favourite of.
func (f *VMFavoriteInfo) key() string {
	raw, _ := json.Marshal([]string{f.CSP, f.Region, f.Zone, f.ImageName, f.SpecName}) // texts always encode
	return string(raw)
}

// missing is the first field that must be there and is not.
func (f *VMFavoriteInfo) missing() error {
	for _, field := range [][2]string{{"CSP", f.CSP}, {"Region", f.Region}, {"ImageName", f.ImageName}, {"SpecName", f.SpecName}} {
		if field[1] == "" {
			return invalid(field[0], "is empty!")
		}
	}
	return nil
}

// favorite reads one from the body or the query.
func (r *request) favorite() (*VMFavoriteInfo, error) {
	f := &VMFavoriteInfo{}
	fields := reflect.ValueOf(f).Elem()
	for i := range fields.NumField() {
		text, err := r.text(fields.Type().Field(i).Name)
		if err != nil {
			return nil, err
		}
		fields.Field(i).SetString(text)
	}
	f.CSP = provider(f.CSP)
	return f, f.missing()
}

// keepFavorite records one, unless it is there.
func (r *request) keepFavorite(f *VMFavoriteInfo, there map[string]bool) (kept bool, err error) {
	if there[f.key()] {
		return false, nil
	}
	f.CreatedAt = cmp.Or(f.CreatedAt, time.Now().UTC().Format(time.RFC3339))
	raw, err := json.Marshal(f)
	if err != nil {
		return false, err
	}
	there[f.key()] = true
	return true, r.server.Engine.Register(r.Context(), engine.Registration{Type: typeFavorite, Name: f.key(), Cloud: cloudOf(f.CSP), Value: raw})
}

func (r *request) favorites() (all []VMFavoriteInfo, there map[string]bool, err error) {
	rows, err := r.server.Engine.Registrations(r.Context(), typeFavorite, "")
	all, there = []VMFavoriteInfo{}, map[string]bool{}
	for _, row := range rows {
		f := read[VMFavoriteInfo](row.Value)
		all, there[row.Name] = append(all, f), true
	}
	return all, there, err
}

// listFavorites answers those that are asked for, the newest first unless it is said how
// they are to be sorted.
func listFavorites(r *request) (any, error) {
	all, _, err := r.favorites()
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	for _, name := range []string{"CSP", "Region", "Zone", "SortBy", "SortOrder"} {
		if given[name], err = r.text(name); err != nil {
			return nil, err
		}
	}
	all = slices.DeleteFunc(all, func(f VMFavoriteInfo) bool {
		other := func(wanted, is string) bool { return wanted != "" && !strings.EqualFold(wanted, is) }
		return other(given["CSP"], f.CSP) || other(given["Region"], f.Region) || other(given["Zone"], f.Zone)
	})
	by, known := reflect.TypeFor[VMFavoriteInfo]().FieldByNameFunc(func(name string) bool {
		return strings.EqualFold(name, strings.ReplaceAll(cmp.Or(given["SortBy"], "CreatedAt"), "_", ""))
	})
	if !known {
		return nil, invalid("SortBy", "%q is not a field of a favorite, such as CreatedAt or ImageName", shorten(given["SortBy"]))
	}
	slices.SortStableFunc(all, func(a, b VMFavoriteInfo) int {
		order := strings.Compare(reflect.ValueOf(a).FieldByIndex(by.Index).String(), reflect.ValueOf(b).FieldByIndex(by.Index).String())
		if !strings.EqualFold(given["SortOrder"], "asc") {
			return -order
		}
		return order
	})
	return all, nil
}

func addFavorite(r *request) (any, error) {
	f, err := r.favorite()
	if err != nil {
		return nil, err
	}
	_, there, err := r.favorites()
	if err == nil {
		_, err = r.keepFavorite(f, there)
	}
	return map[string]string{"message": "Successfully added to favorites"}, err
}

// addFavorites takes over a list. What is there already is passed over.
func addFavorites(r *request) (any, error) {
	var records []VMFavoriteInfo
	if err := decode(r.top["records"], &records, "records"); err != nil {
		return nil, err
	}
	for i := range records {
		records[i].CSP = provider(records[i].CSP)
		if err := records[i].missing(); err != nil {
			return nil, err
		}
	}
	_, there, err := r.favorites()
	if err != nil {
		return nil, err
	}
	inserted := 0
	for i := range records {
		kept, err := r.keepFavorite(&records[i], there)
		if err != nil {
			return nil, err
		}
		if kept {
			inserted++
		}
	}
	return map[string]int{"inserted": inserted, "skipped": len(records) - inserted, "total": len(records)}, nil
}

func removeFavorite(r *request) (any, error) {
	f, err := r.favorite()
	if err != nil {
		return nil, err
	}
	return map[string]string{"message": "Successfully removed from favorites"}, r.server.Engine.Unregister(r.Context(), typeFavorite, f.key())
}
