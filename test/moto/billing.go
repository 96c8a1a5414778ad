package moto

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// pricingAPI stands for AWS's Pricing API, which moto has not: two pages of machines, one
// of disks. It answers only what is asked for as AWS documents it.
// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
func pricingAPI(w http.ResponseWriter, r *http.Request, body []byte) {
	var in struct {
		ServiceCode, FormatVersion, NextToken string
		MaxResults                            int
		Filters                               []struct{ Type, Field, Value string }
	}
	attributes := map[string]string{}
	err := json.Unmarshal(body, &in)
	for _, f := range in.Filters {
		if f.Type != "TERM_MATCH" || f.Field == "" || f.Value == "" {
			err = fmt.Errorf("the filter %v", f)
		}
		attributes[f.Field] = f.Value
	}
	page, _ := strconv.Atoi(in.NextToken) // the first has none
	switch {
	case err != nil, r.Header.Get("X-Amz-Target") != "AWSPriceListService.GetProducts", in.ServiceCode != "AmazonEC2", in.FormatVersion != "aws_v1",
		in.MaxResults < 1 || in.MaxResults > 100, attributes["regionCode"] == "":
		answerJSON(w, http.StatusBadRequest, map[string]string{"__type": "InvalidParameterException", "message": fmt.Sprintf("%s (%v)", body, err)})
	case attributes["productFamily"] == "Storage":
		answerJSON(w, http.StatusOK, map[string]any{"FormatVersion": "aws_v1", "PriceList": []string{
			priceOf("Storage", `"volumeApiName":"gp3"`, `"OnDemand":{"S.T":{"effectiveDate":"2026-11-01T00:00:00Z","priceDimensions":{"S.T.R":{"unit":"GB-Mo","description":"General purpose","pricePerUnit":{"USD":"0.0912000000"}}},"termAttributes":{}}}`),
		}})
	case page == 0 && attributes["instanceType"] == "":
		answerJSON(w, http.StatusOK, map[string]any{"FormatVersion": "aws_v1", "NextToken": "1", "PriceList": []string{machinePrice("t3.micro", "Linux", "0.0130000000")}})
	default:
		name := attributes["instanceType"]
		if name == "" {
			name = "t3.small"
		}
		answerJSON(w, http.StatusOK, map[string]any{"FormatVersion": "aws_v1", "PriceList": []string{machinePrice(name, "Windows", "0.0350000000")}})
	}
}

// spotAPI stands for the history of spot prices, of which moto answers all machine types
// at one price, whatever it is asked: two pages.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
func spotAPI(w http.ResponseWriter, form url.Values, region string) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	start, err := time.Parse(time.RFC3339, form.Get("StartTime"))
	size, _ := strconv.Atoi(form.Get("MaxResults"))
	if err != nil || time.Since(start).Abs() > time.Minute || form.Has("EndTime") || size < 5 || size > 1000 {
		refuse(w, "ec2", "InvalidParameterValue", form.Encode())
		return
	}
	item := func(zone, product, amount string) string {
		name := form.Get("InstanceType.1")
		if name == "" {
			name = "t3.micro"
		}
		if wanted := form.Get("AvailabilityZone"); wanted != "" && wanted != region+zone {
			return ""
		}
		if wanted := form.Get("ProductDescription.1"); wanted != "" && wanted != product {
			return ""
		}
		return fmt.Sprintf("<item><instanceType>%s</instanceType><productDescription>%s</productDescription><spotPrice>%s</spotPrice><timestamp>2026-11-24T08:00:00.000Z</timestamp><availabilityZone>%s%s</availabilityZone></item>",
			name, product, amount, region, zone)
	}
	if form.Get("NextToken") == "" {
		fmt.Fprintf(w, "<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>%s</spotPriceHistorySet><nextToken>more</nextToken></DescribeSpotPriceHistoryResponse>", item("a", "Linux/UNIX", "0.004100"))
		return
	}
	fmt.Fprintf(w, "<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>%s%s</spotPriceHistorySet><nextToken></nextToken></DescribeSpotPriceHistoryResponse>",
		item("b", "Linux/UNIX", "0.004000"), item("b", "Windows", "0.009000"))
}

func machinePrice(name, system, amount string) string {
	return priceOf("Compute Instance", fmt.Sprintf(`"instanceType":%q,"operatingSystem":%q`, name, system), fmt.Sprintf(
		`"OnDemand":{"%[1]s.T":{"effectiveDate":"2026-11-01T00:00:00Z","priceDimensions":{"%[1]s.T.R":{"unit":"Hrs","description":"per hour","pricePerUnit":{"USD":%[2]q}}},"termAttributes":{}}},`+
			`"Reserved":{"%[1]s.N":{"effectiveDate":"2026-11-01T00:00:00Z","priceDimensions":{"%[1]s.N.R":{"unit":"Hrs","description":"reserved","pricePerUnit":{"USD":"0.0080000000"}}},`+
			`"termAttributes":{"LeaseContractLength":"1yr","OfferingClass":"standard","PurchaseOption":"No Upfront"}}}`, name, amount))
}

func priceOf(family, attributes, terms string) string {
	return fmt.Sprintf(`{"product":{"productFamily":%q,"attributes":{%s},"sku":"S"},"serviceCode":"AmazonEC2","terms":{%s}}`, family, attributes, terms)
}

// quotaAPI stands for Service Quotas, which fails in moto: two pages for the service vpc.
// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
func quotaAPI(w http.ResponseWriter, r *http.Request, body []byte) {
	var in struct {
		ServiceCode, QuotaCode, NextToken string
		MaxResults                        int
	}
	err := json.Unmarshal(body, &in)
	quota := func(code, name string, value float64) map[string]any {
		return map[string]any{
			"ServiceCode": in.ServiceCode, "QuotaCode": code, "QuotaName": name, "Value": value, "Unit": "None", "Adjustable": true,
			"QuotaArn": "arn:aws:servicequotas:ap-northeast-2:123456789012:" + in.ServiceCode + "/" + code,
		}
	}
	switch {
	case err != nil, r.Header.Get("X-Amz-Target") != "ServiceQuotasV20190624.ListServiceQuotas", in.MaxResults < 1 || in.MaxResults > 100, in.ServiceCode == "":
		answerJSON(w, http.StatusBadRequest, map[string]string{"__type": "IllegalArgumentException", "Message": fmt.Sprintf("%s (%v)", body, err)})
	case in.ServiceCode == "eks": // as for a service that a region has not
		answerJSON(w, http.StatusBadRequest, map[string]string{"__type": "NoSuchResourceException", "Message": "The request failed because the specified service does not exist."})
	case in.ServiceCode == "vpc" && in.NextToken == "":
		answerJSON(w, http.StatusOK, map[string]any{"NextToken": "more", "Quotas": []any{quota("L-F678F1CE", "VPCs per Region", 5)}})
	case in.ServiceCode == "ebs":
		answerJSON(w, http.StatusOK, map[string]any{"Quotas": []any{quota("L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50), quota("L-309BACF6", "Snapshots per Region", 100000)}})
	case in.ServiceCode == "ec2":
		answerJSON(w, http.StatusOK, map[string]any{"Quotas": []any{quota("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5), quota("L-0263D0A3", "EC2-VPC Elastic IPs", 5)}})
	case in.ServiceCode == "vpc":
		answerJSON(w, http.StatusOK, map[string]any{"Quotas": []any{quota("L-407747CB", "Subnets per VPC", 200)}})
	default:
		answerJSON(w, http.StatusOK, map[string]any{"Quotas": []any{quota("L-"+in.ServiceCode, "Something of "+in.ServiceCode, 1.5)}})
	}
}
