package openstack

import (
	_ "embed"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Member is the session of a driver of the family: it embeds a *Session, and has beside it
// what its own kinds need.
type Member interface{ family() *Session }

func (s *Session) family() *Session { return s }

// Offers are the kinds and catalogs of the family, without those that a member has of its own
// or leaves out.
func Offers[S Member](without ...string) []driver.Offer[S] {
	var offers []driver.Offer[S]
	for _, o := range []struct {
		name  string
		offer driver.Offer[S]
	}{
		{resource.Regions.Name, driver.Catalog(resource.Regions, func(s S) regions { return regions{s.family()} })},
		{resource.Zones.Name, driver.Catalog(resource.Zones, func(s S) zones { return zones{s.family()} })},
		{resource.Images.Name, driver.Catalog(resource.Images, func(s S) images { return images{s.family()} })},
		{resource.Specs.Name, driver.Catalog(resource.Specs, func(s S) specs { return specs{s.family()} })},
		{resource.DiskTypes.Name, driver.Catalog(resource.DiskTypes, func(s S) diskTypes { return diskTypes{s.family()} })},
		{resource.Quotas.Name, driver.Catalog(resource.Quotas, func(s S) quotas { return quotas{s.family()} })},
		{resource.VPC.Name, driver.Kind(resource.VPC, func(s S) vpcAbilities { return vpcs{s.family()} })},
		{resource.Subnet.Name, driver.Kind(resource.Subnet, func(s S) subnetAbilities { return subnets{s.family()} })},
		{resource.SecurityGroup.Name, driver.Kind(resource.SecurityGroup, func(s S) securityGroupAbilities { return securityGroups{s.family()} })},
		{resource.KeyPair.Name, driver.Kind(resource.KeyPair, func(s S) keyPairAbilities { return keyPairs{s.family()} }, driver.ByName, driver.ReusedIDs)},
		{resource.VM.Name, driver.Kind(resource.VM, func(s S) vmAbilities { return vms{s.family()} })},
		{resource.Disk.Name, driver.Kind(resource.Disk, func(s S) diskAbilities { return disks{s.family()} })},
		{resource.Snapshot.Name, driver.Kind(resource.Snapshot, func(s S) snapshotAbilities { return snapshots{s.family()} })},
		{resource.CustomImage.Name, driver.Kind(resource.CustomImage, func(s S) customImageAbilities { return customImages{s.family()} })},
		{resource.PublicIP.Name, driver.Kind(resource.PublicIP, func(s S) publicIPAbilities { return publicIPs{s.family()} })},
		{resource.NIC.Name, driver.Kind(resource.NIC, func(s S) nicAbilities { return nics{s.family()} })},
		{resource.NLB.Name, driver.Kind(resource.NLB, func(s S) nlbAbilities { return nlbs{s.family()} })},
		{resource.Cluster.Name, driver.Kind(resource.Cluster, func(s S) clusterAbilities { return clusters{s.family()} })},
	} {
		if !slices.Contains(without, o.name) {
			offers = append(offers, o.offer)
		}
	}
	return offers
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
