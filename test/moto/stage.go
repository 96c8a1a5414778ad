package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Leniency is what moto may let pass, where a test is not about it and would wait for long.
type Leniency string

// What moto may let pass.
const (
	AnyRate Leniency = "any rate" // a volume is copied as often as one likes
)

// Stage stands between those who speak to AWS and moto. It compares every request with
// what AWS publishes of its services, and fails the test over one that AWS would not
// read; and it answers as AWS documents it where moto is instant or lenient.
type Stage struct {
	URL string

	t        testing.TB
	lenient  []Leniency
	upstream string
	moto     http.Handler
	models   *models

	calling   sync.Mutex
	calls     map[string]bool
	attaching sync.Mutex
	making    sync.Mutex
	made      map[string]creation // by region, operation, and client token or name
	rates     rates
	lags      lags
	clusters  clusters
}

func newStage(t testing.TB, upstream, botocore string, lenient []Leniency) (*Stage, error) {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	return &Stage{
		t: t, lenient: lenient, upstream: upstream, moto: httputil.NewSingleHostReverseProxy(to), models: &models{dir: botocore, loaded: map[string]*model{}}, calls: map[string]bool{},
		made: map[string]creation{}, rates: newRates(), lags: newLags(), clusters: newClusters(),
	}, nil
}

// Calls are the calls so far, as service:Operation, of who names itself as an application
// to AWS, as the driver does.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
func (s *Stage) Calls() []string {
	s.calling.Lock()
	defer s.calling.Unlock()
	return slices.Sorted(maps.Keys(s.calls))
}

func (s *Stage) lets(pass Leniency) bool { return slices.Contains(s.lenient, pass) }

// request is one that the stage has read.
type request struct {
	*http.Request

	body            []byte
	region, service string
	operation       string
	form            url.Values // of the services that take one
}

// scope is where a signature says which region and service it is for.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func scope(r *http.Request) (region, service string) {
	match := regexp.MustCompile(`Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request`).FindStringSubmatch(r.Header.Get("Authorization"))
	if match == nil {
		return "", ""
	}
	return match[1], match[2]
}

// nowhere begins what tests ask for to be refused.
const nowhere = "mcic-no-such-"

// read reads a request and says what AWS's model has against it.
func (s *Stage) read(r *http.Request) (*request, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := &request{Request: r, body: body}
	in.region, in.service = scope(r)
	model, err := s.models.of(in.service)
	if err != nil || model == nil || in.service == "s3" { // whose objects are in its paths
		return in, err
	}
	var problems []string
	in.operation, problems = model.check(r, body)
	for _, problem := range problems {
		if !strings.Contains(problem, `"`+nowhere) {
			s.t.Errorf("%s: AWS would refuse the call %s", in.service, problem)
		}
	}
	if strings.Contains(r.UserAgent(), " app/") {
		s.calling.Lock()
		s.calls[in.service+":"+in.operation] = true
		s.calling.Unlock()
	}
	if in.form, err = url.ParseQuery(string(body)); err != nil {
		in.form = url.Values{}
	}
	return in, nil
}

// ServeHTTP implements http.Handler.
func (s *Stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := s.read(r)
	if err != nil {
		s.t.Errorf("read a request: %v", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch in.service {
	case "pricing":
		pricingAPI(w, r, in.body)
	case "servicequotas":
		quotaAPI(w, r, in.body)
	case "eks":
		s.eks(w, in)
	case "ec2", "elasticloadbalancing":
		s.queried(w, in)
	default:
		s.forward(w, in)
	}
}

func (s *Stage) forward(w http.ResponseWriter, in *request) {
	in.Body = io.NopCloser(bytes.NewReader(in.body))
	s.moto.ServeHTTP(w, in.Request)
}

// asked is moto's answer, to be looked at before it goes on.
func (s *Stage) asked(in *request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	s.forward(answer, in)
	answer.Header().Del("Content-Length")
	return answer
}

func replay(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // a test's client
}

// queried answers EC2 and Elastic Load Balancing.
func (s *Stage) queried(w http.ResponseWriter, in *request) {
	code, message := s.refuses(in)
	if code == "" && !s.lets(AnyRate) {
		code, message = s.rates.refuse(in)
	}
	if code != "" {
		refuse(w, in.service, code, message)
		return
	}
	switch key, once := madeOnce(in); {
	case in.operation == "DescribeSpotPriceHistory":
		spotAPI(w, in.form, in.region)
	case in.operation == "AttachVolume":
		s.attach(w, in)
	case once:
		s.once(w, in, key)
	default:
		answer := s.asked(in)
		shown := s.lags.show(in, answer)
		if in.operation == "DescribeAddresses" {
			shown = s.tellInstances(in, shown)
		}
		replay(w, answer, shown)
	}
}

// tellInstances adds the VMs whose interfaces have addresses, as AWS does.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Address.html
func (s *Stage) tellInstances(in *request, answer []byte) []byte {
	plain := strings.ReplaceAll(string(answer), "<instanceId/>", "")
	return regexp.MustCompile(`<networkInterfaceId>([^<]+)</networkInterfaceId>`).ReplaceAllFunc([]byte(plain), func(named []byte) []byte {
		id := strings.TrimSuffix(strings.TrimPrefix(string(named), "<networkInterfaceId>"), "</networkInterfaceId>")
		for _, x := range s.interfaces(in.Context(), in.region, "network-interface-id", id) {
			if x.Attachment != nil && x.Attachment.InstanceId != nil {
				return append(named, "<instanceId>"+*x.Attachment.InstanceId+"</instanceId>"...)
			}
		}
		return named
	})
}

// refuse answers an error as EC2 or Elastic Load Balancing does.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-handling.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
func refuse(w http.ResponseWriter, service, code, message string) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(http.StatusBadRequest)
	form := `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>req-42</RequestID></Response>`
	if service != "ec2" {
		form = `<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`
	}
	fmt.Fprintf(w, form, code, message)
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a test's client
}

// attach refuses a name that another volume has on the instance, where moto loses the
// other one.
func (s *Stage) attach(w http.ResponseWriter, in *request) {
	s.attaching.Lock()
	defer s.attaching.Unlock()
	device := in.form.Get("Device")
	instance, found := s.instance(in, in.form.Get("InstanceId"))
	if found && slices.ContainsFunc(instance.BlockDeviceMappings, func(m types.InstanceBlockDeviceMapping) bool { return aws.ToString(m.DeviceName) == device }) {
		refuse(w, in.service, "InvalidParameterValue", "Invalid value '"+device+"' for unixDevice. Attachment point "+device+" is already in use")
		return
	}
	s.forward(w, in)
}

// behind is moto without the stage, to look at what there is.
func (s *Stage) behind(region string) *ec2.Client {
	return ec2.New(ec2.Options{Region: region, BaseEndpoint: aws.String(s.upstream), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-of-the-test", "")})
}

func (s *Stage) instance(in *request, id string) (types.Instance, bool) {
	out, err := s.behind(in.region).DescribeInstances(in.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil || len(out.Reservations) != 1 {
		return types.Instance{}, false
	}
	return out.Reservations[0].Instances[0], true
}

func (s *Stage) interfaces(ctx context.Context, region, name, value string) []types.NetworkInterface {
	out, err := s.behind(region).DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{
		Filters: []types.Filter{{Name: aws.String(name), Values: []string{value}}},
	})
	if err != nil {
		return nil
	}
	return out.NetworkInterfaces
}
