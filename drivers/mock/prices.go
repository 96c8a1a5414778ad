package mock

import (
	"fmt"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openPrices(s *session) catalog[resource.Price] {
	return catalog[resource.Price]{s.callRegion, s.pageSize, func() []resource.Price { return allPrices(s.offer) }}
}

// Prices of a machine's parts for an hour, and of disks for a month, in millionths of
// a dollar. They are made up, and of a usual size.
const (
	processorHour = 21_000
	memoryGiBHour = 2_800
	gpuGiBHour    = 45_000
	windowsHour   = 46_000 // for each processor
)

// allPrices are the prices of what a region offers.
func allPrices(o *offer) []resource.Price {
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var prices []resource.Price
	add := func(p resource.Price, micros int) {
		p.ID = strings.Join(strings.Fields(fmt.Sprint("price ", p.Product, " ", p.Spec, p.DiskType, " ", p.OS, " ", p.Contract)), "-")
		p.Currency, p.Amount, p.ValidFrom = "USD", dollars(micros), &since
		prices = append(prices, p)
	}
	for _, s := range o.specs {
		linux := s.VCPUs*processorHour + s.MemoryMiB*memoryGiBHour/1024 + s.GPUMemoryMiB*gpuGiBHour/1024
		vm := resource.Price{Product: "vm", Spec: s.Name, Contract: "onDemand", OS: "linux", Unit: "hour"}
		add(vm, linux)
		reserved, spot, licensed := vm, vm, vm
		reserved.Contract, reserved.Term = "reserved", "1yr, no upfront"
		add(reserved, linux*62/100)
		spot.Contract = "spot"
		add(spot, linux*31/100)
		if s.Architectures[0] == x86 { // Windows runs on nothing else here
			licensed.OS = windows
			add(licensed, linux+s.VCPUs*windowsHour)
		}
	}
	for i, t := range o.diskTypes {
		add(resource.Price{Product: "disk", DiskType: t.Name, Contract: "onDemand", Unit: "GiB-month"}, []int{91_000, 51_000, 820_000}[i])
	}
	return prices
}

// dollars writes millionths of a dollar as a decimal number.
func dollars(micros int) string {
	text := strings.TrimRight(fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000), "0")
	return strings.TrimSuffix(text, ".")
}
