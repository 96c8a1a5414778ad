// Package aws is the driver for Amazon Web Services and clouds that speak its EC2
// API.
//
// Every file holds one kind or catalog in the same order: type, what EC2 lists of it (which is
// List and Get by objectsOf), Make, Complete, Delete, actions, views, helpers. Calls go through
// call and paged, so that every error has its code and every list is complete.
package aws

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// conformance is the report of the last run of the conformance suite.
//
//go:embed conformance.json
var conformance []byte

// korean are the texts of the description in Korean.
//
//go:embed ko.json
var korean []byte

// permissions are the actions that a policy of IAM has to allow, as AWS names them.
//
//go:embed permissions.txt
var permissions string

const (
	program = "mc-infra-connector" // what AWS's logs show as the caller

	settingEndpoint    = "endpoint"
	settingClusterRole = "clusterRole"
	settingNodeRole    = "nodeRole"
)

// New defines the driver. A kind that is found by its tag costs two looks at its creation:
// AWS has neither a client token nor a unique name for it.
func New() *driver.Driver {
	return driver.New(about(), connect,
		driver.Catalog(resource.Regions, func(s *session) driver.ListerFunc[resource.Region] { return s.regions }),
		driver.Catalog(resource.Zones, func(s *session) driver.ListerFunc[resource.Zone] { return s.zones }),
		driver.Catalog(resource.Images, func(s *session) driver.ListerFunc[resource.Image] { return s.trustedImages }),
		driver.Catalog(resource.Specs, func(s *session) driver.ListerFunc[resource.Spec] { return s.specs }),
		driver.Catalog(resource.DiskTypes, func(*session) driver.ListerFunc[resource.DiskType] { return diskTypes }),
		driver.Catalog(resource.Prices, func(s *session) driver.ListerFunc[resource.Price] { return s.prices }),
		driver.Catalog(resource.Quotas, func(s *session) driver.ListerFunc[resource.Quota] { return s.quotas }),
		driver.Kind(resource.VPC, func(s *session) driver.FullVPC { return vpcs{objectsOf(s, "VPC", "vpc-id", s.vpcs, vpcOf)} }),
		driver.Kind(resource.Subnet, func(s *session) driver.FullSubnet {
			return subnets{objectsOf(s, "subnet", "subnet-id", s.subnets, subnetOf)}
		}, driver.ByName),
		driver.Kind(resource.SecurityGroup, func(s *session) driver.FullSecurityGroup {
			return securityGroups{objectsOf(s, "security group", "group-id", s.securityGroups, securityGroupOf)}
		}, driver.ByName),
		driver.Kind(resource.KeyPair, func(s *session) driver.FullKeyPair {
			return keyPairs{objectsOf(s, "key pair", "key-name", s.keyPairs, keyPairOf)}
		}, driver.ByName, driver.ReusedIDs),
		driver.Kind(resource.VM, openVMs, driver.ByToken),
		driver.Kind(resource.Disk, func(s *session) driver.FullDisk { return disks{objectsOf(s, "disk", "volume-id", s.volumes, diskOf)} }, driver.ByToken),
		driver.Kind(resource.Snapshot, func(s *session) driver.FullSnapshot {
			return snapshots{objectsOf(s, "snapshot", "snapshot-id", s.snapshots, snapshotOf)}
		}),
		driver.Kind(resource.CustomImage, func(s *session) driver.FullCustomImage {
			return customImages{objectsOf(s, "image", "image-id", s.ownImages, customImageOf)}
		}, driver.ByName),
		driver.Kind(resource.PublicIP, func(s *session) driver.FullPublicIP {
			return publicIPs{objectsOf(s, "public IP", "allocation-id", s.located, publicIPOf)}
		}),
		driver.Kind(resource.NIC, openNICs, driver.ByToken),
		driver.Kind(resource.NLB, func(s *session) driver.FullNLB { return nlbs{s} }, driver.ByName),
		driver.Kind(resource.Cluster, func(s *session) driver.FullCluster { return clusters{s} }, driver.ByName, driver.ReusedIDs),
		driver.Extension("createTags", "Sets tags of anything that EC2 names by id, whatever its kind.", createTags),
		driver.Extension("getRegionInfo", "Answers the region that the connection is in, with its zones.", regionInfoOf),
	)
}

// usedLag is how long, in seconds, interfaces of VMs and load balancers that are gone may
// keep their subnets, groups and VPC.
// https://github.com/hashicorp/terraform-provider-aws/issues/151
const usedLag = 60

func about() driver.About {
	const keys = "AWS console, IAM, Users, Security credentials, Create access key: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html"
	return driver.About{
		Name:    "aws",
		Title:   "Amazon Web Services",
		Version: "0.1.0",

		UsedLagSeconds: usedLag,

		Tested: driver.ReadReports(conformance),
		Texts:  driver.Texts{"ko": driver.ReadTexts(korean, transport.Korean())},
		Doc:    "Amazon EC2 and clouds that speak its API. The key pair of a node group lets in by SSH from the security groups that the cluster was made with, or else from its own, and from nowhere else. Values of labels of load balancers are written with @= and hexadecimal digits where AWS does not take a sign: R&D is R@=26D in its console.",
		Credential: []driver.Field{
			{Name: "accessKeyId", Title: "Access key ID", Doc: "Id of the access key, such as AKIA….", Where: keys, Type: driver.TypeString, Required: true, Keys: driver.Keys{Spider: "ClientId", Cloud: "aws_access_key_id"}},
			{Name: "secretAccessKey", Title: "Secret access key", Doc: "Secret half of the access key.", Where: keys, Type: driver.TypeString, Secret: true, Required: true, Keys: driver.Keys{Spider: "ClientSecret", Cloud: "aws_secret_access_key"}},
			{Name: "sessionToken", Title: "Session token", Doc: "Only with temporary keys; they stop working when the session ends. Default: none.", Type: driver.TypeString, Secret: true, Aliases: []string{"StsToken", "aws_session_token"}},
			{Name: "roleArn", Title: "Role ARN", Doc: "Role to assume with the key, such as arn:aws:iam::123456789012:role/infra. Default: the key itself is used.", Where: "AWS console, IAM, Roles", Type: driver.TypeString},
			{Name: "externalId", Title: "External ID", Doc: "Only with roleArn: the id that the role's owner asks for. Default: none.", Type: driver.TypeString},
		},
		Facts: driver.Facts{
			RootDisks: driver.Disks{Types: []string{"standard", "gp2", "gp3"}},
			Disks: driver.Disks{Types: []string{"standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"}, Sizes: []driver.SizeRange{
				{Type: "standard", Min: 1, Max: 1024},
				{Type: "gp2", Min: 1, Max: 16384},
				{Type: "gp3", Min: 1, Max: 16384},
				{Type: "io1", Min: 4, Max: 16384},
				{Type: "io2", Min: 4, Max: 16384},
				{Type: "st1", Min: 125, Max: 16384},
				{Type: "sc1", Min: 125, Max: 16384},
			}},
			NameLengths:   []int{255, 256, 255, 255, 255, 256, 32, 127, 100, 0, 63},
			DefaultRegion: "ap-northeast-2", DefaultZone: "ap-northeast-2a",
		},
		Settings: append([]driver.Field{
			{Name: settingEndpoint, Title: "Endpoint", Doc: "URL of a cloud that speaks AWS's API, such as https://ec2.example.com; used for every service. Default: AWS.", Type: driver.TypeString},
			{Name: settingClusterRole, Title: "Cluster role", Doc: "Name or ARN of the IAM role that EKS runs clusters with; it has the policy AmazonEKSClusterPolicy and trusts eks.amazonaws.com. Default: AmazonEKSClusterRole. See https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html", Type: driver.TypeString},
			{Name: settingNodeRole, Title: "Node role", Doc: "Name or ARN of the IAM role of the nodes of clusters; it has the policies AmazonEKSWorkerNodePolicy, AmazonEKS_CNI_Policy and AmazonEC2ContainerRegistryPullOnly and trusts ec2.amazonaws.com. Default: AmazonEKSNodeRole. See https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html", Type: driver.TypeString},
		}, transport.Settings()...),
		Missing: map[string]string{
			"natgateway":    "NAT gateways are not offered yet; call them with native calls to the service ec2",
			"vpcpeering":    "VPC peerings are not offered yet; call them with native calls to the service ec2",
			"vpngateway":    "virtual private gateways are not offered yet; call them with native calls to the service ec2",
			"vpnconnection": "site-to-site VPN is not offered yet; call it with native calls to the service ec2",
			"routetable":    "route tables are not offered yet; call them with native calls to the service ec2",
			"certificate":   "ACM is not offered yet; call it with native calls to the service acm",
			"alb":           "application load balancers are not offered yet; call them with native calls to the service elasticloadbalancing",
			"bucket":        "S3 is not offered yet; call it with native calls to the service s3",
			"queue":         "SQS is not offered yet; call it with native calls to the service sqs",
			"fileshare":     "EFS is not offered yet; call it with native calls to the service elasticfilesystem",
			"database":      "RDS is not offered yet; call it with native calls to the service rds",
			"dbbackup":      "RDS is not offered yet; call it with native calls to the service rds",
			"broker":        "MSK and Amazon MQ are not offered yet; call them with native calls to the services kafka and mq",
			"dbengine":      "RDS is not offered yet; call it with native calls to the service rds",
			"dbspec":        "RDS is not offered yet; call it with native calls to the service rds",
			"k8sversion":    "the versions of EKS are not listed yet; ask for them with native calls to the service eks",
			"metric":        "CloudWatch is not read yet; ask it with native calls to the service monitoring",
		},
		Native: "The service is the first part of AWS's endpoint: ec2, s3, iam, api.pricing. The region is the connection's; another one follows an @: api.pricing@us-east-1. " +
			"Path, query, headers and body are those of AWS's API reference; the driver signs them (Signature Version 4). With an endpoint setting all services are asked there.",
		Permissions: strings.Fields(permissions),
	}
}

// session is an open connection to one region.
type session struct {
	*transport.Transport

	config  aws.Config
	ec2     *ec2.Client
	elb     *elb.Client
	eks     *eks.Client
	sts     *sts.Client
	pricing *pricing.Client
	limits  *servicequotas.Client
	users   sshUsers

	region, zone          string // zone is for subnets and disks that name none; may be ""
	anyZone               string // one that takes new disks, for those that name none: AWS wants one
	clusterRole, nodeRole string // ARNs or names
	identity              atomic.Pointer[identity]
}

// identity is whose a credential is.
type identity struct {
	account string // its id
	roles   string // what ARNs of its roles begin with
}

// AccountID implements driver.Accounter. What speaks EC2 and has no STS does not tell it.
func (s *session) AccountID() string {
	if known := s.identity.Load(); known != nil {
		return known.account
	}
	return ""
}

// connect builds the configuration from the connection alone: neither variables of
// the environment nor files of the machine may choose an account.
func connect(ctx context.Context, c driver.Config) (*session, error) {
	if err := transport.CheckURL(c.Settings, settingEndpoint); err != nil {
		return nil, err
	}
	way, err := transport.New(transport.Config{Settings: c.Settings, Logger: c.Logger, API: spoken, Operation: operationOf})
	if err != nil {
		return nil, err
	}
	config := aws.Config{
		// Regions can be asked from any region: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
		Region:      cmp.Or(c.Region, "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(c.Credential["accessKeyId"], c.Credential["secretAccessKey"], c.Credential["sessionToken"]),
		HTTPClient:  way.Client(),
		AppID:       program,
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} }, // the server does it, and looks first
	}
	if endpoint := c.Settings[settingEndpoint]; endpoint != "" {
		config.BaseEndpoint = aws.String(endpoint)
	}
	if role := c.Credential["roleArn"]; role != "" {
		config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(config), role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = program
			o.ExternalID = driver.Optional(c.Credential["externalId"])
		}))
	}
	if c.Region == "" {
		config.APIOptions = append(config.APIOptions, onlyRegions)
	}
	s := &session{
		Transport: way, config: config, region: c.Region, zone: c.Zone,
		ec2: ec2.NewFromConfig(config), elb: elb.NewFromConfig(config), eks: eks.NewFromConfig(config), sts: sts.NewFromConfig(config),
		pricing: pricing.NewFromConfig(config, func(o *pricing.Options) { o.Region = priceRegion(c.Region) }), limits: servicequotas.NewFromConfig(config),
		clusterRole: cmp.Or(c.Settings[settingClusterRole], "AmazonEKSClusterRole"), nodeRole: cmp.Or(c.Settings[settingNodeRole], "AmazonEKSNodeRole"),
	}
	if c.Region == "" {
		return s, nil
	}
	if err := s.check(ctx, c); err != nil {
		_ = s.Close() // never fails
		return nil, s.explained(err)
	}
	if _, err := s.identify(ctx); err != nil { // nothing is concluded from it
		c.Logger.InfoContext(ctx, "the account of the credential is not known", slog.Any("error", err))
	}
	return s, nil
}

// identifyWithin bounds how long STS may take: where only EC2 can be reached, it never answers.
const identifyWithin = 5 * time.Second

// identify asks whose the credential is, unless that is known.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *session) identify(ctx context.Context) (*identity, error) {
	if known := s.identity.Load(); known != nil {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	out, err := call(ctx, s.sts.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	account := aws.ToString(out.Account)
	partition, _, _ := strings.Cut(strings.TrimPrefix(aws.ToString(out.Arn), "arn:"), ":")
	known := &identity{account, fmt.Sprintf("arn:%s:iam::%s:role/", cmp.Or(partition, "aws"), account)}
	s.identity.Store(known)
	return known, nil
}

// explained adds to a refused login that this machine's clock is off: EC2 answers the
// same to a wrong key.
func (s *session) explained(err error) error {
	if advice := s.ClockAdvice(); advice != "" && resource.CodeOf(err) == resource.CodeUnauthenticated {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}

// spoken reports whether an answer is in the format that the service speaks: the SDK
// would read an empty list in another one.
func spoken(response *http.Response) bool {
	media := transport.MediaType(response)
	switch awsmiddleware.GetServiceID(response.Request.Context()) {
	case ec2.ServiceID, sts.ServiceID, elb.ServiceID:
		return strings.HasSuffix(media, "xml")
	default:
		return strings.HasSuffix(media, "json") || strings.HasPrefix(media, "application/x-amz-json")
	}
}

// operationOf names a call; all calls to EC2 have the same path.
func operationOf(r *http.Request) string { return awsmiddleware.GetOperationName(r.Context()) }

// check asks for the region's zones: that needs the right keys, the right region
// and an endpoint that speaks EC2, and says whether the default zone exists.
func (s *session) check(ctx context.Context, c driver.Config) error {
	all, err := driver.Collect(s.zones(ctx, nil))
	if err != nil {
		return err
	}
	names := driver.Convert(all, func(z resource.Zone) string { return z.Name })
	if i := slices.IndexFunc(all, func(z resource.Zone) bool { return z.Available }); i >= 0 {
		s.anyZone = all[i].Name
	}
	switch {
	case len(names) == 0:
		return resource.Errorf(resource.CodeUnavailable, "the endpoint answers, but names no zone of the region %s; check that the region exists and that the endpoint speaks the EC2 API", c.Region)
	case c.Zone != "" && !slices.Contains(names, c.Zone):
		return resource.Invalid(resource.Problem{Field: "zone", Message: "the region " + c.Region + " has no zone " + c.Zone + " for this account; it has: " + strings.Join(names, ", ")})
	}
	return nil
}

// onlyRegions refuses every other call on a connection without a region, so that
// nothing is made in a region that nobody chose.
func onlyRegions(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("OnlyRegions", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		if awsmiddleware.GetOperationName(ctx) != "DescribeRegions" {
			return middleware.InitializeOutput{}, middleware.Metadata{}, regionless()
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.After)
}

func regionless() error {
	return resource.Invalid(resource.Problem{Field: "region", Message: "the connection names no region; without one only regions can be listed"})
}
