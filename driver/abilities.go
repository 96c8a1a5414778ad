package driver

import "github.com/m-cmp/mc-infra-connector/resource"

// What a collection is offered with that can do all that its kind has, by kinds. One that
// lacks some of it is offered with an interface of its own. An action or a view that a kind
// gets later is not added here, so that drivers go on compiling: those that have it name it
// beside.
type (
	FullVPC interface {
		Stepwise[resource.VPCSpec, resource.VPCStatus]
		resource.CIDRAdder
		resource.CIDRRemover
		resource.Labeler
	}
	FullSubnet interface {
		Stepwise[resource.SubnetSpec, resource.SubnetStatus]
		resource.Labeler
	}
	FullSecurityGroup interface {
		Stepwise[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
		resource.RuleAdder
		resource.RuleRemover
		resource.Labeler
	}
	FullKeyPair interface {
		Stepwise[resource.KeyPairSpec, resource.KeyPairStatus]
		resource.Labeler
	}
	FullVM interface {
		Stepwise[resource.VMSpec, resource.VMStatus]
		resource.Starter
		resource.Stopper
		resource.Rebooter
		resource.VMResizer
		resource.PasswordReader
		resource.ConsoleReader
		resource.Labeler
	}
	FullDisk interface {
		Stepwise[resource.DiskSpec, resource.DiskStatus]
		resource.DiskAttacher
		resource.Detacher
		resource.DiskResizer
		resource.Labeler
	}
	FullSnapshot interface {
		Stepwise[resource.SnapshotSpec, resource.SnapshotStatus]
		resource.Labeler
	}
	FullCustomImage interface {
		Stepwise[resource.CustomImageSpec, resource.CustomImageStatus]
		resource.Labeler
	}
	FullPublicIP interface {
		Stepwise[resource.PublicIPSpec, resource.PublicIPStatus]
		resource.Associator
		resource.Disassociator
		resource.Labeler
	}
	FullNIC interface {
		Stepwise[resource.NICSpec, resource.NICStatus]
		resource.NICAttacher
		resource.Detacher
		resource.AddressAdder
		resource.AddressRemover
		resource.Labeler
	}
	FullNLB interface {
		Stepwise[resource.NLBSpec, resource.NLBStatus]
		resource.MemberAdder
		resource.MemberRemover
		resource.ListenerSetter
		resource.TargetSetter
		resource.HealthCheckSetter
		resource.HealthReader
		resource.Labeler
	}
	FullCluster interface {
		Stepwise[resource.ClusterSpec, resource.ClusterStatus]
		resource.NodeGroupAdder
		resource.NodeGroupRemover
		resource.NodeGroupScaler
		resource.Upgrader
		resource.KubeconfigReader
		resource.TokenReader
		resource.Labeler
	}
)
