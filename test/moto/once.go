package moto

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// creation is one that a repeat of is answered like.
type creation struct {
	form   string
	answer *httptest.ResponseRecorder
}

// madeOnce says by what AWS knows a repeat of a creation, where moto makes another object:
// a client token, a name, or a port.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
func madeOnce(in *request) (key string, once bool) {
	switch in.operation {
	case "RunInstances", "CreateVolume", "CreateNetworkInterface":
		key = in.form.Get("ClientToken")
	case "CreateImage", "CreateLoadBalancer":
		key = in.form.Get("Name")
	case "CreateListener":
		key = in.form.Get("LoadBalancerArn") + " " + in.form.Get("Port")
	}
	return in.region + "/" + in.operation + "/" + key, key != ""
}

// once makes something unless the same request did before, and refuses another one.
func (s *Stage) once(w http.ResponseWriter, in *request, key string) {
	s.making.Lock()
	defer s.making.Unlock()
	before, again := s.made[key]
	switch code := s.taken(in); {
	case code != "" && (in.operation == "CreateImage" || before.form != in.form.Encode()):
		refuse(w, in.service, code, "it is there already: "+key)
	case again && in.form.Has("ClientToken") && before.form != in.form.Encode():
		refuse(w, in.service, "IdempotentParameterMismatch", "The client token was used with other parameters")
	case again && (in.form.Has("ClientToken") || code != ""):
		replay(w, before.answer, before.answer.Body.Bytes())
	default:
		answer := s.asked(in)
		s.lags.show(in, answer)
		if answer.Code == http.StatusOK {
			s.made[key] = creation{in.form.Encode(), answer}
		}
		replay(w, answer, answer.Body.Bytes())
	}
}

// taken is the error of AWS for a name or port that something has.
func (s *Stage) taken(in *request) (code string) {
	name := in.form.Get("Name")
	api := elb.New(elb.Options{Region: in.region, BaseEndpoint: aws.String(s.upstream), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-of-the-test", "")})
	switch in.operation {
	case "CreateImage":
		out, err := s.behind(in.region).DescribeImages(in.Context(), &ec2.DescribeImagesInput{
			Owners: []string{"self"}, Filters: []types.Filter{{Name: aws.String("name"), Values: []string{name}}},
		})
		if err == nil && len(out.Images) > 0 {
			return "InvalidAMIName.Duplicate"
		}
	case "CreateLoadBalancer":
		out, err := api.DescribeLoadBalancers(in.Context(), &elb.DescribeLoadBalancersInput{Names: []string{name}})
		if err == nil && len(out.LoadBalancers) > 0 {
			return "DuplicateLoadBalancerName"
		}
	case "CreateListener":
		out, err := api.DescribeListeners(in.Context(), &elb.DescribeListenersInput{LoadBalancerArn: aws.String(in.form.Get("LoadBalancerArn"))})
		if err == nil && slices.ContainsFunc(out.Listeners, func(l elbtypes.Listener) bool { return fmt.Sprint(aws.ToInt32(l.Port)) == in.form.Get("Port") }) {
			return "DuplicateListener"
		}
	}
	return ""
}
