package spider

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Clients of CB-Spider register drivers and regions by names of their own, and make
// connections from them. A provider is a cloud's name in capitals.

// DriverInfo is a driver as it was registered. Which one is used follows from the
// cloud; the file is only shown again.
type DriverInfo struct{ DriverName, ProviderName, DriverLibFileName string }

// RegistrationRegion is a region, perhaps with a zone, under a name.
type RegistrationRegion struct {
	RegionName        string
	ProviderName      string
	KeyValueInfoList  []KeyValue
	AvailableZoneList []string
}

// CredentialInfo is a credential, whose values are hidden.
type CredentialInfo struct {
	CredentialName   string
	ProviderName     string
	KeyValueInfoList []KeyValue
}

// ConnectionInfo is a connection with what it was made from.
type ConnectionInfo struct{ ConfigName, ProviderName, DriverName, CredentialName, RegionName string }

// The types of registrations.
const (
	typeDriver     = "driver"
	typeRegion     = "region"
	typeConnection = "connection"
)

// registered are the routes of what is kept as it was registered.
type registered[T any] struct {
	typ      string // of registrations, and in paths and envelopes
	name     string // field with the name
	complete func(T) T
	usedAs   func(ConnectionInfo) string // its name in what a connection was made from
}

func provider(cloud string) string { return strings.ToUpper(cloud) }
func cloudOf(name string) string   { return strings.ToLower(name) }

// registration reads name and provider of what is to be registered.
func (r *request) registration(field string) (name, cloud string, err error) {
	if name, err = r.need(field); err != nil {
		return "", "", err
	}
	if wrong := resource.CheckFacadeName(name); wrong != "" {
		return "", "", invalid(field, "%s", wrong)
	}
	cloud, err = r.need("ProviderName")
	if err == nil && !nameable(cloud) {
		err = invalid("ProviderName", "%q is not the name of a cloud", shorten(cloud))
	}
	return name, cloudOf(cloud), err
}

// named is registration for what has its name under /v1, too.
func (r *request) named(field string) (name, cloud string, err error) {
	if name, cloud, err = r.registration(field); err == nil && !nameable(name) {
		err = invalid(field, "%q is not 1 to 128 letters, digits, dots, underscores and hyphens that start with a letter or digit", shorten(name))
	}
	return name, cloud, err
}

// nameable reports whether a resource could have the name.
func nameable(name string) bool {
	return len(name) <= 128 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" &&
		name != "" && !strings.ContainsRune("._-", rune(name[0]))
}

func (g registered[T]) register(r *request) (any, error) {
	name, cloud, err := r.registration(g.name)
	if err != nil {
		return nil, err
	}
	var value T
	if err := decode(r.body, &value, "body"); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if err := r.server.Registry.Register(r.Context(), registry.Registration{Type: g.typ, Name: name, Cloud: cloud, Value: raw}); err != nil {
		return nil, err
	}
	return g.complete(value), nil
}

func (g registered[T]) list(r *request) (any, error) {
	cloud, err := r.provider()
	if err != nil {
		return nil, err
	}
	all, err := r.server.Registry.Registrations(r.Context(), g.typ, cloud)
	if err != nil {
		return nil, err
	}
	values := make([]T, len(all))
	for i, one := range all {
		values[i] = g.complete(read[T](one.Value))
	}
	return map[string]any{g.typ: values}, nil
}

// provider reads which cloud a list is to be of.
func (r *request) provider() (cloud string, err error) {
	name, err := r.text("ProviderName")
	if err == nil && name == "" {
		name, err = r.text("provider")
	}
	return cloudOf(name), err
}

func (g registered[T]) get(r *request) (any, error) {
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	one, err := r.server.Registry.Registration(r.Context(), g.typ, name)
	if err != nil {
		return nil, unregistered(name, err)
	}
	return g.complete(read[T](one.Value)), nil
}

// unregistered gives a missing registration CB-Spider's words.
func unregistered(name string, err error) error {
	if resource.CodeOf(err) == resource.CodeNotFound {
		return resource.Errorf(resource.CodeNotFound, "%s: does not exist!", name)
	}
	return err
}

func (g registered[T]) unregister(r *request) (any, error) {
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	made, err := r.madeConnections()
	if err != nil {
		return nil, err
	}
	all, err := r.server.Registry.Connections(r.Context())
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if info, ok := made[c.Name]; ok && g.usedAs(info) == name {
			return nil, resource.Errorf(resource.CodeConflict, "the %s %s is in use by the connection %s; delete that first", g.typ, name, c.Name)
		}
	}
	return done(), r.server.Registry.Unregister(r.Context(), g.typ, name)
}

func (g registered[T]) routes() []route {
	return []route{
		{method: http.MethodPost, path: "/" + g.typ, needs: right{people.Create, people.Connection, everywhere}, handle: g.register},
		{method: http.MethodGet, path: "/" + g.typ, needs: right{people.Read, people.Connection, somewhere}, handle: g.list},
		{method: http.MethodGet, path: "/" + g.typ + "/{Name}", needs: right{people.Read, people.Connection, somewhere}, handle: g.get},
		{method: http.MethodDelete, path: "/" + g.typ + "/{Name}", needs: right{people.Delete, people.Connection, everywhere}, handle: g.unregister},
	}
}

func (s *server) registrationRoutes() []route {
	drivers := registered[DriverInfo]{typ: typeDriver, name: "DriverName", complete: func(d DriverInfo) DriverInfo { return d }, usedAs: func(c ConnectionInfo) string { return c.DriverName }}
	regions := registered[RegistrationRegion]{typ: typeRegion, name: "RegionName", complete: func(r RegistrationRegion) RegistrationRegion { return r }, usedAs: func(c ConnectionInfo) string { return c.RegionName }}
	return slices.Concat(drivers.routes(), regions.routes(), []route{
		{method: http.MethodPost, path: "/credential", needs: right{people.Create, people.Credential, everywhere}, handle: putCredential},
		{method: http.MethodGet, path: "/credential", needs: right{people.Read, people.Credential, everywhere}, handle: listCredentials},
		{method: http.MethodGet, path: "/credential/{Name}", needs: right{people.Read, people.Credential, everywhere}, handle: getCredential},
		{method: http.MethodDelete, path: "/credential/{Name}", needs: right{people.Delete, people.Credential, everywhere}, handle: forget(s.Registry.DeleteCredential)},
		{method: http.MethodPost, path: "/connectionconfig", needs: right{people.Create, people.Connection, everywhere}, handle: putConnection},
		{method: http.MethodGet, path: "/connectionconfig", needs: right{people.Read, people.Connection, somewhere}, handle: listConnections},
		{method: http.MethodGet, path: "/connectionconfig/{Name}", needs: right{people.Read, people.Connection, itself}, handle: getConnection},
		{method: http.MethodDelete, path: "/connectionconfig/{Name}", needs: right{people.Delete, people.Connection, itself}, handle: deleteConnection},
		{method: http.MethodGet, path: "/countconnectionconfig", needs: right{people.Read, people.Connection, somewhere}, handle: countConnections},
		{method: http.MethodGet, path: "/countconnectionconfig/{ProviderName}", needs: right{people.Read, people.Connection, somewhere}, handle: countConnections},
		{method: http.MethodGet, path: "/cloudos", needs: right{people.Read, people.Driver, somewhere}, handle: listClouds},
		{method: http.MethodGet, path: "/cloudos/metainfo/{Name}", needs: right{people.Read, people.Driver, somewhere}, handle: getCloud},
		{method: http.MethodGet, path: "/driver/capability", needs: right{people.Read, people.Connection, connected}, handle: getCapability},
		{method: http.MethodPost, path: "/driver/upload", refused: "a library of CB-Spider is no driver here: drivers are programs in signed packages; install one with: mcic driver install NAME"},
	})
}

// putCredential seals a credential. Its values are named as CB-Spider or the cloud
// names them; what no field of the cloud is meant by is passed over.
func putCredential(r *request) (any, error) {
	if err := r.may(people.Update, people.Credential, ""); err != nil { // one that is there gets new values
		return nil, err
	}
	name, cloud, err := r.named("CredentialName")
	if err != nil {
		return nil, err
	}
	var req struct{ KeyValueInfoList KeyValues }
	if err := decode(r.body, &req, "body"); err != nil {
		return nil, err
	}
	d, err := r.described(cloud)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, invalid("ProviderName", "%v", err)
	}
	if err != nil {
		return nil, err
	}
	values := d.Named(req.KeyValueInfoList.labels())
	credential, err := r.server.Registry.PutCredential(r.Context(), d, api.CredentialRequest{Name: name, Cloud: cloud, Values: values})
	if err != nil {
		return nil, credentialKind(d).rename(err)
	}
	return credentialInfo(credential, d), nil
}

// credentialKind names the fields of a credential.
func credentialKind(d *driver.Description) *kind {
	k := &kind{fields: map[string]string{"values": "KeyValueInfoList"}}
	for _, f := range d.Credential {
		k.fields[f.Name] = spiderKey(d, f.Name)
	}
	return k
}

// spiderKey is what CB-Spider calls a field that is known by one of its names.
func spiderKey(d *driver.Description, name string) string {
	for _, f := range d.Credential {
		if f.AnswersTo(name) {
			return cmp.Or(f.Keys.Spider, f.Name)
		}
	}
	return name
}

func credentialInfo(c *api.Credential, d *driver.Description) CredentialInfo {
	info := CredentialInfo{CredentialName: c.Name, ProviderName: provider(c.Cloud), KeyValueInfoList: []KeyValue{}}
	for _, name := range c.Fields {
		if d != nil {
			name = spiderKey(d, name)
		}
		info.KeyValueInfoList = append(info.KeyValueInfoList, KeyValue{name, hidden})
	}
	return info
}

// shown describes a cloud for what can be shown without it.
func (r *request) shown(cloud string) *driver.Description {
	d, err := r.described(cloud)
	if err != nil {
		return nil
	}
	return d
}

func listCredentials(r *request) (any, error) {
	cloud, err := r.provider()
	if err != nil {
		return nil, err
	}
	all, err := r.server.Registry.Credentials(r.Context())
	if err != nil {
		return nil, err
	}
	infos := []CredentialInfo{}
	for i := range all {
		if cloud == "" || all[i].Cloud == cloud {
			infos = append(infos, credentialInfo(&all[i], r.shown(all[i].Cloud)))
		}
	}
	return map[string]any{"credential": infos}, nil
}

func getCredential(r *request) (any, error) {
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	c, err := r.server.Registry.Credential(r.Context(), name)
	if err != nil {
		return nil, unregistered(name, err)
	}
	return credentialInfo(c, r.shown(c.Cloud)), nil
}

// putConnection makes a connection from what was registered.
func putConnection(r *request) (any, error) {
	if err := r.may(people.Update, people.Connection, ""); err != nil { // one that is there is changed
		return nil, err
	}
	name, cloud, err := r.named("ConfigName")
	if err != nil {
		return nil, err
	}
	info := ConnectionInfo{ConfigName: name, ProviderName: provider(cloud)}
	for field, value := range map[string]*string{"DriverName": &info.DriverName, "CredentialName": &info.CredentialName, "RegionName": &info.RegionName} {
		if *value, err = r.need(field); err != nil {
			return nil, err
		}
	}
	region, err := r.server.Registry.Registration(r.Context(), typeRegion, info.RegionName)
	if err != nil {
		return nil, unregistered(info.RegionName, err)
	}
	if _, err := r.server.Registry.Registration(r.Context(), typeDriver, info.DriverName); err != nil {
		return nil, unregistered(info.DriverName, err)
	}
	if _, err := r.server.Registry.Credential(r.Context(), info.CredentialName); err != nil {
		return nil, unregistered(info.CredentialName, err)
	}
	request := api.ConnectionRequest{Name: name, Cloud: cloud, Credential: info.CredentialName}
	for _, kv := range read[RegistrationRegion](region.Value).KeyValueInfoList {
		switch strings.ToLower(kv.Key) {
		case "region", "location":
			request.Region = kv.Value
		case "zone":
			request.Zone = kv.Value
		}
	}
	if _, err := r.server.Registry.PutConnection(r.Context(), request); err != nil {
		return nil, connectionKind().rename(err)
	}
	raw, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	err = r.server.Registry.Register(r.Context(), registry.Registration{Type: typeConnection, Name: name, Cloud: cloud, Value: raw})
	return info, err
}

// connectionKind names the fields of a connection.
func connectionKind() *kind {
	return &kind{fields: map[string]string{ //nolint:gosec // names of fields, no secrets
		"cloud": "ProviderName", "credential": "CredentialName", "region": "RegionName", "zone": "RegionName", "name": "ConfigName",
	}}
}

// connectionInfo shows a connection. One that was not made here was made from what
// its own fields say.
func (r *request) connectionInfo(c *api.Connection, made map[string]ConnectionInfo) ConnectionInfo {
	if info, ok := made[c.Name]; ok {
		return info
	}
	return ConnectionInfo{
		ConfigName: c.Name, ProviderName: provider(c.Cloud), DriverName: c.Cloud, CredentialName: c.Credential,
		RegionName: strings.Trim(c.Region+"-"+c.Zone, "-"),
	}
}

func (r *request) madeConnections() (map[string]ConnectionInfo, error) {
	all, err := r.server.Registry.Registrations(r.Context(), typeConnection, "")
	made := map[string]ConnectionInfo{}
	for _, one := range all {
		made[one.Name] = read[ConnectionInfo](one.Value)
	}
	return made, err
}

func listConnections(r *request) (any, error) {
	cloud, err := r.provider()
	if err != nil {
		return nil, err
	}
	all, err := r.server.Registry.Connections(r.Context())
	if err != nil {
		return nil, err
	}
	made, err := r.madeConnections()
	if err != nil {
		return nil, err
	}
	infos := []ConnectionInfo{}
	for i := range all {
		if (cloud == "" || all[i].Cloud == cloud) && r.may(people.Read, people.Connection, all[i].Name) == nil {
			infos = append(infos, r.connectionInfo(&all[i], made))
		}
	}
	return map[string]any{"connectionconfig": infos}, nil
}

func getConnection(r *request) (any, error) {
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	c, err := r.server.Registry.Connection(r.Context(), name)
	if err != nil {
		return nil, unregistered(name, err)
	}
	made, err := r.madeConnections()
	return r.connectionInfo(c, made), err
}

func countConnections(r *request) (any, error) {
	name, err := r.param("ProviderName")
	if err != nil {
		return nil, err
	}
	all, err := r.server.Registry.Connections(r.Context())
	n := 0
	for _, c := range all {
		if (name == "" || c.Cloud == cloudOf(name)) && r.may(people.Read, people.Connection, c.Name) == nil {
			n++
		}
	}
	return Count{n}, err
}

func deleteConnection(r *request) (any, error) {
	answer, err := forget(r.server.Registry.DeleteConnection)(r)
	if err != nil {
		return nil, err
	}
	name, err := r.param("Name")
	if err != nil {
		return nil, err
	}
	return answer, r.server.Registry.Unregister(r.Context(), typeConnection, name)
}

// Capability is what a driver can do.
type Capability struct {
	ZoneBasedControl, RegionZoneHandler, PriceInfoHandler, ImageHandler, VMSpecHandler, VPCHandler, SecurityHandler, KeyPairHandler, VMHandler, DiskHandler, MyImageHandler,
	NLBHandler, ClusterHandler, FileSystemHandler, QuotaInfoHandler, RDBMSHandler, DBSpecHandler, RDBMSMySQLHandler, RDBMSMariaDBHandler, RDBMSPostgreSQLHandler,
	PublicIPHandler, NICHandler, TagHandler bool
	TagSupportResourceType             []string
	VPC_CIDR, EMULATED_VPC, SINGLE_VPC bool
}

func getCapability(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	c, err := r.server.Registry.Connection(r.Context(), connection)
	if err != nil {
		return nil, err
	}
	d, err := r.server.Registry.Driver(r.Context(), c.Cloud)
	if err != nil {
		return nil, err
	}
	has := func(c *resource.Catalog) bool { return slices.Contains(d.Catalogs, c.Name) }
	creates := func(k *resource.Kind) bool { return d.Offers(k.Name, "create") }
	answer := Capability{
		ZoneBasedControl: has(resource.Zones.Catalog), RegionZoneHandler: has(resource.Regions.Catalog), PriceInfoHandler: has(resource.Prices.Catalog),
		ImageHandler: has(resource.Images.Catalog), VMSpecHandler: has(resource.Specs.Catalog), QuotaInfoHandler: has(resource.Quotas.Catalog),
		VPCHandler: creates(resource.VPC.Kind), SecurityHandler: creates(resource.SecurityGroup.Kind), KeyPairHandler: creates(resource.KeyPair.Kind),
		VMHandler: creates(resource.VM.Kind), DiskHandler: creates(resource.Disk.Kind), MyImageHandler: creates(resource.CustomImage.Kind),
		NLBHandler: creates(resource.NLB.Kind), ClusterHandler: creates(resource.Cluster.Kind), PublicIPHandler: creates(resource.PublicIP.Kind),
		NICHandler: creates(resource.NIC.Kind), TagHandler: true, VPC_CIDR: true, TagSupportResourceType: []string{},
	}
	for _, k := range append([]*kind{vpc(), subnet()}, r.server.kinds[1:]...) {
		if creates(k.of) { // where the cloud has no tags they are kept here
			answer.TagSupportResourceType = append(answer.TagSupportResourceType, k.word)
		}
	}
	return answer, nil
}

// cloudOfConnection answers the provider and the region of a connection.
func (r *request) place(connection string) (cloud, region string, err error) {
	c, err := r.server.Registry.Connection(r.Context(), connection)
	if err != nil {
		return "", "", err
	}
	return provider(c.Cloud), cmp.Or(c.Region, c.Zone), nil
}

// forget makes the deletion of something that need not be there.
func forget(remove func(context.Context, string) error) func(*request) (any, error) {
	return func(r *request) (any, error) {
		name, err := r.param("Name")
		if err != nil {
			return nil, err
		}
		if err := remove(r.Context(), name); err != nil && resource.CodeOf(err) != resource.CodeNotFound {
			return nil, err
		}
		return done(), nil
	}
}
