package mock

import (
	"fmt"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// spiderOffer is what the Mock driver of CB-Spider shows: clients and scripts that were
// written for that find here what they know.
func spiderOffer() *offer {
	image := func(n int, arch, os, version string, diskGiB int) resource.Image {
		return resource.Image{
			ID: fmt.Sprintf("mock-vmimage-%02d", n), Name: fmt.Sprintf("mock-vmimage-name-%02d", n),
			OS: os, OSVersion: version, Architecture: arch, DiskSizeGiB: diskGiB, Owner: "mock",
		}
	}
	spec := func(n, vcpus int, clock float64, mib, gpus int) resource.Spec {
		s := resource.Spec{Name: fmt.Sprintf("mock-vmspec-%02d", n), VCPUs: vcpus, ClockGHz: clock, MemoryMiB: mib, Architectures: []string{x86, arm}, GPUs: gpus}
		if gpus > 0 {
			s.GPUModel, s.GPUMemoryMiB = "NVIDIA V100", gpus*512*1024
		}
		return s
	}
	diskTypes := allDiskTypes()
	for i := range diskTypes {
		diskTypes[i].RootDisk = true
	}
	return &offer{
		regions: []region{
			planet("default", 2), planet("mercury", 2), planet("venus", 0), planet("mars", 3),
			planet("jupiter", 1), planet("saturn", 2), planet("uranus", 3), planet("neptune", 0),
		},
		images: []resource.Image{
			image(1, x86, "ubuntu", "18.04", 35), image(2, arm, "centos", "8", 40), image(3, x86, windows, "2019", 50),
			image(4, arm, "ubuntu", "22.04", 35), image(5, x86, "amzn", "2", 30),
		},
		specs:     []resource.Spec{spec(1, 4, 2.7, 32768, 2), spec(2, 4, 3.2, 32768, 1), spec(3, 8, 2.7, 62464, 0), spec(4, 8, 2.7, 1024, 0)},
		diskTypes: diskTypes,
		versions:  []string{"1.23.4", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36"},
		anyPlace:  true,
	}
}

// planet is a region with three zones, of which one may be closed.
func planet(name string, closed int) region {
	if name == "" {
		return region{}
	}
	title := strings.ToUpper(name[:1]) + name[1:]
	r := region{name: name, title: title + ", " + title + " Region"}
	for i := 1; i <= 3; i++ {
		r.zones = append(r.zones, resource.Zone{Name: fmt.Sprintf("%s-z%d", name, i), Title: fmt.Sprintf("%s Zone %d, %s", title, i, title), Region: name, Available: i != closed})
	}
	return r
}
