package aws

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// zones answers the zones that are enabled for the account.
func (s *session) zones(ctx context.Context, _ driver.Query) iter.Seq2[resource.Zone, error] {
	found := unpaged(ctx, s.ec2.DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{},
		func(page *ec2.DescribeAvailabilityZonesOutput) []types.AvailabilityZone {
			return page.AvailabilityZones
		})
	return driver.Converted(found, func(x types.AvailabilityZone) resource.Zone {
		return resource.Zone{Name: aws.ToString(x.ZoneName), Region: aws.ToString(x.RegionName), Available: x.State == types.AvailabilityZoneStateAvailable}
	})
}
