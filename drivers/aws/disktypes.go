package aws

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// diskTypes answers the types of EBS volumes. AWS's API does not tell them.
// https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
func diskTypes(context.Context, driver.Query) iter.Seq2[resource.DiskType, error] {
	return driver.Listed(
		resource.DiskType{Name: "gp3", Title: "General purpose SSD, 3,000 IOPS whatever its size", MinSizeGiB: 1, MaxSizeGiB: 65536, RootDisk: true},
		resource.DiskType{Name: "gp2", Title: "General purpose SSD, 3 IOPS for each GiB", MinSizeGiB: 1, MaxSizeGiB: 16384, RootDisk: true},
		resource.DiskType{Name: "io2", Title: "Provisioned IOPS SSD, durable", MinSizeGiB: 4, MaxSizeGiB: 65536, RootDisk: true},
		resource.DiskType{Name: "io1", Title: "Provisioned IOPS SSD", MinSizeGiB: 4, MaxSizeGiB: 16384, RootDisk: true},
		resource.DiskType{Name: "st1", Title: "Throughput optimized HDD", MinSizeGiB: 125, MaxSizeGiB: 16384},
		resource.DiskType{Name: "sc1", Title: "Cold HDD", MinSizeGiB: 125, MaxSizeGiB: 16384},
		resource.DiskType{Name: "standard", Title: "Magnetic, of the previous generation", MinSizeGiB: 1, MaxSizeGiB: 1024, RootDisk: true},
	)
}

// leastIOPS is what volumes of provisioned IOPS are asked for with, which must say a
// number: as many as a gp2 of the size has. Others say none.
func leastIOPS(t types.VolumeType, sizeGiB int) *int32 {
	if t != types.VolumeTypeIo1 && t != types.VolumeTypeIo2 {
		return nil
	}
	const perGiB, least, most = 3, 100, 16000
	return aws.Int32(int32(min(max(perGiB*sizeGiB, least), most)))
}
