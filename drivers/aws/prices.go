package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// prices answers what machine types and types of disk cost in the region: machines that
// are not dedicated to one customer, without software beyond the system. Spot prices are
// those of each zone at this moment.
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
func (s *session) prices(ctx context.Context, q driver.Query) iter.Seq2[resource.Price, error] {
	return driver.Items(func(yield func([]resource.Price, error) bool) {
		for _, product := range []priced{machines(q), volumes(q)} {
			if (q["product"] != "" && q["product"] != product.name) || !product.wanted || q["contract"] == contractSpot || q["zone"] != "" {
				continue
			}
			in := &pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2"), FormatVersion: aws.String("aws_v1"), MaxResults: aws.Int32(100)}
			product.attributes["regionCode"] = s.region
			for _, field := range slices.Sorted(maps.Keys(product.attributes)) {
				in.Filters = append(in.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: aws.String(field), Value: aws.String(product.attributes[field])})
			}
			for document, err := range paged(ctx, pricing.NewGetProductsPaginator(s.pricing, in),
				func(page *pricing.GetProductsOutput) []string { return page.PriceList }) {
				var found []resource.Price
				if err == nil {
					found, err = pricesIn(document, product.name, q["contract"])
				}
				if !yield(found, err) {
					return
				}
			}
		}
		if machines(q).wanted && (q["product"] == "" || q["product"] == "vm") && (q["contract"] == "" || q["contract"] == contractSpot) {
			for price, err := range s.spot(ctx, q) {
				if resource.CodeOf(err) == resource.CodeUnsupported || !yield([]resource.Price{price}, err) { // a cloud that speaks only part of EC2's API
					return
				}
			}
		}
	}, same)
}

const contractSpot = "spot"

// spot are the spot prices at this moment. Without an end AWS answers, for each zone,
// machine type and system, the last change before the start.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
func (s *session) spot(ctx context.Context, q driver.Query) iter.Seq2[resource.Price, error] {
	in := &ec2.DescribeSpotPriceHistoryInput{StartTime: aws.Time(time.Now()), AvailabilityZone: driver.Optional(q["zone"]), MaxResults: aws.Int32(pageSize)}
	if q["spec"] != "" {
		in.InstanceTypes = []ec2types.InstanceType{ec2types.InstanceType(q["spec"])}
	}
	for theirs, ours := range spotSystems() {
		if q["os"] == ours {
			in.ProductDescriptions = []string{theirs, theirs + inVPCs}
		}
	}
	currency := "USD"
	if strings.HasPrefix(s.region, "cn-") {
		currency = "CNY"
	}
	found := paged(ctx, ec2.NewDescribeSpotPriceHistoryPaginator(s.ec2, in),
		func(page *ec2.DescribeSpotPriceHistoryOutput) []ec2types.SpotPrice { return page.SpotPriceHistory })
	return driver.Converted(found, func(x ec2types.SpotPrice) resource.Price {
		price := resource.Price{
			Product: "vm", Contract: contractSpot, Spec: string(x.InstanceType), Zone: aws.ToString(x.AvailabilityZone), OS: spotSystems()[strings.TrimSuffix(string(x.ProductDescription), inVPCs)],
			Currency: currency, Amount: aws.ToString(x.SpotPrice), Unit: "hour", ValidFrom: x.Timestamp, Doc: string(x.ProductDescription) + ", spot",
		}
		price.ID = strings.Join([]string{contractSpot, price.Zone, price.Spec, strings.ReplaceAll(string(x.ProductDescription), " ", "")}, ".")
		return price
	})
}

// inVPCs ends AWS's words for systems of accounts that are old enough to have had VMs
// outside of VPCs.
const inVPCs = " (Amazon VPC)"

// spotSystems are AWS's words for operating systems where it tells spot prices.
func spotSystems() map[string]string {
	return map[string]string{"Linux/UNIX": "linux", "Windows": "windows", "Red Hat Enterprise Linux": "rhel", "SUSE Linux": "sles"}
}

// priced is a product that is asked for: the attributes that it must have.
type priced struct {
	name       string
	wanted     bool // whether the query lets it through
	attributes map[string]string
}

func machines(q driver.Query) priced {
	p := priced{name: "vm", wanted: q["diskType"] == "", attributes: map[string]string{
		"productFamily": "Compute Instance", "tenancy": "Shared", "capacitystatus": "Used", "preInstalledSw": "NA",
	}}
	if q["spec"] != "" {
		p.attributes["instanceType"] = q["spec"]
	}
	for theirs, ours := range systems() {
		if q["os"] == ours {
			p.attributes["operatingSystem"] = theirs
		}
	}
	return p
}

func volumes(q driver.Query) priced {
	p := priced{name: "disk", wanted: q["spec"] == "" && q["os"] == "", attributes: map[string]string{"productFamily": "Storage"}}
	if q["diskType"] != "" {
		p.attributes["volumeApiName"] = q["diskType"]
	}
	return p
}

// systems are AWS's words for operating systems.
func systems() map[string]string {
	return map[string]string{"Linux": "linux", "Windows": "windows", "RHEL": "rhel", "SUSE": "sles", "Ubuntu Pro": "ubuntu-pro"}
}

// priceRegion is where the prices of a region can be asked for.
// https://docs.aws.amazon.com/general/latest/gr/billing.html
func priceRegion(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "cn-northwest-1"
	}
	return "us-east-1"
}

// priceDocument is one product with its prices.
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/bulk-api-reading-price-list-files.html
type priceDocument struct {
	Product struct {
		Attributes struct {
			InstanceType    string `json:"instanceType"`
			OperatingSystem string `json:"operatingSystem"`
			VolumeAPIName   string `json:"volumeApiName"`
		} `json:"attributes"`
	} `json:"product"`
	Terms map[string]map[string]struct { // OnDemand or Reserved, then by offer
		EffectiveDate  *time.Time `json:"effectiveDate"`
		TermAttributes struct {
			Length   string `json:"LeaseContractLength"`
			Class    string `json:"OfferingClass"`
			Purchase string `json:"PurchaseOption"`
		} `json:"termAttributes"`
		Dimensions map[string]struct {
			RateCode    string            `json:"rateCode"`
			Unit        string            `json:"unit"`
			Description string            `json:"description"`
			Amount      map[string]string `json:"pricePerUnit"`
		} `json:"priceDimensions"`
	} `json:"terms"`
}

// pricesIn answers the prices of a product, in a fixed order.
func pricesIn(document, product, contract string) ([]resource.Price, error) {
	var d priceDocument
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "read a price of AWS: %w", err)
	}
	contracts := map[string]string{"OnDemand": "onDemand", "Reserved": "reserved"}
	units := map[string]string{"Hrs": "hour", "GB-Mo": "GiB-month", "Quantity": "upfront"}
	attributes := d.Product.Attributes
	var prices []resource.Price
	for _, kind := range slices.Sorted(maps.Keys(d.Terms)) {
		if contracts[kind] == "" || (contract != "" && contract != contracts[kind]) {
			continue
		}
		for _, offer := range slices.Sorted(maps.Keys(d.Terms[kind])) {
			term := d.Terms[kind][offer]
			for _, id := range slices.Sorted(maps.Keys(term.Dimensions)) {
				dimension := term.Dimensions[id]
				for _, currency := range slices.Sorted(maps.Keys(dimension.Amount)) {
					prices = append(prices, resource.Price{
						ID: id, Product: product, Contract: contracts[kind], Currency: currency, Amount: dimension.Amount[currency], Unit: cmp.Or(units[dimension.Unit], dimension.Unit),
						Spec: attributes.InstanceType, DiskType: attributes.VolumeAPIName, OS: cmp.Or(systems()[attributes.OperatingSystem], strings.ToLower(attributes.OperatingSystem)),
						Term:      strings.Join(strings.Fields(term.TermAttributes.Length+" "+term.TermAttributes.Class+" "+term.TermAttributes.Purchase), " "),
						ValidFrom: term.EffectiveDate, Doc: dimension.Description,
					})
				}
			}
		}
	}
	return prices, nil
}
