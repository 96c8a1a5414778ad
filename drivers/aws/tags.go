package aws

import (
	"context"
	"fmt"
	"iter"
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

// narrow are the tags of a service that takes fewer of them than EC2: values that begin
// with aws: are AWS's own there.
type narrow struct {
	driver.Tags

	escaped bool // what the service does not take is written in another way
}

// balancerTags are those of load balancers, whose values are letters, digits, spaces and
// a few signs; everything else is escaped.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Tag.html
func balancerTags() narrow { return narrow{ours(), true} }

// clusterTags are those of clusters.
// https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html
func clusterTags() narrow { return narrow{ours(), false} }

// Write is Write of driver.Tags, as are the other two.
func (n narrow) Write(token, name string, labels map[string]string) ([]driver.Tag, error) {
	tags, err := n.Tags.Write(token, name, labels)
	if err != nil {
		return nil, err
	}
	return n.taken("labels", tags)
}

func (n narrow) Read(tags iter.Seq2[string, string]) (token, name string, labels map[string]string) {
	return n.Tags.Read(func(yield func(string, string) bool) {
		for key, value := range tags {
			if n.escaped {
				value = unescape(value)
			}
			if !yield(key, value) {
				return
			}
		}
	})
}

func (n narrow) Apply(change resource.LabelChange, set func([]driver.Tag) error, remove func(keys []string) error) error {
	if n.escaped { // a key that it does not take is not there
		change.Remove = slices.DeleteFunc(slices.Clone(change.Remove), func(key string) bool { return strange.MatchString(key) })
	}
	return n.Tags.Apply(change, func(tags []driver.Tag) error {
		tags, err := n.taken("set", tags)
		if err != nil {
			return err
		}
		return set(tags)
	}, remove)
}

// taken are tags as the service takes them, or an error that names the one that it cannot
// hold.
func (n narrow) taken(at string, tags []driver.Tag) ([]driver.Tag, error) {
	const most = 256 // characters
	for i, tag := range tags {
		if n.escaped {
			tags[i].Value = escape(tag.Value)
		}
		field := at + "." + tag.Key
		if strings.HasPrefix(strings.ToLower(tag.Value), "aws:") {
			return nil, resource.Invalid(resource.Problem{Field: field, Message: "begins with aws:, which AWS keeps to itself; choose another value"})
		}
		if utf8.RuneCountInString(tags[i].Value) > most {
			return nil, resource.Invalid(resource.Problem{Field: field, Message: fmt.Sprintf("is longer than the %d characters that AWS takes, where each byte of a sign other than _.:/=+-@ counts as four; choose a shorter value", most)})
		}
	}
	return tags, nil
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

// tagIn is the value of a tag of EC2, "" if there is none.
func tagIn(tags []types.Tag, key string) string {
	for _, tag := range tags {
		if aws.ToString(tag.Key) == key {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

// byToken asks a list for what was made with a token.
func byToken(token string) []types.Filter {
	return []types.Filter{filter("tag:"+tokenTag, token)}
}

// narrowed asks a list for what a filter wants; id is EC2's name for ids of the kind. Ids
// as parameters would fail for one that is unknown. A cloud that speaks EC2's API may pass
// over it all.
func narrowed(f driver.Filter, id string) []types.Filter {
	var filters []types.Filter
	if f.Token != "" {
		filters = byToken(f.Token)
	}
	if len(f.IDs) > 0 {
		filters = append(filters, filter(id, f.IDs...))
	}
	return filters
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
