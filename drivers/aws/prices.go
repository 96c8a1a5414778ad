package aws

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type prices struct{ *session }

// List answers what machine types and types of disk cost in the region: machines that
// are not dedicated to one customer, without software beyond the system.
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
func (p prices) List(ctx context.Context, q driver.Query) iter.Seq2[resource.Price, error] {
	return func(yield func(resource.Price, error) bool) {
		for _, product := range []priced{machines(q), volumes(q)} {
			if (q["product"] != "" && q["product"] != product.name) || !product.wanted {
				continue
			}
			in := &pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2"), FormatVersion: aws.String("aws_v1"), MaxResults: aws.Int32(100)}
			product.attributes["regionCode"] = p.region
			for _, field := range slices.Sorted(maps.Keys(product.attributes)) {
				in.Filters = append(in.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: aws.String(field), Value: aws.String(product.attributes[field])})
			}
			for document, err := range paged(ctx, pricing.NewGetProductsPaginator(p.pricing, in),
				func(page *pricing.GetProductsOutput) []string { return page.PriceList }, same) {
				if err != nil {
					yield(resource.Price{}, err)
					return
				}
				if !pricesIn(document, product.name, q["contract"], yield) {
					return
				}
			}
		}
	}
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

// pricesIn yields the prices of a product, in a fixed order, and reports whether to go on.
func pricesIn(document, product, contract string, yield func(resource.Price, error) bool) bool {
	var d priceDocument
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return yield(resource.Price{}, resource.Errorf(resource.CodeInternal, "read a price of AWS: %w", err)) && false
	}
	contracts := map[string]string{"OnDemand": "onDemand", "Reserved": "reserved"}
	units := map[string]string{"Hrs": "hour", "GB-Mo": "GiB-month", "Quantity": "upfront"}
	attributes := d.Product.Attributes
	for _, kind := range slices.Sorted(maps.Keys(d.Terms)) {
		if contracts[kind] == "" || (contract != "" && contract != contracts[kind]) {
			continue
		}
		for _, offer := range slices.Sorted(maps.Keys(d.Terms[kind])) {
			term := d.Terms[kind][offer]
			for _, id := range slices.Sorted(maps.Keys(term.Dimensions)) {
				dimension := term.Dimensions[id]
				unit, known := units[dimension.Unit]
				if !known {
					unit = dimension.Unit
				}
				for _, currency := range slices.Sorted(maps.Keys(dimension.Amount)) {
					price := resource.Price{
						ID: id, Product: product, Contract: contracts[kind], Currency: currency, Amount: dimension.Amount[currency], Unit: unit,
						Spec: attributes.InstanceType, DiskType: attributes.VolumeAPIName, OS: systems()[attributes.OperatingSystem],
						Term:      strings.Join(strings.Fields(term.TermAttributes.Length+" "+term.TermAttributes.Class+" "+term.TermAttributes.Purchase), " "),
						ValidFrom: term.EffectiveDate, Doc: dimension.Description,
					}
					if price.OS == "" {
						price.OS = strings.ToLower(attributes.OperatingSystem)
					}
					if !yield(price, nil) {
						return false
					}
				}
			}
		}
	}
	return true
}
