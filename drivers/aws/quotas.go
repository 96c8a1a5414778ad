package aws

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type quotas struct{ *session }

// List answers the quotas of the services that this driver uses, with what is used of
// those that hold for a region (tallies).
// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
func (s quotas) List(ctx context.Context, q driver.Query) iter.Seq2[resource.Quota, error] {
	return func(yield func(resource.Quota, error) bool) {
		limited, used := limitedKinds(), s.usage(ctx)
		for _, service := range []string{"ec2", "vpc", "ebs", "elasticloadbalancing", "eks"} {
			if q["service"] != "" && q["service"] != service {
				continue
			}
			in := &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String(service), QuotaCode: optional(q["id"]), MaxResults: aws.Int32(100)}
			for x, err := range unlessMissing(paged(ctx, servicequotas.NewListServiceQuotasPaginator(s.quotas, in),
				func(page *servicequotas.ListServiceQuotasOutput) []types.ServiceQuota { return page.Quotas })) {
				quota := quotaOf(x, limited)
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

func quotaOf(x types.ServiceQuota, limited map[string]string) resource.Quota {
	quota := resource.Quota{
		ID: aws.ToString(x.QuotaCode), Name: aws.ToString(x.QuotaName), Service: aws.ToString(x.ServiceCode),
		Kind: limited[aws.ToString(x.QuotaCode)], Limit: aws.ToFloat64(x.Value), Adjustable: x.Adjustable,
	}
	if unit := aws.ToString(x.Unit); unit != "None" && unit != "Count" {
		quota.Unit = unit
	}
	return quota
}
