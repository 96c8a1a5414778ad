package aws

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// specPageSize is the most that one page holds.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
const specPageSize = 100

// specs answers the instance types of the region.
func (s *session) specs(ctx context.Context, q driver.Query) iter.Seq2[resource.Spec, error] {
	in := &ec2.DescribeInstanceTypesInput{MaxResults: aws.Int32(specPageSize)}
	if name := q["name"]; name != "" {
		in.Filters = []types.Filter{filter("instance-type", name)}
	}
	return driver.Converted(paged(ctx, ec2.NewDescribeInstanceTypesPaginator(s.ec2, in),
		func(page *ec2.DescribeInstanceTypesOutput) []types.InstanceTypeInfo { return page.InstanceTypes }), spec)
}

func spec(x types.InstanceTypeInfo) resource.Spec {
	cpu, processor, gpu := driver.Value(x.VCpuInfo), driver.Value(x.ProcessorInfo), driver.Value(x.GpuInfo)
	entry := resource.Spec{
		Name: string(x.InstanceType), VCPUs: int(aws.ToInt32(cpu.DefaultVCpus)), MemoryMiB: int(aws.ToInt64(driver.Value(x.MemoryInfo).SizeInMiB)),
		ClockGHz: aws.ToFloat64(processor.SustainedClockSpeedInGhz), GPUMemoryMiB: int(aws.ToInt32(gpu.TotalGpuMemoryInMiB)),
		DiskSizeGiB: int(aws.ToInt64(driver.Value(x.InstanceStorageInfo).TotalSizeInGB) * 1_000_000_000 / (1 << 30)),
	}
	for _, a := range processor.SupportedArchitectures {
		if a == types.ArchitectureTypeX8664 || a == types.ArchitectureTypeArm64 {
			entry.Architectures = append(entry.Architectures, string(a))
		}
	}
	var models []string
	for _, device := range gpu.Gpus {
		entry.GPUs += int(aws.ToInt32(device.Count))
		model := strings.TrimSpace(aws.ToString(device.Manufacturer) + " " + aws.ToString(device.Name))
		if !slices.Contains(models, model) {
			models = append(models, model)
		}
	}
	entry.GPUModel = strings.Join(models, ", ")
	return entry
}
