package mock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openImages(s *session) catalog[resource.Image] {
	return catalog[resource.Image]{s.callRegion, s.pageSize, func() []resource.Image { return s.offer.images }}
}

// The processor architectures of the mock cloud.
const (
	x86 = "x86_64"
	arm = "arm64"
)

// windows is the operating system with a first password.
const windows = "windows"

// distribution is an operating system with its versions.
type distribution struct {
	os, title string
	owner     string
	diskGiB   int
	archs     []string
	versions  []string
}

func distributions() []distribution {
	both := []string{x86, arm}
	return []distribution{
		{"ubuntu", "Ubuntu", "canonical", 8, both, []string{"22.04", "24.04", "26.04"}},
		{"debian", "Debian", "debian", 8, both, []string{"12", "13"}},
		{"rocky", "Rocky Linux", "rocky", 10, both, []string{"9", "10"}},
		{"almalinux", "AlmaLinux", "almalinux", 10, both, []string{"9", "10"}},
		{"rhel", "Red Hat Enterprise Linux", "redhat", 10, both, []string{"9", "10"}},
		{"sles", "SUSE Linux Enterprise Server", "suse", 10, both, []string{"15", "16"}},
		{"opensuse", "openSUSE Leap", "suse", 10, both, []string{"15.6", "16.0"}},
		{"fedora", "Fedora", "fedora", 6, both, []string{"43", "44"}},
		{windows, "Windows Server", "microsoft", 30, []string{x86}, []string{"2019", "2022", "2025"}},
	}
}

// allImages are the images of every region of this cloud.
func allImages() []resource.Image {
	published := time.Date(2026, 4, 30, 0, 0, 0, 0, time.UTC)
	var images []resource.Image
	for _, d := range distributions() {
		for _, version := range d.versions {
			for _, arch := range d.archs {
				name := fmt.Sprintf("%s-%s-%s", d.os, version, arch)
				images = append(images, resource.Image{
					ID: imageID(name), Name: name, Description: d.title + " " + version + " for " + arch,
					OS: d.os, OSVersion: version, Architecture: arch, DiskSizeGiB: d.diskGiB, Owner: d.owner, CreatedAt: &published,
				})
			}
		}
	}
	return images
}

func imageID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "img-" + hex.EncodeToString(sum[:])[:17]
}
