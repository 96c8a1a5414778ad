// Package mock is the driver of a cloud that exists only in memory, beside a
// journal that lets it survive the end of its process. It behaves like a real
// cloud, on demand like a real cloud on a bad day, so that people and tests can
// rehearse trouble without paying for it.
//
// Each kind is one file; what all kinds have in common is in table.go.
package mock

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
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

// New returns the driver. It touches no file before the first connection; then it
// keeps its cloud in the file mock-cloud.jsonl of the working directory.
func New() *driver.Driver { return newDriver(newCloud("")) }

// NewKeyless returns the driver of a Mock cloud without key pairs: the server keeps them, and
// machines are given keys, as on VMware and Google Cloud.
func NewKeyless() *driver.Driver { return newDriver(newCloud("").withoutKeyPairs()) }

func newDriver(c *cloud) *driver.Driver {
	connect := func(_ context.Context, config driver.Config) (*session, error) { return connect(c, config) }
	keyPairs := driver.Kind(resource.KeyPair, func(s *session) keyPairAbilities { return openKeyPairs(s) }, driver.ByToken)
	if c.keyless {
		keyPairs = driver.Kept[*session](resource.KeyPair)
	}
	return driver.New(about(c), connect,
		driver.Catalog(resource.Regions, openRegions),
		driver.Catalog(resource.Zones, openZones),
		driver.Catalog(resource.Images, openImages),
		driver.Catalog(resource.Specs, openSpecs),
		driver.Catalog(resource.DiskTypes, openDiskTypes),
		driver.Catalog(resource.Prices, openPrices),
		driver.Catalog(resource.Quotas, openQuotas),
		driver.Catalog(resource.DBEngines, openDBEngines),
		driver.Catalog(resource.DBSpecs, openDBSpecs),
		driver.Catalog(resource.K8sVersions, openK8sVersions),
		driver.Feed(resource.Metrics, metricsKept(), openMetrics),
		driver.Kind(resource.VPC, func(s *session) vpcAbilities { return openVPCs(s) }, driver.ByToken),
		driver.Kind(resource.Subnet, func(s *session) subnetAbilities { return openSubnets(s) }, driver.ByToken),
		driver.Kind(resource.SecurityGroup, func(s *session) securityGroupAbilities { return openSecurityGroups(s) }, driver.ByToken),
		keyPairs,
		driver.Kind(resource.VM, func(s *session) vmAbilities { return openVMs(s) }, driver.ByToken),
		driver.Kind(resource.Disk, func(s *session) diskAbilities { return openDisks(s) }, driver.ByToken),
		driver.Kind(resource.Snapshot, func(s *session) snapshotAbilities { return openSnapshots(s) }, driver.ByToken),
		driver.Kind(resource.CustomImage, func(s *session) customImageAbilities { return openCustomImages(s) }, driver.ByToken),
		driver.Kind(resource.PublicIP, func(s *session) publicIPAbilities { return openPublicIPs(s) }, driver.ByToken),
		driver.Kind(resource.NIC, func(s *session) nicAbilities { return openNICs(s) }, driver.ByToken),
		driver.Kind(resource.NATGateway, func(s *session) natGatewayAbilities { return openNATGateways(s) }, driver.ByToken),
		driver.Kind(resource.VPCPeering, func(s *session) vpcPeeringAbilities { return openVPCPeerings(s) }, driver.ByToken),
		driver.Kind(resource.VPNGateway, func(s *session) vpnGatewayAbilities { return openVPNGateways(s) }, driver.ByToken),
		driver.Kind(resource.VPNConnection, func(s *session) vpnConnectionAbilities { return openVPNConnections(s) }, driver.ByToken),
		driver.Kind(resource.RouteTable, func(s *session) routeTableAbilities { return openRouteTables(s) }, driver.ByToken),
		driver.Kind(resource.NLB, func(s *session) nlbAbilities { return openNLBs(s) }, driver.ByToken),
		driver.Kind(resource.Certificate, func(s *session) certificateAbilities { return openCertificates(s) }, driver.ByToken),
		driver.Kind(resource.ALB, func(s *session) albAbilities { return openALBs(s) }, driver.ByToken),
		driver.Kind(resource.Cluster, func(s *session) clusterAbilities { return openClusters(s) }, driver.ByToken),
		driver.Kind(resource.Bucket, func(s *session) bucketAbilities { return openBuckets(s) }, driver.ByToken),
		driver.Kind(resource.Queue, func(s *session) queueAbilities { return openQueues(s) }, driver.ByToken),
		driver.Kind(resource.FileShare, func(s *session) fileShareAbilities { return openFileShares(s) }, driver.ByToken),
		driver.Kind(resource.Database, func(s *session) databaseAbilities { return openDatabases(s) }, driver.ByToken),
		driver.Kind(resource.DBBackup, func(s *session) dbBackupAbilities { return openDBBackups(s) }, driver.ByToken),
		driver.Kind(resource.Broker, func(s *session) brokerAbilities { return openBrokers(s) }, driver.ByToken),
		driver.Extension("countAll", "Counts what the account has of one kind in the region.", countAll),
		driver.Extension("echo", "Answers what it is given, with who asked, to try calls out.", echo),
		driver.Extension("plantRule", "Puts a rule into a security group as other tools do, in any spelling, also one that rules have no words for.", plantRule),
	)
}

func about(c *cloud) driver.About {
	a := driver.About{
		Name:        "mock",
		Title:       "Mock cloud",
		Version:     "0.1.0",
		Doc:         "A cloud in memory that costs nothing, for trying things out and for rehearsing trouble: its settings make it slow, forgetful, stingy or broken. It keeps what was created when its process ends. Its regions are mock-seoul, mock-tokyo, mock-virginia and mock-frankfurt; default, mercury, venus, mars, jupiter, saturn, uranus and neptune offer the zones, images and specs that CB-Spider's Mock does (default-z1, mock-vmimage-01, mock-vmspec-01), and take any name for a zone.",
		LocalState:  true, // the journal
		Permissions: allPermissions(c.kinds()),
		Native:      nativeDoc,
		Facts:       driver.Facts{NameLengths: []int{255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 255}, Zoneless: true},
		Tested:      driver.ReadReports(conformance),
		Texts:       driver.Texts{"ko": driver.ReadTexts(korean)},
		Credential: []driver.Field{
			{
				Name: "account", Title: "Account", Type: driver.TypeText,
				Doc: "Any name. Connections with the same account and region see the same objects; other accounts see none of them. Default: default.", Where: "Make one up.",
			},
			{
				Name: "mockName", Title: "Name in CB-Spider", Type: driver.TypeText,
				Doc: "The account, as clients of CB-Spider give it. Then any region and any zone will do, as for CB-Spider's Mock: one that is not listed offers what default does. Default: none.", Where: "Make one up.",
				Keys: driver.Keys{Spider: "MockName", Cloud: "MockName"},
			},
			{
				Name: "password", Title: "Password", Type: driver.TypeText, Secret: true,
				Doc: "Anything is accepted, and nothing too; only the password wrong is refused, to rehearse a failing login. Default: none.", Where: "Make one up.",
			},
			{
				Name: "denied", Title: "Permissions that it lacks", Type: driver.TypeText,
				Doc: "Permissions that the credential lacks, such as vm:write,nlb:read. What needs them is answered with the code denied. Default: none.", Where: "Choose some of the permissions that the driver names.",
			},
		},
	}
	if c.keyless {
		a.Tested = nil // of which the report is not
	}
	var types []string
	for _, t := range spiderOffer().diskTypes {
		types = append(types, t.Name)
		a.Facts.Disks.Sizes = append(a.Facts.Disks.Sizes, driver.SizeRange{Type: t.Name, Min: t.MinSizeGiB, Max: t.MaxSizeGiB})
	}
	a.Facts.RootDisks.Types, a.Facts.Disks.Types = types, types
	for _, s := range settingFields() {
		a.Settings = append(a.Settings, s.Field)
	}
	return a
}

// session is an open connection to one region of one account.
type session struct {
	settings
	place
	cloud  *cloud
	offer  *offer   // of the region
	zone   string   // for subnets that name none, may be ""
	denied []string // permissions
	log    *slog.Logger
	calls  atomic.Uint64

	forgotten sync.Map // ids whose deletion the setting forgetDelete has passed over
}

// AccountID implements driver.Accounter.
func (s *session) AccountID() string { return s.Account }

// Scopes implements driver.Scoper.
func (s *session) Scopes() map[string]string {
	scopes := map[string]string{}
	for _, kind := range s.accountWide {
		scopes[kind] = "account " + s.Account
	}
	return scopes
}

func connect(c *cloud, config driver.Config) (*session, error) {
	settings, err := parseSettings(config.Settings)
	if err != nil {
		return nil, err
	}
	if config.Credential["password"] == "wrong" {
		return nil, refuse(resource.CodeUnauthenticated, "AuthFailure", "the password is wrong; give the credential any other one")
	}
	s := &session{
		settings: settings,
		place:    place{Account: cmp.Or(config.Credential["account"], config.Credential["mockName"], "default"), Region: config.Region},
		cloud:    c,
		zone:     config.Zone,
		log:      config.Logger,
	}
	if s.denied, err = parseDenied(config.Credential["denied"], allPermissions(c.kinds())); err != nil {
		return nil, err
	}
	if s.offer, err = c.offerIn(s.Region, config.Credential["mockName"] != ""); err != nil {
		return nil, err
	}
	if s.zone != "" {
		if err := s.offer.checkZone("zone", s.Region, s.zone); err != nil {
			return nil, err
		}
	}
	return s, c.open(config.Logger)
}

// settings are those of a connection, read and checked.
type settings struct {
	latency, callLatency, consistencyDelay                                   time.Duration
	failCreate, failPart, failSettle, failCall, ambiguousCreate, crashCreate float64
	forgetDelete                                                             float64
	rateLimit                                                                float64
	pageSize, quotaVMs                                                       int
	quotas                                                                   map[string]int    // by kind
	lacks                                                                    map[string]string // reasons by kind, catalog or feed
	down, accountWide                                                        []string          // kinds
	failGroups                                                               []string          // names
	ssh                                                                      sshServer
	hang, ipv6, parts                                                        bool
	warn                                                                     resource.WarningRule
	seed                                                                     string
}

// setting is a field with the range that its value must be in.
type setting struct {
	driver.Field
	least, most float64 // of a duration in seconds
}

const defaultPageSize = 1000

func settingFields() []setting {
	field := func(name, title string, typ driver.FieldType, doc string) driver.Field {
		return driver.Field{Name: name, Title: title, Type: typ, Doc: doc}
	}
	duration := func(name, title, doc string) setting {
		return setting{field(name, title, driver.TypeDuration, doc+" Default: 0s."), 0, math.MaxFloat64}
	}
	probability := func(name, title, doc string) setting {
		return setting{field(name, title, driver.TypeNumber, doc+" From 0 (never) to 1 (always). Default: 0."), 0, 1}
	}
	return []setting{
		duration("latency", "Latency", "How long creations, actions and the deletions of what machines build (VMs, disks, snapshots, custom images, NAT gateways, VPN gateways and connections, NLBs, ALBs, clusters, file shares, databases, their backups, brokers) last after the cloud has accepted them."),
		duration("callLatency", "Call latency", "How long the cloud takes to answer each call."),
		duration("consistencyDelay", "Consistency delay", "How long lists lag behind the changes of this connection: what it creates is not listed yet, what it deleted is listed still. Getting one object is never late."),
		probability("failCreate", "Failing creates", "How likely a create is refused for good, with the code capacity."),
		probability("failPart", "Failing parts", "How likely a node group of a new cluster, or a mount target of a new file share, is refused for good once that is there, with the code capacity; only with the setting parts."),
		{field("failGroups", "Parts that fail", driver.TypeText, "Names of node groups that get no nodes, of groups of ALBs whose members are never taken in, and of subnets in which file shares get no mount target, such as b,c: they end in the state failed, and the rest goes on without. Default: none."), 0, 0},
		probability("failSettle", "Failing builds", "How likely what machines build (VMs, disks, snapshots, custom images, NAT gateways, VPN gateways and connections, NLBs, ALBs, clusters, file shares, databases, their backups, brokers) ends in the state failed after its creation was accepted."),
		probability("failCall", "Failing calls", "How likely any call is answered with the code unavailable and nothing is done."),
		probability("ambiguousCreate", "Lost answers", "How likely a create is done, but the answer is lost and the code is unavailable."),
		probability("crashCreate", "Crashes", "How likely the driver's process ends in the middle of a creation, after the cloud has accepted it."),
		probability("forgetDelete", "Forgotten deletes", "How likely the first deletion of an object is accepted and never done; the next one is."),
		{field("rateLimit", "Rate limit", driver.TypeNumber, "Calls per second that an account may make in a region, with bursts of as many; the others are answered with the code throttled. 0: as many as it likes. Default: 0."), 0, math.MaxFloat64},
		{field("pageSize", "Page size", driver.TypeInt, "Objects in one page of a list; each page costs one call. At least 1. Default: "+strconv.Itoa(defaultPageSize)+"."), 1, math.MaxInt32},
		{field("quotaVMs", "Quota of VMs", driver.TypeInt, "VMs that an account may have in a region; the creation of more is refused with the code quota. 0: as many as it likes. Default: 0."), 0, math.MaxInt32},
		{field("quotas", "Quotas", driver.TypeText, "Objects of other kinds that an account may have in a region, such as disk=2,cluster=1. Default: as many as it likes."), 0, 0},
		{field("lacks", "What is lacking", driver.TypeText, "Kinds, catalogs and feeds that the region does not have, such as cluster,price. Default: none."), 0, 0},
		{field("ssh", "SSH server", driver.TypeString, "An SSH server that stands for those of all VMs, such as ubuntu@127.0.0.1:2222: its address and port are shown as theirs. Default: none, nothing answers at their addresses."), 0, 0},
		{field("ipv6", "IPv6", driver.TypeBool, "Whether subnets have an IPv6 range, too, and what is in them an address of it. Default: false."), 0, 0},
		{field("down", "What is down", driver.TypeText, "Kinds whose service is out of order, such as nlb,cluster: calls about them are answered with the code unavailable, and nothing is done. Default: none."), 0, 0},
		{field("accountWide", "Account-wide kinds", driver.TypeText, "Kinds whose objects belong to the account in all its regions, as buckets always do, such as keypair. Default: buckets alone."), 0, 0},
		{warnField(), 0, 0},
		{field("hang", "Hanging creates", driver.TypeBool, "Whether the creation of what machines build is never answered, nor done. Default: false."), 0, 0},
		{field("parts", "Parts one by one", driver.TypeBool, "Whether the node groups of a cluster and the mount targets of a file share are made after it, one by one, and go before it: its creation and deletion are then pending meanwhile. Default: false, all at once."), 0, 0},
		{field("seed", "Seed", driver.TypeInt, "Makes the same failures happen again: those of creates follow from the seed and the token, those of calls from the seed and their order. Default: different ones each time."), math.MinInt64, math.MaxInt64},
	}
}

func parseSettings(v driver.Values) (settings, error) {
	var problems []resource.Problem
	for _, f := range settingFields() {
		if value := f.value(v); v[f.Name] != "" && !(value >= f.least && value <= f.most) { // this way round NaN is refused
			p := resource.Problem{Field: "settings." + f.Name, Message: "is out of range: " + f.Doc, Rule: resource.RuleMinimum, Limit: fmt.Sprint(f.least)}
			if value > f.most {
				p.Rule, p.Limit = resource.RuleMaximum, fmt.Sprint(f.most)
			}
			problems = append(problems, p)
		}
	}
	quotas, problem := parseQuotas(v["quotas"])
	if problem != "" {
		problems = append(problems, resource.Problem{Field: "settings.quotas", Message: problem})
	}
	lacks, problem := parseLacks(v["lacks"])
	if problem != "" {
		problems = append(problems, resource.Problem{Field: "settings.lacks", Message: problem})
	}
	ssh, problem := parseSSHServer(v["ssh"])
	if problem != "" {
		problems = append(problems, resource.Problem{Field: "settings.ssh", Message: problem})
	}
	down, problem := parseKinds(v["down"])
	if problem != "" {
		problems = append(problems, resource.Problem{Field: "settings.down", Message: problem})
	}
	accountWide, problem := parseKinds(v["accountWide"])
	if problem != "" {
		problems = append(problems, resource.Problem{Field: "settings.accountWide", Message: problem})
	}
	if err := resource.Invalid(problems...); err != nil {
		return settings{}, err
	}
	s := settings{
		latency: v.Duration("latency"), callLatency: v.Duration("callLatency"), consistencyDelay: v.Duration("consistencyDelay"),
		failGroups: strings.Split(v["failGroups"], ","),
		failCreate: v.Number("failCreate"), failPart: v.Number("failPart"), failSettle: v.Number("failSettle"), failCall: v.Number("failCall"),
		ambiguousCreate: v.Number("ambiguousCreate"), crashCreate: v.Number("crashCreate"),
		forgetDelete: v.Number("forgetDelete"),
		rateLimit:    v.Number("rateLimit"), pageSize: v.Int("pageSize"), quotaVMs: v.Int("quotaVMs"),
		quotas: quotas, lacks: lacks, down: down, accountWide: append(accountWide, resource.Bucket.Name), ssh: ssh, hang: v.Bool("hang"), ipv6: v.Bool("ipv6"), parts: v.Bool("parts"), seed: v["seed"],
	}
	s.warn = resource.WarningRule(v["warn"])
	if v["pageSize"] == "" {
		s.pageSize = defaultPageSize
	}
	if s.seed == "" {
		s.seed = rand.Text()
	}
	return s, nil
}

// parseQuotas reads kind=number,kind=number.
func parseQuotas(text string) (quotas map[string]int, problem string) {
	if text == "" {
		return nil, ""
	}
	quotas = map[string]int{}
	for pair := range strings.SplitSeq(text, ",") {
		kind, number, _ := strings.Cut(pair, "=")
		if _, err := resource.KindNamed(kind); err != nil {
			return nil, err.Error()
		}
		limit, err := strconv.Atoi(number)
		if err != nil || limit < 0 {
			return nil, fmt.Sprintf("%.64q is not kind=number, such as disk=2", pair)
		}
		quotas[kind] = limit
	}
	return quotas, ""
}

// parseLacks reads kind,catalog,feed,….
func parseLacks(text string) (lacks map[string]string, problem string) {
	if text == "" {
		return nil, ""
	}
	lacks = map[string]string{}
	for name := range strings.SplitSeq(text, ",") {
		_, noKind := resource.KindNamed(name)
		_, noCatalog := resource.CatalogNamed(name)
		_, noFeed := resource.FeedNamed(name)
		if noKind != nil && noCatalog != nil && noFeed != nil {
			return nil, noKind.Error() + "; " + noCatalog.Error() + "; " + noFeed.Error()
		}
		lacks[name] = "the setting lacks of the connection takes it away"
	}
	return lacks, ""
}

// sshServer stands for those of all VMs; the zero value for none.
type sshServer struct {
	user    string
	address netip.AddrPort
}

// parseSSHServer reads user@address:port.
func parseSSHServer(text string) (server sshServer, problem string) {
	if text == "" {
		return sshServer{}, ""
	}
	user, address, _ := strings.Cut(text, "@")
	at, err := netip.ParseAddrPort(address)
	if err != nil || user == "" || at.Port() == 0 {
		return sshServer{}, fmt.Sprintf("%.64q is not user@address:port, such as ubuntu@127.0.0.1:2222", text)
	}
	return sshServer{user, at}, ""
}

// parseKinds reads kind,kind,….
func parseKinds(text string) (kinds []string, problem string) {
	if text == "" {
		return nil, ""
	}
	kinds = strings.Split(text, ",")
	for _, kind := range kinds {
		if _, err := resource.KindNamed(kind); err != nil {
			return nil, err.Error()
		}
	}
	return kinds, ""
}

// Lacks implements driver.Lacker.
func (s *session) Lacks() map[string]string { return s.lacks }

// value is the setting as a number, for the check of its range.
func (f setting) value(v driver.Values) float64 {
	switch f.Type {
	case driver.TypeDuration:
		return v.Duration(f.Name).Seconds()
	case driver.TypeNumber:
		return v.Number(f.Name)
	case driver.TypeInt:
		return float64(v.Int(f.Name))
	default:
		return 0
	}
}
