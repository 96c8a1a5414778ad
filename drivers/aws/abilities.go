package aws

import (
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What the collections are offered with. What one of them has beside that, because it embeds
// something, is not offered.
type (
	vpcAbilities interface {
		driver.Stepwise[resource.VPCSpec, resource.VPCStatus]
		resource.CIDRAdder
		resource.CIDRRemover
		resource.Labeler
	}
	subnetAbilities interface {
		driver.Stepwise[resource.SubnetSpec, resource.SubnetStatus]
		resource.Labeler
	}
	securityGroupAbilities interface {
		driver.Stepwise[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
		resource.RuleAdder
		resource.RuleRemover
		resource.Labeler
	}
	keyPairAbilities interface {
		driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus]
		resource.Labeler
	}
	vmAbilities interface {
		driver.Managed[resource.VMSpec, resource.VMStatus]
		resource.Starter
		resource.Stopper
		resource.Rebooter
		resource.VMResizer
		resource.PasswordReader
		resource.ConsoleReader
		resource.Labeler
		driver.Batcher
		driver.ManyGetter[resource.VMSpec, resource.VMStatus]
	}
	diskAbilities interface {
		driver.Managed[resource.DiskSpec, resource.DiskStatus]
		resource.DiskAttacher
		resource.Detacher
		resource.DiskResizer
		resource.Labeler
	}
	snapshotAbilities interface {
		driver.Managed[resource.SnapshotSpec, resource.SnapshotStatus]
		resource.Labeler
	}
	customImageAbilities interface {
		driver.Managed[resource.CustomImageSpec, resource.CustomImageStatus]
		resource.Labeler
	}
	publicIPAbilities interface {
		driver.Managed[resource.PublicIPSpec, resource.PublicIPStatus]
		resource.Associator
		resource.Disassociator
		resource.Labeler
	}
	nicAbilities interface {
		driver.Managed[resource.NICSpec, resource.NICStatus]
		resource.NICAttacher
		resource.Detacher
		resource.AddressAdder
		resource.AddressRemover
		resource.Labeler
	}
	nlbAbilities interface {
		driver.Stepwise[resource.NLBSpec, resource.NLBStatus]
		resource.MemberAdder
		resource.MemberRemover
		resource.ListenerSetter
		resource.TargetSetter
		resource.HealthCheckSetter
		resource.HealthReader
		resource.Labeler
	}
	clusterAbilities interface {
		driver.Stepwise[resource.ClusterSpec, resource.ClusterStatus]
		resource.NodeGroupAdder
		resource.NodeGroupRemover
		resource.NodeGroupScaler
		resource.Upgrader
		resource.KubeconfigReader
		resource.TokenReader
		resource.Labeler
	}
)
