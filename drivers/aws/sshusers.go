package aws

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// sshUsers knows who logs in to VMs made from an image. AWS shows with an instance only
// what is paid for its system, so that the names of images are looked up: once for each
// in a session, because they never change.
type sshUsers struct {
	mu     sync.Mutex
	images map[string]origin // by id
}

// origin is what an image tells.
type origin struct {
	user   string // who logs in, or "" if its name does not tell
	source string // id of the image that it was made from, or ""
}

// generations is how far back the images are followed that others were made from.
const generations = 4

// of answers who logs in to an instance, or "" where nobody knows.
func (u *sshUsers) of(x types.Instance) string {
	if os := paidSystem(x); os != "" {
		return sshUser(os, "")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	id := aws.ToString(x.ImageId)
	for range generations {
		found := u.images[id]
		if found.user != "" {
			return found.user
		}
		id = found.source
	}
	return ""
}

// learn looks up the images of instances that are not known yet, and those that they were
// made from.
func (u *sshUsers) learn(ctx context.Context, s *session, instances []types.Instance) error {
	var ids []string
	for _, x := range instances {
		if paidSystem(x) == "" {
			ids = append(ids, aws.ToString(x.ImageId))
		}
	}
	for range generations {
		if ids = u.unknown(ids); len(ids) == 0 {
			break
		}
		found, err := lookUp(ctx, s, ids)
		if err != nil {
			return err
		}
		u.mu.Lock()
		maps.Copy(u.images, found)
		u.mu.Unlock()
		ids = nil
		for _, image := range found {
			if image.user == "" {
				ids = append(ids, image.source)
			}
		}
	}
	return nil
}

// unknown are the ids of images that were not looked up, each once.
func (u *sshUsers) unknown(ids []string) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids = slices.DeleteFunc(ids, func(id string) bool { _, known := u.images[id]; return known || id == "" })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// lookUp asks what images tell. Those that are gone, or may not be shown, tell nothing.
func lookUp(ctx context.Context, s *session, ids []string) (map[string]origin, error) {
	found := map[string]origin{}
	for _, id := range ids {
		found[id] = origin{}
	}
	tell := newDistributions()
	for chunk := range slices.Chunk(ids, filterValues) {
		in := &ec2.DescribeImagesInput{Filters: []types.Filter{filter("image-id", chunk...)}, IncludeDeprecated: aws.Bool(true), IncludeDisabled: aws.Bool(true)}
		for x, err := range s.images(ctx, in) {
			if resource.CodeOf(err) == resource.CodeDenied {
				break
			}
			if err != nil {
				return nil, err
			}
			shown := image(x, tell)
			found[shown.ID] = origin{sshUser(shown.OS, shown.OSVersion), aws.ToString(x.SourceImageId)}
		}
	}
	return found, nil
}

// filterValues is how many values one filter takes.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
const filterValues = 200

// paidSystem is the system of an instance that is paid for, or "".
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
func paidSystem(x types.Instance) string {
	details := aws.ToString(x.PlatformDetails)
	for _, paid := range []struct{ begins, os string }{
		{"Windows", "windows"}, {"Red Hat", "rhel"}, {"SUSE", "sles"}, {"Ubuntu", "ubuntu"},
	} {
		if strings.HasPrefix(details, paid.begins) {
			return paid.os
		}
	}
	if x.Platform == types.PlatformValuesWindows {
		return "windows"
	}
	return ""
}

// sshUser is the user that images of a distribution come with.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/managing-users.html#ami-default-user-names
func sshUser(os, version string) string {
	if os == "centos" && version != "7" && version != "8" { // from Stream 9 on: https://www.centos.org/download/aws-images/
		return "ec2-user"
	}
	return map[string]string{
		"amzn": "ec2-user", "rhel": "ec2-user", "sles": "ec2-user", "ol": "ec2-user", "freebsd": "ec2-user",
		"almalinux": "ec2-user", "rocky": "rocky", "ubuntu": "ubuntu", "debian": "admin", "centos": "centos", "fedora": "fedora",
		"windows": "Administrator",
	}[os]
}

// withUsers are pages of instances, whose users are known when a page is there.
type withUsers struct {
	pager[ec2.DescribeInstancesOutput, ec2.Options]
	session *session
}

func (w withUsers) NextPage(ctx context.Context, options ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	page, err := w.pager.NextPage(ctx, options...)
	if err != nil {
		return nil, err
	}
	return page, w.session.users.learn(ctx, w.session, instancesOf(page))
}
