package spider

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ImageInfo is CB-Spider's image.
type ImageInfo struct {
	IId            IID
	Name           string
	OSArchitecture string
	OSPlatform     string
	OSDistribution string
	OSDiskType     string
	OSDiskSizeGB   string
	ImageStatus    string
	KeyValueList   []KeyValue `json:",omitempty"`
}

// VMSpecInfo is CB-Spider's type of machine.
type VMSpecInfo struct {
	Region     string
	Name       string
	VCpu       VCPUInfo
	MemSizeMiB string
	DiskSizeGB string
	Gpu        []GPUInfo `json:",omitempty"`
}

// VCPUInfo are its processors.
type VCPUInfo struct {
	Count    string
	ClockGHz string `json:",omitempty"`
}

// GPUInfo are its graphics processors.
type GPUInfo struct {
	Count          string
	Mfr            string `json:",omitempty"`
	Model          string `json:",omitempty"`
	MemSizeGB      string `json:",omitempty"`
	TotalMemSizeGB string `json:",omitempty"`
}

// RegionZoneInfo is CB-Spider's region.
type RegionZoneInfo struct {
	Name           string
	DisplayName    string
	CSPDisplayName string
	ZoneList       []ZoneInfo `json:",omitempty"`
}

// ZoneInfo is CB-Spider's zone.
type ZoneInfo struct{ Name, DisplayName, CSPDisplayName, Status string }

// PriceList is CB-Spider's list of prices.
type PriceList struct {
	Meta       struct{ Version, Description string }
	CloudName  string
	RegionName string
	PriceList  []Price
}

// Price is what one product costs.
type Price struct {
	ZoneName    string `json:",omitempty"`
	ProductInfo ProductInfo
	PriceInfo   PriceInfo
}

// ProductInfo is what is sold.
type ProductInfo struct {
	ProductId      string
	VMSpecName     string      `json:",omitempty"`
	VMSpecInfo     *VMSpecInfo `json:",omitempty"`
	Description    string      `json:",omitempty"`
	CSPProductInfo any
}

// PriceInfo is for how much.
type PriceInfo struct {
	OnDemand     OnDemand
	CSPPriceInfo any
}

// OnDemand is the price by use.
type OnDemand struct {
	PricingId   string
	Unit        string
	Currency    string
	Price       string
	Description string `json:",omitempty"`
}

// catalogOf reads a whole catalog of a connection.
func catalogOf[E any](r *request, connection string, of resource.CatalogOf[E], filters ...store.Filter) ([]E, error) {
	var all []E
	query := store.Query{Limit: pageSize, Filters: filters}
	for {
		items, next, err := r.server.Catalog.List(r.Context(), connection, of.Name, query)
		if err != nil {
			return nil, err
		}
		for _, raw := range items {
			all = append(all, read[E](raw))
		}
		if next == "" {
			return all, nil
		}
		query.Token = next
	}
}

// catalogued are the routes of one catalog.
type catalogued[E, Info any] struct {
	of       resource.CatalogOf[E]
	envelope string
	title    string
	convert  func(region string, e E) Info
	matches  func(e E, name string) bool
}

func (c catalogued[E, Info]) all(r *request) ([]E, string, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, "", err
	}
	_, region, err := r.place(connection)
	if err != nil {
		return nil, "", err
	}
	entries, err := catalogOf(r, connection, c.of)
	return entries, region, err
}

func (c catalogued[E, Info]) list(r *request) (any, error) {
	entries, region, err := c.all(r)
	infos := make([]Info, len(entries))
	for i, e := range entries {
		infos[i] = c.convert(region, e)
	}
	return map[string]any{c.envelope: infos}, err
}

func (c catalogued[E, Info]) find(r *request) (found E, region string, err error) {
	name, err := r.param("Name")
	if err != nil {
		return found, "", err
	}
	entries, region, err := c.all(r)
	if err != nil {
		return found, "", err
	}
	for _, e := range entries {
		if c.matches(e, name) {
			return e, region, nil
		}
	}
	return found, "", resource.Errorf(resource.CodeNotFound, "%s %s does not exist!!", shorten(name), c.title)
}

func (c catalogued[E, Info]) get(r *request) (any, error) {
	e, region, err := c.find(r)
	if err != nil {
		return nil, err
	}
	return c.convert(region, e), nil
}

func images() catalogued[resource.Image, ImageInfo] {
	return catalogued[resource.Image, ImageInfo]{
		of: resource.Images, envelope: "image", title: "image",
		matches: func(i resource.Image, name string) bool { return i.ID == name },
		convert: func(_ string, i resource.Image) ImageInfo {
			info := ImageInfo{
				IId: IID{i.ID, i.ID}, Name: i.Name, OSArchitecture: cmp.Or(i.Architecture, "NA"), OSPlatform: "Linux/UNIX",
				OSDistribution: strings.TrimSpace(i.OS + " " + i.OSVersion), OSDiskType: "NA", OSDiskSizeGB: cmp.Or(whole(i.DiskSizeGiB), "-1"), ImageStatus: "Available",
			}
			switch i.OS {
			case "windows":
				info.OSPlatform = "Windows"
			case "":
				info.OSPlatform, info.OSDistribution = "NA", cmp.Or(i.Description, i.Name)
			}
			return info
		},
	}
}

func specs() catalogued[resource.Spec, VMSpecInfo] {
	return catalogued[resource.Spec, VMSpecInfo]{
		of: resource.Specs, envelope: "vmspec", title: "VMSpec",
		matches: func(s resource.Spec, name string) bool { return s.Name == name },
		convert: specInfo,
	}
}

func specInfo(region string, s resource.Spec) VMSpecInfo {
	info := VMSpecInfo{
		Region: region, Name: s.Name, VCpu: VCPUInfo{Count: strconv.Itoa(s.VCPUs), ClockGHz: "-1"}, MemSizeMiB: strconv.Itoa(s.MemoryMiB),
		DiskSizeGB: cmp.Or(whole(s.DiskSizeGiB), "-1"),
	}
	if s.ClockGHz > 0 {
		info.VCpu.ClockGHz = decimal(s.ClockGHz)
	}
	if s.GPUs > 0 {
		maker, model, two := strings.Cut(s.GPUModel, " ")
		if !two {
			maker, model = "", s.GPUModel
		}
		info.Gpu = []GPUInfo{{
			Count: strconv.Itoa(s.GPUs), Mfr: maker, Model: model, MemSizeGB: whole(s.GPUMemoryMiB / 1024 / s.GPUs), TotalMemSizeGB: whole(s.GPUMemoryMiB / 1024),
		}}
	}
	return info
}

// regionZones answers the regions of a connection's cloud, with the zones of its own.
func regionZones(r *request, connection string) ([]RegionZoneInfo, error) {
	regions, err := catalogOf(r, connection, resource.Regions)
	if err != nil {
		return nil, err
	}
	zones, err := catalogOf(r, connection, resource.Zones)
	if err != nil && resource.CodeOf(err) != resource.CodeUnsupported {
		return nil, err
	}
	infos := []RegionZoneInfo{}
	for _, region := range regions {
		title := cmp.Or(region.Title, region.Name)
		info := RegionZoneInfo{Name: region.Name, DisplayName: title, CSPDisplayName: title}
		for _, zone := range zones {
			if zone.Region == region.Name {
				status := "Available"
				if !zone.Available {
					status = "Unavailable"
				}
				title := cmp.Or(zone.Title, zone.Name)
				info.ZoneList = append(info.ZoneList, ZoneInfo{zone.Name, title, title, status})
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// anyConnection answers a connection that uses a credential, for what is asked of a
// cloud before there is a connection.
func (r *request) anyConnection() (string, error) {
	credential, err := r.need("CredentialName")
	if err != nil {
		return "", err
	}
	if _, err := r.server.Registry.Credential(r.Context(), credential); err != nil {
		return "", unregistered(credential, err)
	}
	all, err := r.server.Registry.Connections(r.Context())
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.Credential == credential {
			return c.Name, nil
		}
	}
	return "", resource.Errorf(resource.CodeConflict, "no connection uses the credential %s yet; make one, in any region, and ask again", credential)
}

func (s *server) catalogRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	regions := func(in func(*request) (string, error), answer func(*request, []RegionZoneInfo) (any, error)) func(*request) (any, error) {
		return func(r *request) (any, error) {
			connection, err := in(r)
			if err != nil {
				return nil, err
			}
			infos, err := regionZones(r, connection)
			if err != nil {
				return nil, err
			}
			return answer(r, infos)
		}
	}
	all := func(_ *request, infos []RegionZoneInfo) (any, error) { return map[string]any{"regionzone": infos}, nil }
	one := func(r *request, infos []RegionZoneInfo) (any, error) {
		name, err := r.param("Name")
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			if info.Name == name {
				return info, nil
			}
		}
		return nil, resource.Errorf(resource.CodeNotFound, "%s Region does not exist!!", shorten(name))
	}
	org := func(_ *request, infos []RegionZoneInfo) (any, error) { return map[string]any{"RegionInfo": infos}, nil }
	zones := func(r *request, infos []RegionZoneInfo) (any, error) {
		connection, err := r.connection()
		if err != nil {
			return nil, err
		}
		_, region, err := r.place(connection)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			if info.Name == region {
				return map[string]any{"ZoneInfo": info}, nil
			}
		}
		return map[string]any{"ZoneInfo": nil}, nil
	}
	here := func(r *request) (string, error) { return r.connection() }
	before := func(r *request) (string, error) { return r.anyConnection() }
	i, sp := images(), specs()
	original := func(r *request) (any, error) {
		entries, _, err := sp.all(r)
		return map[string]any{"VMSpecInfo": list(entries)}, err
	}
	originalOne := func(r *request) (any, error) {
		e, _, err := sp.find(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"VMSpecInfo": e}, nil
	}
	return []route{
		{method: get, path: "/regionzone", needs: right{people.Read, resource.Regions.Name, connected}, handle: regions(here, all)},
		{method: get, path: "/regionzone/{Name}", needs: right{people.Read, resource.Regions.Name, connected}, handle: regions(here, one)},
		{method: get, path: "/orgregion", needs: right{people.Read, resource.Regions.Name, connected}, handle: regions(here, org)},
		{method: get, path: "/orgzone", needs: right{people.Read, resource.Regions.Name, connected}, handle: regions(here, zones)},
		{method: get, path: "/preconfig/regionzone", needs: right{people.Read, people.Credential, everywhere}, handle: regions(before, all)},
		{method: get, path: "/preconfig/regionzone/{Name}", needs: right{people.Read, people.Credential, everywhere}, handle: regions(before, one)},
		{method: get, path: "/preconfig/orgregion", needs: right{people.Read, people.Credential, everywhere}, handle: regions(before, org)},
		{method: get, path: "/vmimage", needs: right{people.Read, resource.Images.Name, connected}, handle: i.list},
		{method: get, path: "/vmimage/{Name}", needs: right{people.Read, resource.Images.Name, connected}, handle: i.get},
		{method: get, path: "/vmspec", needs: right{people.Read, resource.Specs.Name, connected}, handle: sp.list},
		{method: get, path: "/vmspec/{Name}", needs: right{people.Read, resource.Specs.Name, connected}, handle: sp.get},
		{method: get, path: "/vmorgspec", needs: right{people.Read, resource.Specs.Name, connected}, handle: original},
		{method: get, path: "/vmorgspec/{Name}", needs: right{people.Read, resource.Specs.Name, connected}, handle: originalOne},
		{method: get, path: "/priceinfo/vm/{Region}", needs: right{people.Read, resource.Prices.Name, connected}, handle: prices},
		{method: post, path: "/priceinfo/vm/{Region}", needs: right{people.Read, resource.Prices.Name, connected}, handle: prices},
		{method: get, path: "/productfamily/{Region}", needs: right{people.Read, resource.Prices.Name, connected}, handle: productFamilies},
		{method: get, path: "/quotaservicetype", needs: right{people.Read, resource.Quotas.Name, connected}, handle: quotaServices},
		{method: post, path: "/quotaservicetype", needs: right{people.Read, resource.Quotas.Name, connected}, handle: quotaServices},
		{method: get, path: "/quotainfo", needs: right{people.Read, resource.Quotas.Name, connected}, handle: quotas},
		{method: post, path: "/quotainfo", needs: right{people.Read, resource.Quotas.Name, connected}, handle: quotas},
	}
}

// priced is the connection whose prices are asked for, with its cloud and region: that
// of the path.
func (r *request) priced() (connection, cloud, region string, err error) {
	if connection, err = r.connection(); err != nil {
		return "", "", "", err
	}
	if cloud, region, err = r.place(connection); err != nil {
		return "", "", "", err
	}
	asked, err := r.param("Region")
	if err == nil && asked != region {
		err = invalid("Region", "the connection %s reaches the region %s, not %s; use a connection of that region", connection, region, shorten(asked))
	}
	return connection, cloud, region, err
}

// prices answers what VMs cost by use. With simple they have the name of the machine
// type alone, which is much less.
func prices(r *request) (any, error) {
	connection, cloud, region, err := r.priced()
	if err != nil {
		return nil, err
	}
	found, err := catalogOf(r, connection, resource.Prices,
		store.Filter{Field: "product", Op: store.FilterEqual, Value: "vm"}, store.Filter{Field: "contract", Op: store.FilterEqual, Value: "onDemand"})
	if err != nil {
		return nil, err
	}
	_, simple := r.query["simple"]
	byName := map[string]resource.Spec{}
	if !simple {
		all, err := catalogOf(r, connection, resource.Specs)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			byName[s.Name] = s
		}
	}
	answer := PriceList{CloudName: cloud, RegionName: region, PriceList: []Price{}}
	answer.Meta.Version, answer.Meta.Description = "0.5", "Multi-Cloud Price Info"
	for _, p := range found {
		price := Price{ZoneName: cmp.Or(p.Zone, "NA"), ProductInfo: ProductInfo{ProductId: p.ID, VMSpecName: p.Spec, Description: p.OS}}
		price.PriceInfo.OnDemand = OnDemand{PricingId: p.ID, Unit: capital(p.Unit), Currency: p.Currency, Price: p.Amount, Description: p.Doc}
		if spec, ok := byName[p.Spec]; ok {
			info := specInfo(region, spec)
			price.ProductInfo.VMSpecInfo, price.ProductInfo.VMSpecName = &info, ""
		}
		if !simple {
			price.ProductInfo.CSPProductInfo, price.PriceInfo.CSPPriceInfo = p, p
		}
		answer.PriceList = append(answer.PriceList, price)
	}
	return answer, nil
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// productFamilies answers what has prices.
func productFamilies(r *request) (any, error) {
	connection, _, _, err := r.priced()
	if err != nil {
		return nil, err
	}
	found, err := catalogOf(r, connection, resource.Prices)
	if err != nil {
		return nil, err
	}
	families := []string{}
	seen := map[string]bool{}
	for _, p := range found {
		if !seen[p.Product] {
			seen[p.Product] = true
			families = append(families, p.Product)
		}
	}
	return map[string]any{"productfamily": families}, nil
}

func quotaServices(r *request) (any, error) {
	all, err := allQuotas(r)
	if err != nil {
		return nil, err
	}
	services := []string{}
	seen := map[string]bool{}
	for _, q := range all {
		if !seen[q.Service] {
			seen[q.Service] = true
			services = append(services, q.Service)
		}
	}
	return map[string]any{"ServiceTypes": services}, nil
}

// allQuotas answers them with their services, by which they are asked for: where the
// cloud names none that is the cloud itself.
func allQuotas(r *request) ([]resource.Quota, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	cloud, _, err := r.place(connection)
	if err != nil {
		return nil, err
	}
	all, err := catalogOf(r, connection, resource.Quotas)
	for i := range all {
		all[i].Service = cmp.Or(all[i].Service, cloudOf(cloud))
	}
	return all, err
}

// QuotaInfo is how much of a service an account may have.
type QuotaInfo struct {
	CSP    string
	Region string
	Quotas []Quota
}

// Quota is one limit.
type Quota struct {
	QuotaName, Limit, Used, Available, Unit string
	Description                             string `json:",omitempty"`
}

func quotas(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	service, err := r.text("ServiceType")
	if err != nil {
		return nil, err
	}
	if service == "" {
		return nil, &resource.Error{Code: resource.CodeInvalid, Message: "serviceType is empty!"}
	}
	cloud, region, err := r.place(connection)
	if err != nil {
		return nil, err
	}
	all, err := allQuotas(r)
	if err != nil {
		return nil, err
	}
	info := QuotaInfo{CSP: cloud, Region: region, Quotas: []Quota{}}
	for _, q := range all {
		if q.Service != service {
			continue
		}
		quota := Quota{QuotaName: q.Name, Limit: decimal(q.Limit), Used: "NA", Available: "NA", Unit: q.Unit, Description: q.ID}
		if q.Used != nil {
			quota.Used, quota.Available = decimal(*q.Used), decimal(q.Limit-*q.Used)
		}
		info.Quotas = append(info.Quotas, quota)
	}
	return info, nil
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
