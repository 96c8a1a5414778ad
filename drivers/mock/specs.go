package mock

import (
	"github.com/m-cmp/mc-infra-connector/resource"
)

func openSpecs(s *session) catalog[resource.Spec] {
	return catalog[resource.Spec]{s.callRegion, s.pageSize, func() []resource.Spec { return s.offer.specs }}
}

// size is a step within a family: name and processors.
type size struct {
	name  string
	vcpus int
}

// family is machines of one shape in all sizes.
type family struct {
	name    string
	arch    string
	gibCPU  int // memory per processor in GiB
	diskCPU int // local disk per processor in GiB
}

// accelerated is one machine with graphics processors.
type accelerated struct {
	name      string
	vcpus     int
	gib       int
	gpus      int
	model     string
	gibPerGPU int
	diskGiB   int
}

// allSpecs are the machine types of every region of this cloud.
func allSpecs() []resource.Spec {
	var (
		steps = []size{
			{"large", 2},
			{"xlarge", 4},
			{"2xlarge", 8},
			{"4xlarge", 16},
			{"8xlarge", 32},
			{"12xlarge", 48},
			{"16xlarge", 64},
			{"24xlarge", 96},
			{"32xlarge", 128},
		}
		families = []family{
			{"std2", x86, 4, 0},
			{"std3", x86, 4, 0},
			{"std3d", x86, 4, 38},
			{"std3a", arm, 4, 0},
			{"std4", x86, 4, 0},
			{"std4a", arm, 4, 0},
			{"cpu2", x86, 2, 0},
			{"cpu3", x86, 2, 0},
			{"cpu3d", x86, 2, 25},
			{"cpu3a", arm, 2, 0},
			{"cpu4", x86, 2, 0},
			{"cpu4a", arm, 2, 0},
			{"mem2", x86, 8, 0},
			{"mem3", x86, 8, 0},
			{"mem3d", x86, 8, 75},
			{"mem3a", arm, 8, 0},
			{"mem4", x86, 8, 0},
			{"mem4a", arm, 8, 0},
			{"big3", x86, 16, 0},
		}
		bursts = []struct {
			size
			mib int
		}{
			{size{"nano", 2}, 512},
			{size{"micro", 2}, 1024},
			{size{"small", 2}, 2048},
			{size{"medium", 2}, 4096},
			{size{"large", 2}, 8192},
			{size{"xlarge", 4}, 16384},
			{size{"2xlarge", 8}, 32768},
		}
		gpus = []accelerated{
			{"gpu-t4.xlarge", 4, 16, 1, "NVIDIA T4", 16, 125},
			{"gpu-t4.4xlarge", 16, 64, 1, "NVIDIA T4", 16, 225},
			{"gpu-t4.12xlarge", 48, 192, 4, "NVIDIA T4", 16, 900},
			{"gpu-l4.xlarge", 4, 16, 1, "NVIDIA L4", 24, 250},
			{"gpu-l4.8xlarge", 32, 128, 1, "NVIDIA L4", 24, 900},
			{"gpu-l4.24xlarge", 96, 384, 4, "NVIDIA L4", 24, 3760},
			{"gpu-a100.12xlarge", 48, 576, 4, "NVIDIA A100", 40, 4000},
			{"gpu-a100.24xlarge", 96, 1152, 8, "NVIDIA A100", 80, 8000},
			{"gpu-h100.6xlarge", 24, 256, 1, "NVIDIA H100", 80, 3800},
			{"gpu-h100.48xlarge", 192, 2048, 8, "NVIDIA H100", 80, 30400},
		}
		specs []resource.Spec
	)
	for _, f := range families {
		for _, s := range steps {
			specs = append(specs, resource.Spec{
				Name: f.name + "." + s.name, VCPUs: s.vcpus, MemoryMiB: s.vcpus * f.gibCPU * 1024,
				Architectures: []string{f.arch}, DiskSizeGiB: s.vcpus * f.diskCPU,
			})
		}
	}
	for _, f := range []family{{name: "burst2", arch: x86}, {name: "burst3", arch: x86}, {name: "burst3a", arch: arm}} {
		for _, b := range bursts {
			specs = append(specs, resource.Spec{
				Name: f.name + "." + b.name, VCPUs: b.vcpus, MemoryMiB: b.mib, Architectures: []string{f.arch},
			})
		}
	}
	for _, g := range gpus {
		specs = append(specs, resource.Spec{
			Name: g.name, VCPUs: g.vcpus, MemoryMiB: g.gib * 1024, Architectures: []string{x86},
			GPUs: g.gpus, GPUModel: g.model, GPUMemoryMiB: g.gpus * g.gibPerGPU * 1024, DiskSizeGiB: g.diskGiB,
		})
	}
	return specs
}
