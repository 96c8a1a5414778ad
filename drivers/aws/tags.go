package aws

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

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

// balancerTags are those of load balancers, whose values are letters, digits, spaces and
// a few signs; everything else is escaped.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Tag.html
func balancerTags() driver.Tags {
	tags := ours()
	tags.Encode, tags.Decode = escape, unescape
	return tags
}

// CheckLabels implements driver.LabelChecker for the kinds of EC2, which have it from the session.
func (s *session) CheckLabels(field string, labels map[string]string) error {
	return ours().CheckLabels(field, labels)
}

// checkNarrow checks labels for a service that takes fewer tags than EC2: values that begin
// with aws: are AWS's own there. encode is how it is given them.
func checkNarrow(field string, labels map[string]string, encode func(string) string) error {
	const most = 256 // characters
	problems := []resource.Problem{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch value := labels[key]; {
		case strings.HasPrefix(strings.ToLower(value), "aws:"):
			problems = append(problems, resource.Problem{Field: field + "." + key, Message: "begins with aws:, which AWS keeps to itself; choose another value"})
		case utf8.RuneCountInString(encode(value)) > most:
			problems = append(problems, resource.Problem{Field: field + "." + key, Message: fmt.Sprintf("is longer than the %d characters that AWS takes, where each byte of a sign other than _.:/=+-@ counts as four; choose a shorter value", most)})
		}
	}
	return cmp.Or(ours().CheckLabels(field, labels), resource.Invalid(problems...))
}

// strange are the characters that load balancers do not take.
var strange = regexp.MustCompile(`[^\p{L}\p{Z}\p{N}_.:/=+\-@]`)

// escaped is @= with a byte of a strange character in hexadecimal digits: in ASCII those
// between the letters, digits and signs that are taken. An @= that would begin one is
// @=3D itself.
var escaped = regexp.MustCompile(`@=((?:3D)*(?:[89A-F][0-9A-F]|[01][0-9A-F]|7[BCDEF]|60|5[BCDE]|3[BCEF]|2[1-9AC]))`)

// escape writes a text with the characters that load balancers take.
func escape(text string) string {
	text = escaped.ReplaceAllString(text, "@=3D$1")
	return strange.ReplaceAllStringFunc(text, func(character string) string {
		var written strings.Builder
		for i := range len(character) {
			fmt.Fprintf(&written, "@=%02X", character[i])
		}
		return written.String()
	})
}

// unescape is the way back; what is no escape stays as it is.
func unescape(text string) string {
	plain := escaped.ReplaceAllStringFunc(text, func(found string) string {
		if rest, again := strings.CutPrefix(found, "@=3D"); again {
			return "@=" + rest
		}
		var character byte
		_, _ = fmt.Sscanf(found, "@=%X", &character) // two hexadecimal digits
		return string([]byte{character})
	})
	if !utf8.ValidString(plain) {
		return text
	}
	return plain
}

// tagged are the tags of a new resource of EC2, for each of the types that the creation
// makes.
func tagged[S any](r driver.Request[S], made ...types.ResourceType) []types.TagSpecification {
	tags := tagsOf(ours().Write(r.Token, r.Name, r.Labels)...)
	return driver.Convert(made, func(typ types.ResourceType) types.TagSpecification {
		return types.TagSpecification{ResourceType: typ, Tags: slices.Clone(tags)}
	})
}

func tagsOf(tags ...driver.Tag) []types.Tag {
	return driver.Convert(tags, func(t driver.Tag) types.Tag { return types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)} })
}

// tagsIn is the way back.
func tagsIn(tags []types.Tag) map[string]string {
	return byKey(tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value })
}

// byKey are tags of a package of the SDK, which have a type of its own in each.
func byKey[T any](tags []T, read func(T) (key, value *string)) map[string]string {
	all := map[string]string{}
	for _, t := range tags {
		key, value := read(t)
		all[aws.ToString(key)] = aws.ToString(value)
	}
	return all
}

// Label changes the labels of what EC2 names by id; the collections of its kinds have
// it from the session.
func (s *session) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return ours().Apply(change, func(tags []driver.Tag) error {
		return do(ctx, s.ec2.CreateTags, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tagsOf(tags...)})
	}, func(keys []string) error {
		gone := driver.Convert(keys, func(key string) types.Tag { return types.Tag{Key: aws.String(key)} }) // whatever its value
		return do(ctx, s.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: gone})
	})
}
