package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// tagsInput is the input of createTags.
type tagsInput struct {
	ID   string            `json:"id" doc:"AWS's id of the resource, such as i-0123456789abcdef0." minLength:"1" maxLength:"512"`
	Tags map[string]string `json:"tags" doc:"Tags to set." minProperties:"1" maxProperties:"40"`
}

// nothing is the output of what only succeeds.
type nothing struct{}

func createTags(ctx context.Context, s *session, in tagsInput) (nothing, error) {
	return nothing{}, s.Label(ctx, in.ID, resource.LabelChange{Set: in.Tags})
}

type regionInfo struct {
	Region   string          `json:"region" doc:"The connection's region."`
	Title    string          `json:"title,omitempty" doc:"Where it is, for people."`
	Endpoint string          `json:"endpoint,omitempty" doc:"Where its EC2 API is asked."`
	Zones    []resource.Zone `json:"zones" doc:"Its zones." nullable:"false"`
}

func regionInfoOf(ctx context.Context, s *session, _ nothing) (regionInfo, error) {
	if s.region == "" {
		return regionInfo{}, regionless()
	}
	out, err := call(ctx, s.ec2.DescribeRegions, &ec2.DescribeRegionsInput{RegionNames: []string{s.region}})
	if err != nil {
		return regionInfo{}, err
	}
	all, err := driver.Collect(s.zones(ctx, nil))
	info := regionInfo{Region: s.region, Title: regionTitles()[s.region], Zones: append([]resource.Zone{}, all...)}
	if len(out.Regions) == 1 {
		info.Endpoint = aws.ToString(out.Regions[0].Endpoint)
	}
	return info, err
}
