package moto

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestRequestsAgainstWhatAWSPublishes(t *testing.T) {
	t.Parallel()
	_, botocore := python(t)
	known := &models{dir: botocore, loaded: map[string]*model{}}
	long := strings.Repeat("x", 129)
	for name, test := range map[string]struct {
		service, target, method, path, body string
		operation                           string
		problems                            []string
	}{
		"lists and structures of EC2": {
			service: "ec2", body: "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ImageId=ami-1&InstanceType=t3.micro&SecurityGroupId.1=sg-1&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&BlockDeviceMapping.1.Ebs.VolumeSize=8",
			operation: "RunInstances",
		},
		"EC2": {
			service: "ec2", body: "Action=RunInstances&Version=2016-11-15&MaxCount=many&ImageId=ami-1&InstanceType=t3.gigantic&SecurityGroupIds.1=sg-1&BlockDeviceMapping.1.Ebs.Encrypted=yes",
			operation: "RunInstances", problems: []string{
				`RunInstances.BlockDeviceMappings[0].Ebs.Encrypted: "yes" is no boolean`, `RunInstances.InstanceType: "t3.gigantic" is none of `, `RunInstances.MaxCount: "many" is no integer`, "RunInstances.MinCount: is required", "RunInstances.SecurityGroupIds.1: there is no such parameter",
			},
		},
		"no such operation":   {service: "ec2", body: "Action=Explode&Version=2016-11-15", operation: "Explode", problems: []string{"Explode: there is no such operation"}},
		"another version":     {service: "ec2", body: "Action=DescribeVpcs&Version=2010-01-01", operation: "DescribeVpcs", problems: []string{`Version: is "2010-01-01" instead of "2016-11-15"`}},
		"more than a page":    {service: "ec2", body: "Action=DescribeVpcs&Version=2016-11-15&MaxResults=5000", operation: "DescribeVpcs", problems: []string{"DescribeVpcs.MaxResults: 5000 is more than 1000"}},
		"load balancers":      {service: "elasticloadbalancing", body: "Action=AddTags&Version=2015-12-01&ResourceArns.member.1=arn:1&Tags.member.1.Key=team&Tags.member.1.Value=%EA%B9%80+7", operation: "AddTags"},
		"signs in their tags": {service: "elasticloadbalancing", body: "Action=AddTags&Version=2015-12-01&ResourceArns.member.1=arn:1&Tags.member.1.Key=" + long + "&Tags.member.1.Value=R%26D", operation: "AddTags", problems: []string{"AddTags.Tags[0].Key: 129 characters is more than 128", `AddTags.Tags[0].Value: "R&D" does not match `}},
		"clusters":            {service: "eks", path: "/clusters/prod/node-groups", body: `{"nodegroupName":"a","subnets":["subnet-1"],"nodeRole":"arn","scalingConfig":{"minSize":1}}`, operation: "CreateNodegroup"},
		"EKS": {
			service: "eks", path: "/clusters", body: `{"name":"a.b","roleArn":7,"resourcesVpcConfig":{"subnetIds":"subnet-1"},"colour":"red"}`,
			operation: "CreateCluster", problems: []string{"CreateCluster.colour: there is no such parameter", `CreateCluster.name: "a.b" does not match `, `CreateCluster.resourcesVpcConfig.subnetIds: "subnet-1" is no list`, "CreateCluster.roleArn: is 7 instead of a string"},
		},
		"lists in a query":   {service: "eks", method: http.MethodDelete, path: "/tags/arn%3Aaws%2Fx?tagKeys=a&tagKeys=b", operation: "UntagResource"},
		"unknown in a query": {service: "eks", method: http.MethodGet, path: "/clusters?maxResults=1000&colour=red", operation: "ListClusters", problems: []string{"ListClusters.colour: there is no such parameter", "ListClusters.maxResults: 1000 is more than 100"}},
		"no such path":       {service: "eks", path: "/clouds", operation: "", problems: []string{"POST /clouds: there is no such operation"}},
		"prices":             {service: "pricing", target: "AWSPriceListService.GetProducts", body: `{"ServiceCode":"AmazonEC2","Filters":[{"Type":"SOUNDS_LIKE","Field":"a"}]}`, operation: "GetProducts", problems: []string{`GetProducts.Filters[0].Type: "SOUNDS_LIKE" is none of `, "GetProducts.Filters[0].Value: is required"}},
	} {
		model, err := known.of(test.service)
		if err != nil || model == nil {
			t.Fatalf("%s: %v", test.service, err)
		}
		if test.method == "" {
			test.method = http.MethodPost
		}
		request := httptest.NewRequestWithContext(t.Context(), test.method, "http://aws.example"+"/"+strings.TrimPrefix(test.path, "/"), nil)
		request.Header.Set("X-Amz-Target", test.target)
		operation, problems := model.check(request, []byte(test.body))
		slices.Sort(problems)
		if operation != test.operation || !slices.EqualFunc(problems, test.problems, strings.HasPrefix) {
			t.Errorf("%s: got %s %q; want %s %q", name, operation, problems, test.operation, test.problems)
		}
	}
}

func TestPatternsOfJava(t *testing.T) {
	t.Parallel()
	for java, test := range map[string]struct{ fits, not []string }{
		`[\p{Alnum}_]+`:                             {[]string{"aZ9_"}, []string{"é", "", "a b"}},
		`[\p{IsAlphabetic}]*`:                       {[]string{"김é"}, []string{"7"}},
		`[\u0020-\uD7FF\uD800\uDC00-\uDBFF\uDFFF]*`: {[]string{"a 한 🚀"}, []string{"\t"}},
		`[0-9A-Za-z][A-Za-z0-9\-_]*`:                {[]string{"a-b"}, []string{"a.b", "-a"}},
	} {
		pattern := regexp.MustCompile(goPattern(java))
		for _, text := range test.fits {
			if !pattern.MatchString(text) {
				t.Errorf("%s does not match %q", java, text)
			}
		}
		for _, text := range test.not {
			if pattern.MatchString(text) {
				t.Errorf("%s matches %q", java, text)
			}
		}
	}
}
