package aws

import (
	"context"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// quotas answers the quotas of the services that this driver uses, with what is used of
// those that hold for a region (tallies).
// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
func (s *session) quotas(ctx context.Context, q driver.Query) iter.Seq2[resource.Quota, error] {
	return func(yield func(resource.Quota, error) bool) {
		used := s.usage(ctx)
		for _, service := range []string{"ec2", "vpc", "ebs", "elasticloadbalancing", "eks"} {
			if q["service"] != "" && q["service"] != service {
				continue
			}
			in := &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String(service), QuotaCode: driver.Optional(q["id"]), MaxResults: aws.Int32(100)}
			for x, err := range driver.UnlessMissing(paged(ctx, servicequotas.NewListServiceQuotasPaginator(s.limits, in),
				func(page *servicequotas.ListServiceQuotasOutput) []types.ServiceQuota { return page.Quotas })) {
				quota := quotaOf(x)
				if err == nil {
					quota.Used, err = used(quota.ID)
				}
				if !yield(quota, err) || err != nil {
					return
				}
			}
		}
	}
}

// limitedKinds are the kinds of resources that a quota limits the number of.
func limitedKinds() map[string]string {
	return map[string]string{
		"L-F678F1CE": resource.VPC.Name, "L-407747CB": resource.Subnet.Name, "L-E79EC296": resource.SecurityGroup.Name,
		"L-1216C47A": resource.VM.Name, "L-0263D0A3": resource.PublicIP.Name, "L-DF5E4CA3": resource.NIC.Name,
		"L-309BACF6": resource.Snapshot.Name, "L-B665C33B": resource.CustomImage.Name,
		"L-69A177A2": resource.NLB.Name, "L-1194D53C": resource.Cluster.Name,
	}
}

func quotaOf(x types.ServiceQuota) resource.Quota {
	quota := resource.Quota{
		ID: aws.ToString(x.QuotaCode), Name: aws.ToString(x.QuotaName), Service: aws.ToString(x.ServiceCode),
		Kind: limitedKinds()[aws.ToString(x.QuotaCode)], Limit: aws.ToFloat64(x.Value), Adjustable: x.Adjustable,
	}
	if unit := aws.ToString(x.Unit); unit != "None" && unit != "Count" {
		quota.Unit = unit
	}
	return quota
}

// tally counts how much of some quotas is used: AWS tells it only in CloudWatch, of some
// quotas, and charges for asking. It is what the region's lists show, one call for each
// page; what only AWS counts, such as images in the recycle bin, is not in it.
type tally struct {
	codes []string // of the quotas
	count func(context.Context) (map[string]float64, error)
}

// counted is the tally of what a list has. weigh says which quota an entry counts
// towards, "" for none, and how much; NaN if that is not known.
func counted[E any](list func(context.Context) iter.Seq2[E, error], weigh func(E) (string, float64), codes ...string) tally {
	return tally{codes, func(ctx context.Context) (map[string]float64, error) {
		used := map[string]float64{}
		for _, code := range codes {
			used[code] = 0
		}
		for entry, err := range list(ctx) {
			if err != nil {
				return nil, err
			}
			if code, amount := weigh(entry); code != "" {
				used[code] += amount
			}
		}
		return used, nil
	}}
}

// counting is the tally of how many a list has.
func counting[E any](code string, list func(context.Context) iter.Seq2[E, error]) tally {
	return counted(list, func(E) (string, float64) { return code, 1 }, code)
}

// all is a list of EC2, or as much of it as filters let through.
func all[X any](list func(context.Context, wanted) iter.Seq2[X, error], filters ...ec2types.Filter) func(context.Context) iter.Seq2[X, error] {
	return func(ctx context.Context) iter.Seq2[X, error] { return list(ctx, having(filters...)) }
}

// tallies are those of the quotas for a whole region. What a VPC or a load balancer may
// have is another number for each, and not counted.
func (s *session) tallies() []tally {
	return []tally{
		counted(all(s.instances, filter("instance-state-name", "pending", "running")), vCPUs, slices.Collect(maps.Values(families()))...),
		counting("L-0263D0A3", all(s.addresses, filter("domain", "vpc"))),
		counting("L-B665C33B", func(ctx context.Context) iter.Seq2[ec2types.Image, error] {
			return s.images(ctx, &ec2.DescribeImagesInput{MaxResults: aws.Int32(pageSize), Owners: []string{"self"}, IncludeDisabled: aws.Bool(true)})
		}),
		counting("L-F678F1CE", all(s.vpcs)),
		counting("L-A4707A72", all(s.gateways)),
		counting("L-E79EC296", all(s.securityGroups)),
		counting("L-DF5E4CA3", all(s.interfaces)),
		counted(all(s.volumes), tebibytes, slices.Collect(maps.Values(storage()))...),
		counting("L-309BACF6", all(s.snapshots)),
		counted(s.balancers, balanced, "L-69A177A2", "L-53DA6B97"),
		counting("L-1194D53C", s.clusterNames),
	}
}

// usage answers how much of a quota is used, or nil where that is not counted. Each list
// is asked for once, when the first quota needs it. One that cannot be had only leaves
// its quotas without.
func (s *session) usage(ctx context.Context) func(code string) (*float64, error) {
	known := map[string]float64{}
	tallies := s.tallies()
	return func(code string) (*float64, error) {
		if i := slices.IndexFunc(tallies, func(t tally) bool { return slices.Contains(t.codes, code) }); i >= 0 {
			used, err := tallies[i].count(ctx)
			if err := driver.Except(err, resource.CodeDenied, resource.CodeUnsupported, resource.CodeUnavailable); err != nil {
				return nil, err
			}
			maps.Copy(known, used)
			tallies = slices.Delete(tallies, i, i+1)
		}
		if amount, ok := known[code]; ok && !math.IsNaN(amount) {
			return &amount, nil
		}
		return nil, nil //nolint:nilnil // nobody knows, which is no failure
	}
}

// families are the quotas for running instances by the letters that their types begin with.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html
func families() map[string]string {
	all := map[string]string{
		"f": "L-74FC7D96", "g": "L-DB2E81BA", "vt": "L-DB2E81BA", "p": "L-417A185B", "x": "L-7295265B", "inf": "L-1945791B",
		"trn": "L-2C3B7624", "dl": "L-6E869C2A", "hpc": "L-F7808C92", "u": "L-43DA4232",
	}
	for _, standard := range []string{"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"} {
		all[standard] = "L-1216C47A"
	}
	return all
}

// vCPUs are those of an instance that is paid by the hour.
func vCPUs(x ec2types.Instance) (string, float64) {
	if x.InstanceLifecycle != "" { // spot instances and reserved blocks have quotas of their own
		return "", 0
	}
	name := string(x.InstanceType)
	code := families()[name[:max(0, strings.IndexFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }))]]
	if x.CpuOptions == nil {
		return code, math.NaN()
	}
	return code, float64(aws.ToInt32(x.CpuOptions.CoreCount) * aws.ToInt32(x.CpuOptions.ThreadsPerCore))
}

// storage are the quotas for disks by their types, in TiB.
// https://docs.aws.amazon.com/ebs/latest/userguide/ebs-resource-quotas.html
func storage() map[ec2types.VolumeType]string {
	return map[ec2types.VolumeType]string{
		ec2types.VolumeTypeGp2: "L-D18FCD1D", ec2types.VolumeTypeGp3: "L-7A658B76", ec2types.VolumeTypeIo1: "L-FD252861", ec2types.VolumeTypeIo2: "L-09BD8365",
		ec2types.VolumeTypeSt1: "L-82ACEF56", ec2types.VolumeTypeSc1: "L-17AF77E8", ec2types.VolumeTypeStandard: "L-9CF3C2EB",
	}
}

func tebibytes(x ec2types.Volume) (string, float64) {
	return storage()[x.VolumeType], float64(aws.ToInt32(x.Size)) / 1024
}

// balanced counts network and application load balancers.
func balanced(x elbtypes.LoadBalancer) (string, float64) {
	return map[elbtypes.LoadBalancerTypeEnum]string{
		elbtypes.LoadBalancerTypeEnumNetwork: "L-69A177A2", elbtypes.LoadBalancerTypeEnumApplication: "L-53DA6B97",
	}[x.Type], 1
}
