package aws

import (
	"context"
	_ "embed"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// regions answers the regions that are enabled for the account.
func (s *session) regions(ctx context.Context, _ driver.Query) iter.Seq2[resource.Region, error] {
	known := regionTitles()
	found := unpaged(ctx, s.ec2.DescribeRegions, &ec2.DescribeRegionsInput{}, func(page *ec2.DescribeRegionsOutput) []types.Region { return page.Regions })
	return driver.Converted(found, func(x types.Region) resource.Region {
		name := aws.ToString(x.RegionName)
		return resource.Region{Name: name, Title: known[name]}
	})
}

// regionTitles are the names that AWS gives its regions for people; its EC2 API
// does not tell them.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
func regionTitles() map[string]string { return driver.ReadTexts(titles) }

//go:embed regions.json
var titles []byte
