// Package aws is the driver for Amazon Web Services and clouds that speak its EC2
// API.
//
// Every file holds one kind or catalog in the same order: type, List, Get, Create,
// Delete, actions, helpers. Calls go through call and paged, so that every error
// has its code and every list is complete.
package aws

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// program is what AWS's logs show as the caller.
const program = "mc-infra-connector"

// New defines the driver.
func New() *driver.Driver {
	return driver.New(about(), connect,
		driver.Catalog(resource.Regions, func(s *session) regions { return regions{s} }),
		driver.Catalog(resource.Zones, func(s *session) zones { return zones{s} }),
		driver.Catalog(resource.Images, func(s *session) images { return images{s} }),
		driver.Catalog(resource.Specs, func(s *session) specs { return specs{s} }),
		driver.Kind(resource.VPC, func(s *session) vpcs { return vpcs{s} }),
		driver.Kind(resource.Subnet, func(s *session) subnets { return subnets{s} }),
		driver.Kind(resource.SecurityGroup, func(s *session) securityGroups { return securityGroups{s} }),
		driver.Kind(resource.KeyPair, func(s *session) keyPairs { return keyPairs{s} }),
		driver.Kind(resource.VM, func(s *session) vms { return vms{s} }),
	)
}

func about() driver.About {
	const keys = "AWS console, IAM, Users, Security credentials, Create access key: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html"
	return driver.About{
		Name:    "aws",
		Title:   "Amazon Web Services",
		Version: "0.1.0",
		Doc:     "Amazon EC2 and clouds that speak its API.",
		Credential: []driver.Field{
			{Name: "accessKeyId", Title: "Access key ID", Doc: "Id of the access key, such as AKIA….", Where: keys, Type: driver.TypeString, Required: true, Aliases: []string{"ClientId"}},
			{Name: "secretAccessKey", Title: "Secret access key", Doc: "Secret half of the access key.", Where: keys, Type: driver.TypeString, Secret: true, Required: true, Aliases: []string{"ClientSecret"}},
			{Name: "sessionToken", Title: "Session token", Doc: "Only with temporary keys; they stop working when the session ends. Default: none.", Type: driver.TypeString, Secret: true, Aliases: []string{"StsToken"}},
			{Name: "roleArn", Title: "Role ARN", Doc: "Role to assume with the key, such as arn:aws:iam::123456789012:role/infra. Default: the key itself is used.", Where: "AWS console, IAM, Roles", Type: driver.TypeString},
			{Name: "externalId", Title: "External ID", Doc: "Only with roleArn: the id that the role's owner asks for. Default: none.", Type: driver.TypeString},
		},
		Settings: []driver.Field{
			{Name: "endpoint", Title: "Endpoint", Doc: "URL of a cloud that speaks AWS's API, such as https://ec2.example.com; used for every service. Default: AWS.", Type: driver.TypeString},
		},
		Permissions: []string{
			"ec2:DescribeRegions", "ec2:DescribeAvailabilityZones", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
			"ec2:CreateTags",
			"ec2:DescribeVpcs", "ec2:CreateVpc", "ec2:ModifyVpcAttribute", "ec2:DeleteVpc",
			"ec2:DescribeInternetGateways", "ec2:CreateInternetGateway", "ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway",
			"ec2:DescribeRouteTables", "ec2:CreateRoute", "ec2:ReplaceRoute",
			"ec2:DescribeSubnets", "ec2:CreateSubnet", "ec2:ModifySubnetAttribute", "ec2:DeleteSubnet",
			"ec2:DescribeSecurityGroups", "ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup",
			"ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress",
			"ec2:DescribeKeyPairs", "ec2:ImportKeyPair", "ec2:DeleteKeyPair",
			"ec2:DescribeInstances", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances", "ec2:TerminateInstances",
		},
	}
}

// session is an open connection to one region.
type session struct {
	ec2  *ec2.Client
	http *http.Client
	zone string // for subnets that name none; may be ""
}

// Close lets go of the idle connections to the cloud.
func (s *session) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// connect builds the configuration from the connection alone: neither variables of
// the environment nor files of the machine may choose an account.
func connect(ctx context.Context, c driver.Config) (*session, error) {
	if err := checkEndpoint(c.Settings["endpoint"]); err != nil {
		return nil, err
	}
	transport := awshttp.NewBuildableClient().GetTransport()
	transport.Proxy = nil // not from the environment either
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // signed for one host only
	}
	config := aws.Config{
		// Regions can be asked from any region: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
		Region:      cmp.Or(c.Region, "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(c.Credential["accessKeyId"], c.Credential["secretAccessKey"], c.Credential["sessionToken"]),
		HTTPClient:  onlyXML{client},
		AppID:       program,
		Retryer:     retryThrottled,
	}
	if endpoint := c.Settings["endpoint"]; endpoint != "" {
		config.BaseEndpoint = aws.String(endpoint)
	}
	if role := c.Credential["roleArn"]; role != "" {
		config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(config), role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = program
			if id := c.Credential["externalId"]; id != "" {
				o.ExternalID = aws.String(id)
			}
		}))
	}
	s := &session{http: client, zone: c.Zone}
	if c.Region == "" {
		s.ec2 = ec2.NewFromConfig(config, onlyRegions)
		return s, nil
	}
	s.ec2 = ec2.NewFromConfig(config)
	if err := s.check(ctx, c); err != nil {
		_ = s.Close() // never fails
		return nil, err
	}
	return s, nil
}

// check asks for the region's zones: that needs the right keys, the right region
// and an endpoint that speaks EC2, and says whether the default zone exists.
func (s *session) check(ctx context.Context, c driver.Config) error {
	var names []string
	for zone, err := range (zones{s}).List(ctx, nil) {
		if err != nil {
			return err
		}
		names = append(names, zone.Name)
	}
	switch {
	case len(names) == 0:
		return resource.Errorf(resource.CodeUnavailable, "the endpoint answers, but names no zone of the region %s; check that the region exists and that the endpoint speaks the EC2 API", c.Region)
	case c.Zone != "" && !slices.Contains(names, c.Zone):
		return resource.Invalid(resource.Problem{Field: "zone", Message: "the region " + c.Region + " has no zone " + c.Zone + " for this account; it has: " + strings.Join(names, ", ")})
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return resource.Invalid(resource.Problem{Field: "settings.endpoint", Message: "is not a URL such as https://ec2.example.com"})
	}
	return nil
}

// retryThrottled repeats only what AWS says it did not do. What failed otherwise
// may have been done, and creating a VPC has no client token that would make a
// blind repeat safe; the server repeats a whole verb, which looks first.
func retryThrottled() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes},
		}
	})
}

// onlyRegions refuses every other call on a connection without a region, so that
// nothing is made in a region that nobody chose.
func onlyRegions(o *ec2.Options) {
	guard := middleware.InitializeMiddlewareFunc("OnlyRegions", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		if awsmiddleware.GetOperationName(ctx) != "DescribeRegions" {
			return middleware.InitializeOutput{}, middleware.Metadata{}, resource.Invalid(resource.Problem{Field: "region", Message: "the connection names no region; without one only regions can be listed"})
		}
		return next.HandleInitialize(ctx, in)
	})
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(guard, middleware.After) })
}
