package aws

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	tokenTag = "mcic-uid" // the token of the creation, to find again what it made
	nameTag  = "Name"     // what AWS's console shows as the name
)

// writeTags answers the tags of a new resource, for each of the types that the
// creation makes. They are in a fixed order: AWS refuses a repeat that differs.
func writeTags(token, name string, labels map[string]string, made ...types.ResourceType) ([]types.TagSpecification, error) {
	if _, taken := labels[nameTag]; taken {
		return nil, resource.Invalid(resource.Problem{Field: "labels." + nameTag, Message: "is the tag that AWS shows as the resource's name; choose another key"})
	}
	tags := []types.Tag{
		{Key: aws.String(nameTag), Value: aws.String(name)},
		{Key: aws.String(tokenTag), Value: aws.String(token)},
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(labels[key])})
	}
	specifications := make([]types.TagSpecification, len(made))
	for i, typ := range made {
		specifications[i] = types.TagSpecification{ResourceType: typ, Tags: tags}
	}
	return specifications, nil
}

// readTags is the way back; labels are the tags that are not ours.
func readTags(tags []types.Tag) (token, name string, labels map[string]string) {
	for _, tag := range tags {
		switch key, value := aws.ToString(tag.Key), aws.ToString(tag.Value); key {
		case tokenTag:
			token = value
		case nameTag:
			name = value
		default:
			if labels == nil {
				labels = map[string]string{}
			}
			labels[key] = value
		}
	}
	return token, name, labels
}

// byToken asks a list for what was made with a token.
func byToken(token string) []types.Filter {
	return []types.Filter{filter("tag:"+tokenTag, token)}
}
