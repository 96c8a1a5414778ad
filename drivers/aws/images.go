package aws

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// publishers are the accounts of distributions themselves. Anybody may make an image public
// and name it as he likes, so that only these are trusted unless a query names an owner.
func publishers() map[string]string {
	return map[string]string{
		"ubuntu": "099720109477", // Canonical: https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
		"debian": "136693071363", // Debian: https://wiki.debian.org/Cloud/AmazonEC2Image
		"rocky":  "792107900819", // Rocky Linux: https://rockylinux.org/download
		"rhel":   "309956199498", // Red Hat: https://access.redhat.com/solutions/15356
		"sles":   "013907871322", // SUSE: https://pint.suse.com/
	}
}

// ownersOf are the accounts that may have images of a distribution; "" is every one. Amazon
// has those of Amazon Linux and Windows.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/finding-an-ami.html
func ownersOf(os string) []string {
	owners := []string{"self", "amazon"}
	for _, of := range slices.Sorted(maps.Keys(publishers())) {
		if os == "" || os == of {
			owners = append(owners, publishers()[of])
		}
	}
	return owners
}

// trustedImages answers the images that VMs here can boot.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
func (s *session) trustedImages(ctx context.Context, q driver.Query) iter.Seq2[resource.Image, error] {
	in := &ec2.DescribeImagesInput{
		MaxResults: aws.Int32(pageSize),
		Owners:     ownersOf(q["os"]),
		Filters:    []types.Filter{filter("state", "available"), filter("image-type", "machine")},
	}
	if owner := q["owner"]; owner != "" {
		in.Owners = []string{owner}
	}
	if id := q["id"]; id != "" { // whoever names an image knows its owner
		in.Owners = nil
		in.Filters = append(in.Filters, filter("image-id", id))
	}
	if name := q["name"]; name != "" {
		in.Filters = append(in.Filters, filter("name", name))
	}
	architectures := []string{"x86_64", "arm64"} // the others are for Macs and 32 bits
	if q["architecture"] != "" {
		architectures = []string{q["architecture"]}
	}
	in.Filters = append(in.Filters, filter("architecture", architectures...))
	if q["os"] == "windows" {
		in.Filters = append(in.Filters, filter("platform", "windows"))
	}
	tell := newDistributions()
	return driver.Converted(s.images(ctx, in), func(x types.Image) resource.Image { return image(x, tell) })
}

func (s *session) images(ctx context.Context, in *ec2.DescribeImagesInput) iter.Seq2[types.Image, error] {
	return paged(ctx, ec2.NewDescribeImagesPaginator(s.ec2, in), func(page *ec2.DescribeImagesOutput) []types.Image { return page.Images })
}

func image(x types.Image, tell distributions) resource.Image {
	entry := resource.Image{
		ID:           aws.ToString(x.ImageId),
		Name:         aws.ToString(x.Name),
		Description:  aws.ToString(x.Description),
		Architecture: string(x.Architecture),
		Owner:        cmp.Or(aws.ToString(x.ImageOwnerAlias), aws.ToString(x.OwnerId)),
		DiskSizeGiB:  int(aws.ToInt32(rootDisk(x).VolumeSize)),
		CreatedAt:    imageCreated(x),
	}
	entry.OS, entry.OSVersion = tell.of(entry.Name, entry.Description)
	if entry.OS == "" && x.Platform == types.PlatformValuesWindows {
		entry.OS = "windows"
	}
	return entry
}

func imageCreated(x types.Image) *time.Time {
	created, _ := time.Parse(time.RFC3339, aws.ToString(x.CreationDate)) // if there is one
	return driver.Optional(created)
}

func rootDisk(x types.Image) types.EbsBlockDevice {
	for _, m := range x.BlockDeviceMappings {
		if aws.ToString(m.DeviceName) == aws.ToString(x.RootDeviceName) {
			return driver.Value(m.Ebs)
		}
	}
	return types.EbsBlockDevice{}
}

// distribution is recognised by the publisher's way of naming images. The groups
// of the pattern are the parts of the version.
type distribution struct {
	os      string // the ID of its os-release
	pattern *regexp.Regexp
}

type distributions []distribution

func newDistributions() distributions {
	return distributions{
		{"windows", regexp.MustCompile(`^Windows_Server-(\d{4})`)},
		{"amzn", regexp.MustCompile(`(?i)\b(?:al|amazon-linux-|AmazonLinux)(2023)\b`)},
		{"amzn", regexp.MustCompile(`^amzn(2)-`)},
		{"amzn", regexp.MustCompile(`(?i)\bAmazon ?Linux ?(2)\b`)},
		{"amzn", regexp.MustCompile(`^amzn-ami-.*?(\d{4}\.\d{2})`)},
		{"ubuntu", regexp.MustCompile(`(?i)\bubuntu[ /-](?:.*?[ -])?(\d{2}\.\d{2})\b`)},
		{"debian", regexp.MustCompile(`(?i)^debian-(\d+)-`)},
		{"rocky", regexp.MustCompile(`^Rocky-\d+-EC2-[A-Za-z]+-(\d+\.\d+)`)},
		{"rocky", regexp.MustCompile(`(?i)^Rocky(?: Linux)?[ -](\d+)`)},
		{"rhel", regexp.MustCompile(`^RHEL(?:_HA|-SAP)?-(\d+\.\d+)`)},
		{"sles", regexp.MustCompile(`^suse-sles-(?:sap-)?(\d+)(?:-sp(\d+)|-(\d+)-)?`)},
		{"almalinux", regexp.MustCompile(`(?i)^AlmaLinux(?: OS)? (\d+\.\d+)`)},
		{"centos", regexp.MustCompile(`(?i)^CentOS(?: Linux| Stream)? (\d+)`)},
		{"fedora", regexp.MustCompile(`^Fedora-Cloud-Base-(?:.*?-)?(\d{2})-`)},
		{"ol", regexp.MustCompile(`^OL(\d+\.\d+)-`)},
		{"freebsd", regexp.MustCompile(`(?i)^FreeBSD (\d+\.\d+)`)},
		{"bottlerocket", regexp.MustCompile(`^bottlerocket-.*-v(\d+\.\d+\.\d+)`)},
	}
}

// of tells the distribution from the first text that says it.
func (d distributions) of(texts ...string) (os, version string) {
	for _, text := range texts {
		for _, known := range d {
			if match := known.pattern.FindStringSubmatch(text); match != nil {
				parts := slices.DeleteFunc(match[1:], func(part string) bool { return part == "" })
				return known.os, strings.Join(parts, ".")
			}
		}
	}
	return "", ""
}
