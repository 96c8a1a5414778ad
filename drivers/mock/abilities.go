package mock

import (
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What the collections are offered with. What one of them has beside that, because it embeds
// something, is not offered.
type (
	vpcAbilities interface {
		driver.Managed[resource.VPCSpec, resource.VPCStatus]
		driver.Checker[resource.VPCSpec]
		resource.CIDRAdder
		resource.CIDRRemover
		resource.Labeler
	}
	subnetAbilities interface {
		driver.Managed[resource.SubnetSpec, resource.SubnetStatus]
		driver.Checker[resource.SubnetSpec]
		resource.Labeler
	}
	securityGroupAbilities interface {
		driver.Managed[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
		driver.Checker[resource.SecurityGroupSpec]
		resource.RuleAdder
		resource.RuleRemover
		resource.Labeler
	}
	keyPairAbilities interface {
		driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus]
		driver.Checker[resource.KeyPairSpec]
		resource.Labeler
	}
	vmAbilities interface {
		driver.Managed[resource.VMSpec, resource.VMStatus]
		driver.Checker[resource.VMSpec]
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
		driver.Checker[resource.DiskSpec]
		resource.DiskAttacher
		resource.Detacher
		resource.DiskResizer
		resource.Labeler
	}
	snapshotAbilities interface {
		driver.Managed[resource.SnapshotSpec, resource.SnapshotStatus]
		driver.Checker[resource.SnapshotSpec]
		resource.Labeler
	}
	customImageAbilities interface {
		driver.Managed[resource.CustomImageSpec, resource.CustomImageStatus]
		driver.Checker[resource.CustomImageSpec]
		resource.Labeler
	}
	publicIPAbilities interface {
		driver.Managed[resource.PublicIPSpec, resource.PublicIPStatus]
		driver.Checker[resource.PublicIPSpec]
		resource.Associator
		resource.Disassociator
		resource.Labeler
	}
	nicAbilities interface {
		driver.Managed[resource.NICSpec, resource.NICStatus]
		driver.Checker[resource.NICSpec]
		resource.NICAttacher
		resource.Detacher
		resource.AddressAdder
		resource.AddressRemover
		resource.Labeler
	}
	nlbAbilities interface {
		driver.Managed[resource.NLBSpec, resource.NLBStatus]
		driver.Checker[resource.NLBSpec]
		resource.MemberAdder
		resource.MemberRemover
		resource.ListenerSetter
		resource.TargetSetter
		resource.HealthCheckSetter
		resource.HealthReader
		resource.Labeler
	}
	natGatewayAbilities interface {
		driver.Managed[resource.NATGatewaySpec, resource.NATGatewayStatus]
		driver.Checker[resource.NATGatewaySpec]
		resource.SubnetAdder
		resource.SubnetRemover
		resource.Labeler
	}
	vpcPeeringAbilities interface {
		driver.Managed[resource.VPCPeeringSpec, resource.VPCPeeringStatus]
		driver.Checker[resource.VPCPeeringSpec]
		resource.PeeringAccepter
		resource.Labeler
	}
	vpnGatewayAbilities interface {
		driver.Managed[resource.VPNGatewaySpec, resource.VPNGatewayStatus]
		driver.Checker[resource.VPNGatewaySpec]
		resource.Labeler
	}
	vpnConnectionAbilities interface {
		driver.Managed[resource.VPNConnectionSpec, resource.VPNConnectionStatus]
		driver.Checker[resource.VPNConnectionSpec]
		resource.KeySetter
		resource.PeerConfigReader
		resource.Labeler
	}
	routeTableAbilities interface {
		driver.Managed[resource.RouteTableSpec, resource.RouteTableStatus]
		driver.Checker[resource.RouteTableSpec]
		resource.RouteSetter
		resource.SubnetAdder
		resource.SubnetRemover
		resource.Labeler
	}
	certificateAbilities interface {
		driver.Managed[resource.CertificateSpec, resource.CertificateStatus]
		driver.Checker[resource.CertificateSpec]
		resource.CertificateReplacer
		resource.Labeler
	}
	albAbilities interface {
		driver.Managed[resource.ALBSpec, resource.ALBStatus]
		driver.Checker[resource.ALBSpec]
		resource.RoutingSetter
		resource.GroupMemberAdder
		resource.GroupMemberRemover
		resource.HealthReader
		resource.Labeler
	}
	bucketAbilities interface {
		driver.Managed[resource.BucketSpec, resource.BucketStatus]
		driver.Checker[resource.BucketSpec]
		resource.VersioningSetter
		resource.PublicSetter
		resource.CORSSetter
		resource.LifecycleSetter
		resource.Emptier
		resource.UsageReader
		resource.ObjectSigner
		resource.ObjectLister
		resource.ObjectFinder
		resource.ObjectCopier
		resource.ObjectDeleter
		resource.Uploader
		resource.Labeler
	}
	queueAbilities interface {
		driver.Managed[resource.QueueSpec, resource.QueueStatus]
		driver.Checker[resource.QueueSpec]
		resource.Purger
		resource.Sender
		resource.Receiver
		resource.VisibilitySetter
		resource.Labeler
	}
	fileShareAbilities interface {
		driver.Stepwise[resource.FileShareSpec, resource.FileShareStatus]
		driver.Checker[resource.FileShareSpec]
		resource.FileShareResizer
		resource.SubnetAdder
		resource.SubnetRemover
		resource.Labeler
	}
	databaseAbilities interface {
		driver.Managed[resource.DatabaseSpec, resource.DatabaseStatus]
		driver.Checker[resource.DatabaseSpec]
		resource.Starter
		resource.Stopper
		resource.Restarter
		resource.DatabaseResizer
		resource.PasswordSetter
		resource.DatabaseUpgrader
		resource.DatabaseCreator
		resource.DatabaseDropper
		resource.DatabasesReader
		resource.Labeler
	}
	dbBackupAbilities interface {
		driver.Managed[resource.DBBackupSpec, resource.DBBackupStatus]
		driver.Checker[resource.DBBackupSpec]
		resource.Labeler
	}
	brokerAbilities interface {
		driver.Managed[resource.BrokerSpec, resource.BrokerStatus]
		driver.Checker[resource.BrokerSpec]
		resource.Restarter
		resource.BrokerResizer
		resource.PasswordSetter
		resource.Labeler
	}
	clusterAbilities interface {
		driver.Stepwise[resource.ClusterSpec, resource.ClusterStatus]
		driver.Checker[resource.ClusterSpec]
		resource.NodeGroupAdder
		resource.NodeGroupRemover
		resource.NodeGroupScaler
		resource.Upgrader
		resource.KubeconfigReader
		resource.TokenReader
		resource.Labeler
	}
)
