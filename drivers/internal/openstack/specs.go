package openstack

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// specs answers the flavors that the project may use.
func (s *Session) specs(ctx context.Context, _ driver.Query) iter.Seq2[resource.Spec, error] {
	return driver.Items(list[flavors.Flavor](ctx, s, s.compute, "flavors/detail", "flavors", nil), spec)
}

// spec reads accelerators from the extra specs, as far as the cloud shows them: graphics
// cards passed through are named in pci_passthrough:alias, parts of them in resources:VGPU.
// https://docs.openstack.org/nova/latest/configuration/extra-specs.html
func spec(x shown[flavors.Flavor]) resource.Spec {
	entry := resource.Spec{Name: x.is.Name, VCPUs: x.is.VCPUs, MemoryMiB: x.is.RAM, DiskSizeGiB: x.is.Disk}
	if arch := architecture(x.is.ExtraSpecs["hw:cpu_arch"]); arch != "" {
		entry.Architectures = []string{arch}
	}
	if n, err := strconv.Atoi(x.is.ExtraSpecs["resources:VGPU"]); err == nil {
		entry.GPUs, entry.GPUModel = n, "virtual GPU"
	}
	if alias, count, ok := strings.Cut(x.is.ExtraSpecs["pci_passthrough:alias"], ":"); ok {
		if n, err := strconv.Atoi(count); err == nil {
			entry.GPUs, entry.GPUModel = n, alias
		}
	}
	return entry
}
