package openstack

import (
	_ "embed"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Member is the session of a driver of the family: it embeds a *Session, and has beside it
// what its own kinds need.
type Member interface{ family() *Session }

func (s *Session) family() *Session { return s }

// What those collections are offered with that lack something of their kind.
type (
	vpcAbilities interface {
		driver.Stepwise[resource.VPCSpec, resource.VPCStatus]
		resource.Labeler
	}
	keyPairAbilities = driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus]
	clusterAbilities interface {
		driver.Managed[resource.ClusterSpec, resource.ClusterStatus]
		resource.NodeGroupAdder
		resource.NodeGroupRemover
		resource.NodeGroupScaler
		resource.Upgrader
		resource.KubeconfigReader
	}
)

// Offers are the kinds and catalogs of the family, without those that a member has of its own
// or leaves out.
func Offers[S Member](without ...string) []driver.Offer[S] {
	return driver.Without([]driver.Offer[S]{
		driver.Catalog(resource.Regions, func(s S) driver.ListerFunc[resource.Region] { return s.family().regions }),
		driver.Catalog(resource.Zones, func(s S) driver.ListerFunc[resource.Zone] { return s.family().zones }),
		driver.Catalog(resource.Images, func(s S) driver.ListerFunc[resource.Image] { return s.family().images }),
		driver.Catalog(resource.Specs, func(s S) driver.ListerFunc[resource.Spec] { return s.family().specs }),
		driver.Catalog(resource.DiskTypes, func(s S) driver.ListerFunc[resource.DiskType] { return s.family().diskTypes }),
		driver.Catalog(resource.Quotas, func(s S) driver.ListerFunc[resource.Quota] { return s.family().quotas }),
		driver.Kind(resource.VPC, func(s S) vpcAbilities { return s.family().vpcs() }),
		driver.Kind(resource.Subnet, func(s S) driver.FullSubnet { return s.family().subnets() }),
		driver.Kind(resource.SecurityGroup, func(s S) driver.FullSecurityGroup { return s.family().securityGroups() }),
		driver.Kind(resource.KeyPair, func(s S) keyPairAbilities { return s.family().keyPairs() }, driver.ByName, driver.ReusedIDs),
		driver.Kind(resource.VM, func(s S) driver.FullVM { return s.family().vms() }),
		driver.Kind(resource.Disk, func(s S) driver.FullDisk { return s.family().disks() }),
		driver.Kind(resource.Snapshot, func(s S) driver.FullSnapshot { return s.family().snapshots() }),
		driver.Kind(resource.CustomImage, func(s S) driver.FullCustomImage { return s.family().customImages() }),
		driver.Kind(resource.PublicIP, func(s S) driver.FullPublicIP { return s.family().publicIPs() }),
		driver.Kind(resource.NIC, func(s S) driver.FullNIC { return s.family().nics() }),
		driver.Kind(resource.NLB, func(s S) driver.FullNLB { return s.family().nlbs() }),
		driver.Kind(resource.Cluster, func(s S) clusterAbilities { return s.family().clusters() }),
	}, without...)
}

// Settings of a connection.
const (
	settingExternal = "externalNetwork"
	settingDNS      = "dnsServers"
	settingDrive    = "configDrive"
	settingPageSize = "pageSize"
)

// korean are the texts of Settings in Korean, without those of package transport.
//
//go:embed ko.json
var korean []byte

// Korean are they, for driver.ReadTexts.
func Korean() []byte { return korean }

// Settings are those that the family reads; a member lists them among its own.
func Settings() []driver.Field {
	return append([]driver.Field{
		{Name: settingExternal, Title: "External network", Doc: "Name or id of the network that routers and public IPs lead to. Default: the only one, or the first by name.", Where: "openstack network list --external", Type: driver.TypeText},
		{Name: settingDNS, Title: "Name servers", Doc: "Addresses of the name servers of new subnets, with commas between, such as 1.1.1.1,8.8.8.8. Default: those of the cloud.", Type: driver.TypeText},
		{Name: settingDrive, Title: "Config drive", Doc: "Whether VMs get their user data from a drive instead of the metadata service. Default: false.", Type: driver.TypeBool},
		{Name: settingPageSize, Title: "Page size", Doc: "How much to ask of a list at once; a service may answer less. Default: 1000.", Type: driver.TypeInt},
	}, transport.Settings()...)
}
