package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// tokenTag is the key of a creation's token, to find again what it made.
const tokenTag = "mcic-uid"

// ours says how AWS's tags are used: Name is what its console shows as the name.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
func ours() driver.Tags { return driver.Tags{Token: tokenTag, Name: "Name", Reserved: "aws:"} }

// writeTags answers the tags of a new resource of EC2, for each of the types that the
// creation makes.
func writeTags(token, name string, labels map[string]string, made ...types.ResourceType) ([]types.TagSpecification, error) {
	tags, err := ours().Write(token, name, labels)
	if err != nil {
		return nil, err
	}
	specifications := make([]types.TagSpecification, len(made))
	for i, typ := range made {
		specifications[i] = types.TagSpecification{ResourceType: typ, Tags: ec2Tags(tags)}
	}
	return specifications, nil
}

func ec2Tags(tags []driver.Tag) []types.Tag {
	all := make([]types.Tag, len(tags))
	for i, tag := range tags {
		all[i] = types.Tag{Key: aws.String(tag.Key), Value: aws.String(tag.Value)}
	}
	return all
}

// readTags is the way back.
func readTags(tags []types.Tag) (token, name string, labels map[string]string) {
	return ours().Read(func(yield func(string, string) bool) {
		for _, tag := range tags {
			if !yield(aws.ToString(tag.Key), aws.ToString(tag.Value)) {
				return
			}
		}
	})
}

// byToken asks a list for what was made with a token.
func byToken(token string) []types.Filter {
	return []types.Filter{filter("tag:"+tokenTag, token)}
}

// Label changes the labels of what EC2 names by id; the collections of its kinds have
// it from the session.
func (s *session) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return ours().Apply(change, func(tags []driver.Tag) error {
		_, err := call(ctx, s.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{id}, Tags: ec2Tags(tags)})
		return err
	}, func(keys []string) error {
		in := &ec2.DeleteTagsInput{Resources: []string{id}}
		for _, key := range keys {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(key)}) // whatever its value
		}
		_, err := call(ctx, s.ec2.DeleteTags, in)
		return err
	})
}
