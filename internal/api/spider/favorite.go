package spider

import (
	"cmp"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/resource"
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
		{method: http.MethodGet, path: one, needs: right{people.Read, resource.VM.Name, somewhere}, handle: listFavorites},
		{method: http.MethodPost, path: one, needs: right{people.Create, resource.VM.Name, somewhere}, handle: addFavorite},
		{method: http.MethodPost, path: one + "/bulk", needs: right{people.Create, resource.VM.Name, somewhere}, handle: addFavorites},
		{method: http.MethodDelete, path: one, needs: right{people.Create, resource.VM.Name, somewhere}, handle: removeFavorite},
	}
}

// key is what there is one favourite of.
func (f *VMFavoriteInfo) key() string {
	raw, _ := json.Marshal([]string{f.CSP, f.Region, f.Zone, f.ImageName, f.SpecName}) // texts always encode
	return string(raw)
}

// maxChoiceText is how many characters a text of a favorite or a recent choice may have.
const maxChoiceText = 512

// wrongChoice refuses an image and a spec that do not say what they must, or anything
// that is no text.
func wrongChoice(choice any) error {
	fields := reflect.ValueOf(choice)
	for _, name := range []string{"CSP", "Region", "ImageName", "SpecName"} {
		if fields.FieldByName(name).String() == "" {
			return invalid(name, "is empty!")
		}
	}
	for i := range fields.NumField() {
		if f := fields.Field(i); f.Kind() == reflect.String && (!isText(f.String()) || utf8.RuneCountInString(f.String()) > maxChoiceText) {
			return invalid(fields.Type().Field(i).Name, "contains a control character, or has more than %d characters", maxChoiceText)
		}
	}
	return nil
}

// favorite reads one from the body or the query.
func (r *request) favorite() (*VMFavoriteInfo, error) {
	f := &VMFavoriteInfo{}
	var fields []string
	for field := range reflect.TypeFor[VMFavoriteInfo]().Fields() {
		fields = append(fields, field.Name)
	}
	if err := r.fill(f, fields...); err != nil {
		return nil, err
	}
	f.CSP = provider(f.CSP)
	return f, wrongChoice(*f)
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
	return true, r.server.Registry.Register(r.Context(), registry.Registration{Type: typeFavorite, Name: f.key(), Cloud: cloudOf(f.CSP), Value: raw})
}

func (r *request) favorites() (all []VMFavoriteInfo, there map[string]bool, err error) {
	rows, err := r.server.Registry.Registrations(r.Context(), typeFavorite, "")
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
	return narrowed(r, all, "CreatedAt")
}

// narrowed keeps what a request asks for of a list of favorites or recent choices, and
// sorts it: what is greatest in a field comes first, unless it says otherwise.
func narrowed[Info any](r *request, all []Info, field string) ([]Info, error) {
	given := map[string]string{}
	for _, name := range []string{"CSP", "Region", "Zone", "SortBy", "SortOrder"} {
		var err error
		if given[name], err = r.text(name); err != nil {
			return nil, err
		}
	}
	all = slices.DeleteFunc(all, func(one Info) bool {
		return slices.ContainsFunc([]string{"CSP", "Region", "Zone"}, func(name string) bool {
			return given[name] != "" && !strings.EqualFold(given[name], reflect.ValueOf(one).FieldByName(name).String())
		})
	})
	by, known := reflect.TypeFor[Info]().FieldByNameFunc(func(name string) bool {
		return strings.EqualFold(name, strings.ReplaceAll(cmp.Or(given["SortBy"], field), "_", ""))
	})
	if !known {
		return nil, invalid("SortBy", "%q is not a field of what is listed, such as %s or ImageName", shorten(given["SortBy"]), field)
	}
	slices.SortStableFunc(all, func(a, b Info) int {
		order := compareValues(reflect.ValueOf(a).FieldByIndex(by.Index), reflect.ValueOf(b).FieldByIndex(by.Index))
		if !strings.EqualFold(given["SortOrder"], "asc") {
			return -order
		}
		return order
	})
	return all, nil
}

// compareValues compares two fields of one type: texts or numbers.
func compareValues(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	}
	return strings.Compare(a.String(), b.String())
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
		if err := wrongChoice(records[i]); err != nil {
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
	return map[string]string{"message": "Successfully removed from favorites"}, r.server.Registry.Unregister(r.Context(), typeFavorite, f.key())
}
