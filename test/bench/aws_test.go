package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
	"github.com/m-cmp/mc-infra-connector/test/moto"
)

const awsRegion = "ap-northeast-2"

// BenchmarkAWS compares the whole way from HTTP through the server, the driver's process
// and the SDK to an emulator of AWS with the bare SDK that does the same, side by side:
// first one, then the other, round by round. It reports medians and their ratio.
//
//	go test -run '^$' -bench AWS -benchtime 1x ./test/bench
func BenchmarkAWS(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "bin")
	require.NoError(b, mcic.Build(b.Context(), bin, "github.com/m-cmp/mc-infra-connector/cmd/mcic", "github.com/m-cmp/mc-infra-connector/cmd/mcic-driver-aws"))
	server, err := mcic.Start(b.Context(), bin, filepath.Join(b.TempDir(), "data"), "--dev", "--log-level", "error")
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Stop() })
	way := &awsWay{B: b, server: server, http: &http.Client{}}
	way.ask(http.MethodPost, "/v1/credentials", `{"name":"aws","cloud":"aws","values":{"accessKeyId":"AKIAEXAMPLE","secretAccessKey":"secret-of-the-test"}}`, nil)

	endpoint := moto.Bare(b)
	cloud := ec2.New(ec2.Options{Region: awsRegion, BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-of-the-test", "")})
	way.connect("aws", endpoint)
	b.Run("create a VM", func(b *testing.B) { way.on(b).create(cloud) })
	b.Run("list 1,000 VMs", func(b *testing.B) { way.on(b).list(cloud) })
	b.Run("memory", func(b *testing.B) { way.on(b).memory() })
}

type awsWay struct {
	*testing.B

	server *mcic.Server
	http   *http.Client
}

func (w *awsWay) on(b *testing.B) *awsWay {
	b.Helper()
	return &awsWay{b, w.server, w.http}
}

func (w *awsWay) ask(method, path, body string, into any) {
	w.Helper()
	require.NoError(w, w.server.JSON(w.Context(), w.http, method, path, body, into))
}

func (w *awsWay) connect(name, endpoint string) {
	w.Helper()
	w.ask(http.MethodPost, "/v1/connections", fmt.Sprintf(`{"name":%q,"cloud":"aws","credential":"aws","region":%q,"settings":{"endpoint":%q}}`, name, awsRegion, endpoint), nil)
}

// compare reports the medians of both ways and their ratio.
func (w *awsWay) compare(bare, whole []time.Duration) {
	slices.Sort(bare)
	slices.Sort(whole)
	x, y := bare[len(bare)/2], whole[len(whole)/2]
	w.ReportMetric(ms(x), "ms-bare")
	w.ReportMetric(ms(y), "ms-whole")
	w.ReportMetric(float64(y)/float64(x), "ratio")
	w.ReportMetric(0, "ns/op")
}

// create measures from the request until AWS has accepted, which is when the operation
// says so.
func (w *awsWay) create(cloud *ec2.Client) {
	const rounds = 40
	images, err := cloud.DescribeImages(w.Context(), &ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: []types.Filter{{Name: aws.String("architecture"), Values: []string{"x86_64"}}}})
	require.NoError(w, err)
	require.NotEmpty(w, images.Images)
	image := aws.ToString(images.Images[0].ImageId)
	var subnet resource.Resource
	w.ask(http.MethodPost, "/v1/connections/aws/vpcs?wait=30s", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`, nil)
	w.ask(http.MethodPost, "/v1/connections/aws/subnets?wait=30s", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.0.0/17"}}`, &subnet)
	var bare, whole []time.Duration
	for i := range rounds {
		began := time.Now()
		_, err := cloud.RunInstances(w.Context(), &ec2.RunInstancesInput{
			MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, SubnetId: aws.String(subnet.CloudID),
			ClientToken:       aws.String(fmt.Sprint("token-", i)),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("vm")}}}},
		})
		bare = append(bare, time.Since(began))
		require.NoError(w, err)

		began = time.Now()
		var op api.Operation
		w.ask(http.MethodPost, "/v1/connections/aws/vms", fmt.Sprintf(`{"name":"vm%d","spec":{"image":%q,"spec":"t3.micro","subnet":"s"}}`, i, image), &op)
		require.Eventually(w, func() bool {
			w.ask(http.MethodGet, "/v1/operations/"+op.ID, "", &op)
			return op.State.Ended()
		}, time.Minute, 20*time.Millisecond)
		require.NotNil(w, op.AcceptedAt, "%+v", op)
		whole = append(whole, op.AcceptedAt.Sub(began))
	}
	w.compare(bare, whole)
}

// list measures complete lists from the cloud: the inventory asks it anew.
func (w *awsWay) list(cloud *ec2.Client) {
	const vms, rounds = 1000, 9
	images, err := cloud.DescribeImages(w.Context(), &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	require.NoError(w, err)
	_, err = cloud.RunInstances(w.Context(), &ec2.RunInstancesInput{MinCount: aws.Int32(vms), MaxCount: aws.Int32(vms), ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Micro})
	require.NoError(w, err)
	var bare, whole []time.Duration
	for range rounds {
		began := time.Now()
		n := 0
		for pages := ec2.NewDescribeInstancesPaginator(cloud, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(vms)}); pages.HasMorePages(); {
			page, err := pages.NextPage(w.Context())
			require.NoError(w, err)
			for _, r := range page.Reservations {
				n += len(r.Instances)
			}
		}
		bare = append(bare, time.Since(began))

		began = time.Now()
		var found struct{ Items []api.InventoryItem }
		w.ask(http.MethodGet, "/v1/connections/aws/inventory?kind=vm", "", &found)
		whole = append(whole, time.Since(began))
		require.Len(w, found.Items, n)
	}
	w.compare(bare, whole)
}

// memory reports what the driver's process holds before and after a list of 5,000 VMs.
func (w *awsWay) memory() {
	driver := childOf(w.server.PID(), "mcic-driver-aws")
	require.NotZero(w, driver)
	server := httptest.NewServer(http.HandlerFunc(fiveThousand))
	w.Cleanup(server.Close)
	w.connect("large", server.URL)
	w.ReportMetric(rss(driver), "MB-before")
	var found struct{ Items []api.InventoryItem }
	w.ask(http.MethodGet, "/v1/connections/large/inventory?kind=vm", "", &found)
	require.Len(w, found.Items, 5000)
	w.ReportMetric(rss(driver), "MB-after-5000")
	w.ReportMetric(0, "ns/op")
}

// childOf is the process of a name that another one has started.
func childOf(parent int, name string) int {
	entries, _ := os.ReadDir("/proc") // none where there is no /proc
	for _, e := range entries {
		status := "/proc/" + e.Name() + "/status"
		if pid, err := strconv.Atoi(e.Name()); err == nil && strings.HasPrefix(name, field(status, "Name")) && field(status, "PPid") == fmt.Sprint(parent) {
			return pid
		}
	}
	return 0
}

// fiveThousand answers the calls of a list of 5,000 VMs in pages of 1,000.
func fiveThousand(w http.ResponseWriter, r *http.Request) {
	const pages, size = 5, 1000
	_ = r.ParseForm() // the SDK's
	w.Header().Set("Content-Type", "text/xml")
	if r.PostForm.Get("Action") != "DescribeInstances" {
		fmt.Fprintf(w, `<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>%[1]sa</zoneName><zoneState>available</zoneState><regionName>%[1]s</regionName></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>`, awsRegion)
		return
	}
	page, _ := strconv.Atoi(r.PostForm.Get("NextToken")) // the first has none
	fmt.Fprint(w, "<DescribeInstancesResponse><reservationSet>")
	for i := range size {
		fmt.Fprintf(w, "<item><instancesSet><item><instanceId>i-%017x</instanceId><imageId>ami-1</imageId><instanceState><name>running</name></instanceState><instanceType>t3.micro</instanceType><subnetId>subnet-1</subnetId><tagSet><item><key>Name</key><value>vm-%d</value></item></tagSet></item></instancesSet></item>", page*size+i, i)
	}
	fmt.Fprint(w, "</reservationSet>")
	if page+1 < pages {
		fmt.Fprintf(w, "<nextToken>%d</nextToken>", page+1)
	}
	fmt.Fprint(w, "</DescribeInstancesResponse>")
}
