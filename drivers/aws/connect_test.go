package aws

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	seoul = "ap-northeast-2"
	tokyo = "ap-northeast-1"
)

// config is a connection to an endpoint that is not AWS's.
func config(endpoint, region string) driver.Config {
	return driver.Config{
		Credential: driver.Values{"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "secret-of-the-test"},
		Region:     region,
		Settings:   driver.Values{"endpoint": endpoint},
	}
}

func open(t *testing.T, c driver.Config) drivertest.Patient {
	t.Helper()
	s, err := New().Connect(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return drivertest.Patient{Session: s}
}

// fakeEC2 answers as AWS documents it, where moto does not: the status and the XML
// for each call. What it was asked is kept.
type fakeEC2 struct {
	answer func(form url.Values) (int, string)

	mu    sync.Mutex
	asked []url.Values
}

func (f *fakeEC2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.asked = append(f.asked, r.PostForm)
	f.mu.Unlock()
	status, body := f.answer(r.PostForm)
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// calls answers the forms of one action, in order.
func (f *fakeEC2) calls(action string) []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	var forms []url.Values
	for _, form := range f.asked {
		if form.Get("Action") == action {
			forms = append(forms, form)
		}
	}
	return forms
}

const zonesXML = `<DescribeAvailabilityZonesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><availabilityZoneInfo>
<item><zoneName>ap-northeast-2a</zoneName><zoneState>available</zoneState><regionName>ap-northeast-2</regionName></item>
<item><zoneName>ap-northeast-2b</zoneName><zoneState>unavailable</zoneState><regionName>ap-northeast-2</regionName></item>
</availabilityZoneInfo></DescribeAvailabilityZonesResponse>`

// errorXML is AWS's documented form of an error.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-handling.html
func errorXML(code, message string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>req-42</RequestID></Response>`, code, message)
}

const identityXML = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws-cn:iam::123456789012:user/x</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

// fake serves an EC2 that knows the zones of Seoul and what answer says, and whose caller is.
func fake(t *testing.T, answer func(url.Values) (int, string)) (*fakeEC2, string) {
	t.Helper()
	f := &fakeEC2{answer: func(form url.Values) (int, string) {
		switch form.Get("Action") {
		case "DescribeAvailabilityZones":
			return http.StatusOK, zonesXML
		case "GetCallerIdentity":
			return http.StatusOK, identityXML
		}
		return answer(form)
	}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

func TestDescriptionOffersAllKindsAndCatalogs(t *testing.T) {
	d, err := New().Describe(t.Context())
	require.NoError(t, err)
	for _, kind := range resource.Kinds() {
		if d.Missing[kind.Name] != "" { // whole, with the reason
			continue
		}
		for _, verb := range []string{"list", "get", "create", "delete"} {
			assert.True(t, d.Offers(kind.Name, verb), "%s %s", kind.Name, verb)
		}
		for _, action := range kind.Actions {
			assert.True(t, d.Offers(kind.Name, action.Name), "%s %s", kind.Name, action.Name)
		}
		for _, view := range kind.Views {
			assert.True(t, d.Offers(kind.Name, view.Name), "%s %s", kind.Name, view.Name)
		}
	}
	assert.Equal(t, []string{"region", "zone", "image", "spec", "disktype", "price", "quota"}, d.Catalogs)
	assert.Contains(t, d.Texts, "ko")
	lacking, stale := d.Untranslated("ko")
	assert.Empty(t, append(lacking, stale...))
	assert.Equal(t, []string{"s3cret"}, d.Secrets(driver.Values{"accessKeyId": "AKIA", "secretAccessKey": "s3cret"}))
}

func TestCredentialsInOtherWords(t *testing.T) {
	d, err := New().Describe(t.Context())
	require.NoError(t, err)
	own := driver.Values{"accessKeyId": "AKIA", "secretAccessKey": "s3cret"}
	assert.Equal(t, own, d.Named(map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "aws_secret_access_key": "s3cret"}))
	assert.Equal(t, own, d.Named(map[string]string{"ClientId": "AKIA", "clientsecret": "s3cret", "nobody-knows": "this", "externalId": ""}))
}

func TestFactsAreThoseOfTheCatalog(t *testing.T) {
	roots := map[string]bool{}
	for one, err := range diskTypes(t.Context(), nil) {
		require.NoError(t, err)
		roots[one.Name] = one.RootDisk
	}
	facts := about().Facts
	for _, name := range facts.RootDisks.Types {
		assert.True(t, roots[name], name)
	}
	for _, size := range facts.Disks.Sizes {
		assert.Contains(t, facts.Disks.Types, size.Type)
		assert.Contains(t, roots, size.Type)
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	refusing := func(code, message string) string {
		server := httptest.NewServer(&fakeEC2{answer: func(url.Values) (int, string) { return http.StatusUnauthorized, errorXML(code, message) }})
		t.Cleanup(server.Close)
		return server.URL
	}
	serving := func(contentType, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for name, test := range map[string]struct {
		endpoint string
		code     resource.Code
		says     string
	}{
		// moto takes every key, so that AWS's documented answers stand here.
		"wrong key":       {refusing("AuthFailure", "AWS was not able to validate the provided access credentials"), resource.CodeUnauthenticated, "check the access key"},
		"wrong secret":    {refusing("SignatureDoesNotMatch", "The request signature we calculated does not match"), resource.CodeUnauthenticated, "secret access key"},
		"wrong clock":     {refusing("RequestExpired", "Request has expired"), resource.CodeUnauthenticated, "clock"},
		"clock of sts":    {refusing("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"), resource.CodeUnauthenticated, "clock"},
		"expired token":   {refusing("ExpiredToken", "The security token included in the request is expired"), resource.CodeUnauthenticated, "session token has run out"},
		"bad certificate": {secure.URL, resource.CodeUnavailable, "caCertificate"},
		"no permission":   {refusing("UnauthorizedOperation", "You are not authorized to perform this operation."), resource.CodeDenied, "IAM"},
		"web page":        {serving("text/html; charset=utf-8", "<html><body>Log in</body></html>"), resource.CodeUnavailable, `"text/html" instead`},
		"other XML":       {serving("text/xml", "<feed></feed>"), resource.CodeUnavailable, "names no zone"},
		"JSON":            {serving("application/json", `{"ok":true}`), resource.CodeUnavailable, `"application/json" instead`},
		"broken XML":      {serving("text/xml", "<DescribeAvailabilityZonesResponse><availab"), resource.CodeUnavailable, "check the connection's endpoint"},
		"nobody there":    {gone.URL, resource.CodeUnavailable, "could not reach"},
		"not a URL":       {"ec2.example.com", resource.CodeInvalid, "settings.endpoint"},
		"not of the web":  {"ftp://ec2.example.com", resource.CodeInvalid, "settings.endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New().Connect(t.Context(), config(test.endpoint, seoul))
			require.Error(t, err)
			assert.Equal(t, test.code, resource.CodeOf(err), "%v", err)
			assert.Contains(t, err.Error(), test.says)
			assert.NotContains(t, err.Error(), "secret-of-the-test")
		})
	}
}

// EC2 answers a clock that is off like a wrong key.
func TestConnectTellsAClockThatIsOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, errorXML("AuthFailure", "AWS was not able to validate the provided access credentials"))
	}))
	t.Cleanup(server.Close)
	_, err := New().Connect(t.Context(), config(server.URL, seoul))
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	assert.ErrorContains(t, err, "ahead of the cloud's")
}

func TestErrorKeepsWhatTheCloudSaid(t *testing.T) {
	_, endpoint := fake(t, func(url.Values) (int, string) {
		return http.StatusBadRequest, errorXML("InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist")
	})
	_, err := open(t, config(endpoint, seoul)).Get(t.Context(), "vpc", "vpc-1")
	e := resource.AsError(err)
	assert.Equal(t, resource.CodeNotFound, e.Code)
	assert.Equal(t, &resource.CloudError{Code: "InvalidVpcID.NotFound", Message: "The vpc ID 'vpc-1' does not exist", RequestID: "req-42"}, e.Cloud)
	assert.Equal(t, "AWS DescribeVpcs: The vpc ID 'vpc-1' does not exist", e.Message)
}

func TestConnectChecksTheDefaultZone(t *testing.T) {
	_, endpoint := fake(t, nil)
	c := config(endpoint, seoul)
	c.Zone = "ap-northeast-2z"
	_, err := New().Connect(t.Context(), c)
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.ErrorContains(t, err, "it has: ap-northeast-2a, ap-northeast-2b")
}

// The account is told where there is an STS; what only speaks EC2 is good all the same.
func TestAccountOfTheCredential(t *testing.T) {
	f, endpoint := fake(t, nil)
	place, err := open(t, config(endpoint, seoul)).Place(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "123456789012", place.Account)

	f.answer = func(form url.Values) (int, string) {
		if form.Get("Action") == "DescribeAvailabilityZones" {
			return http.StatusOK, zonesXML
		}
		return http.StatusBadRequest, errorXML("InvalidAction", "there is no STS here")
	}
	place, err = open(t, config(endpoint, seoul)).Place(t.Context())
	require.NoError(t, err)
	assert.Empty(t, place.Account)
	assert.Len(t, f.calls("GetCallerIdentity"), 2, "one in each session")
}

func TestWithoutRegionOnlyRegionsAreListed(t *testing.T) {
	f, endpoint := fake(t, func(url.Values) (int, string) {
		return http.StatusOK, `<DescribeRegionsResponse><regionInfo><item><regionName>ap-northeast-2</regionName></item><item><regionName>xx-new-1</regionName></item></regionInfo></DescribeRegionsResponse>`
	})
	s := open(t, config(endpoint, ""))
	var names []string
	for raw, err := range s.Catalog(t.Context(), "region", nil) {
		require.NoError(t, err)
		names = append(names, string(raw))
	}
	assert.Equal(t, []string{`{"name":"ap-northeast-2","title":"Asia Pacific (Seoul)"}`, `{"name":"xx-new-1"}`}, names)
	for _, err := range s.List(t.Context(), "vm") {
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
		assert.ErrorContains(t, err, "names no region")
	}
	assert.Empty(t, f.calls("DescribeInstances"))
}

// moto answers pages of its own size; here every page is small and the calls are
// counted.
func TestListIsCompleteWithOneCallPerPage(t *testing.T) {
	const pages = 3
	f, endpoint := fake(t, func(form url.Values) (int, string) {
		page := max(1, len(form.Get("NextToken")))
		next := ""
		if page < pages {
			next = "<nextToken>" + strings.Repeat("t", page+1) + "</nextToken>"
		}
		return http.StatusOK, fmt.Sprintf(`<DescribeInstancesResponse><reservationSet>
			<item><instancesSet><item><instanceId>i-%[1]da</instanceId><instanceState><name>running</name></instanceState></item>
			<item><instanceId>i-%[1]db</instanceId><instanceState><name>hibernated</name></instanceState></item></instancesSet></item>
			<item><instancesSet><item><instanceId>i-%[1]dc</instanceId><instanceState><name>stopped</name></instanceState></item></instancesSet></item>
			</reservationSet>%[2]s</DescribeInstancesResponse>`, page, next)
	})
	s := open(t, config(endpoint, seoul))
	states := map[string]resource.State{}
	for item, err := range s.List(t.Context(), "vm") {
		require.NoError(t, err)
		states[item.ID] = item.State
	}
	assert.Len(t, states, 3*pages)
	assert.Equal(t, resource.StateUnknown, states["i-2b"], "a word that is not known")
	calls := f.calls("DescribeInstances")
	require.Len(t, calls, pages)
	for _, form := range calls {
		assert.Equal(t, "1000", form.Get("MaxResults"))
		assert.Equal(t, "instance-state-name", form.Get("Filter.1.Name"))
		assert.NotContains(t, form.Encode(), "terminated")
	}

	for _, err := range s.List(t.Context(), "vm") {
		require.NoError(t, err)
		break // whoever stops early asks for no more
	}
	assert.Len(t, f.calls("DescribeInstances"), pages+1)
}

// Who logs in follows from the image, which is asked for once in a session.
func TestUsersAreLookedUpOnceForEachImage(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		answer  string
		code    resource.Code
		user    string
		lookups int
	}{
		"known":                {http.StatusOK, `<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>debian-12-amd64-20260101-1612</name></item></imagesSet></DescribeImagesResponse>`, "", "admin", 1},
		"made of another":      {http.StatusOK, `<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>golden</name><sourceImageId>ami-ubuntu</sourceImageId></item></imagesSet></DescribeImagesResponse>`, "", "ubuntu", 2},
		"made of itself":       {http.StatusOK, `<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>golden</name><sourceImageId>ami-1</sourceImageId></item></imagesSet></DescribeImagesResponse>`, "", "", 1},
		"made of what is gone": {http.StatusOK, `<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>golden</name><sourceImageId>ami-0</sourceImageId></item></imagesSet></DescribeImagesResponse>`, "", "", 2},
		"gone":                 {http.StatusOK, `<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>`, "", "", 1},
		"not for us":           {http.StatusForbidden, errorXML("UnauthorizedOperation", "You are not authorized to perform this operation."), "", "", 1},
		"out of order":         {http.StatusServiceUnavailable, errorXML("Unavailable", "The server is overloaded"), resource.CodeUnavailable, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			f, endpoint := fake(t, func(form url.Values) (int, string) {
				switch {
				case form.Get("Filter.1.Value.1") == "ami-ubuntu":
					return http.StatusOK, `<DescribeImagesResponse><imagesSet><item><imageId>ami-ubuntu</imageId><name>ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101</name></item></imagesSet></DescribeImagesResponse>`
				case form.Get("Action") == "DescribeImages":
					return test.status, test.answer
				}
				one := func(id, image, details string) string {
					return fmt.Sprintf(`<item><instanceId>%s</instanceId><imageId>%s</imageId><platformDetails>%s</platformDetails><instanceState><name>running</name></instanceState></item>`, id, image, details)
				}
				return http.StatusOK, `<DescribeInstancesResponse><reservationSet><item><instancesSet>` +
					one("i-1", "ami-1", "Linux/UNIX") + one("i-2", "ami-1", "Linux/UNIX") + one("i-3", "ami-2", "SUSE Linux") +
					`</instancesSet></item></reservationSet></DescribeInstancesResponse>`
			})
			s := open(t, config(endpoint, seoul))
			for range 2 {
				users := map[string]string{}
				for item, err := range s.List(t.Context(), "vm") {
					require.Equal(t, test.code, resource.CodeOf(err), "%v", err)
					if err == nil {
						var status resource.VMStatus
						require.NoError(t, json.Unmarshal(item.Status, &status))
						users[item.ID] = status.SSHUser
					}
				}
				if test.code == "" {
					assert.Equal(t, map[string]string{"i-1": test.user, "i-2": test.user, "i-3": "ec2-user"}, users)
				}
			}
			calls := f.calls("DescribeImages")
			require.Len(t, calls, test.lookups)
			assert.Equal(t, "ami-1", calls[0].Get("Filter.1.Value.1"))
			assert.Empty(t, calls[0].Get("Filter.1.Value.2"), "what it is paid for says that it is SUSE")
		})
	}
}

// A list that is asked for less is one narrow call, which no unknown id fails.
func TestListsThatAreAskedForLess(t *testing.T) {
	for kind, name := range map[string]string{
		"vpc": "vpc-id", "subnet": "subnet-id", "securitygroup": "group-id", "keypair": "key-name", "vm": "instance-id", "disk": "volume-id",
		"snapshot": "snapshot-id", "customimage": "image-id", "publicip": "allocation-id", "nic": "network-interface-id",
	} {
		f, endpoint := fake(t, func(form url.Values) (int, string) { return http.StatusOK, "<" + form.Get("Action") + "Response/>" })
		for _, err := range open(t, config(endpoint, seoul)).Session.List(t.Context(), kind, driver.Filter{Token: "token-1", IDs: []string{"a", "b"}}) {
			require.NoError(t, err)
		}
		require.Len(t, f.asked, 3, "the zones and the account at first")
		asked := f.asked[2]
		assert.Equal(t, []string{"tag:" + tokenTag, "token-1", name, "a", "b"}, []string{
			asked.Get("Filter.1.Name"), asked.Get("Filter.1.Value.1"), asked.Get("Filter.2.Name"), asked.Get("Filter.2.Value.1"), asked.Get("Filter.2.Value.2"),
		}, kind)
	}
}

func TestFailureOfALaterPageFailsTheList(t *testing.T) {
	_, endpoint := fake(t, func(form url.Values) (int, string) {
		if form.Get("NextToken") != "" {
			return http.StatusServiceUnavailable, errorXML("Unavailable", "The server is overloaded")
		}
		return http.StatusOK, `<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId><state>available</state></item></vpcSet><nextToken>more</nextToken></DescribeVpcsResponse>`
	})
	var last error
	for _, err := range open(t, config(endpoint, seoul)).List(t.Context(), "vpc") {
		last = err
	}
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(last))
	assert.True(t, resource.AsError(last).Retryable)
}

// moto knows no client tokens, so that what the driver sends is checked here: AWS
// answers the same instance only if the repeat has the same token and fields.
func TestRunInstancesIsSentTheTokenAndTheSameTags(t *testing.T) {
	f, endpoint := fake(t, func(url.Values) (int, string) {
		return http.StatusOK, `<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState></item></instancesSet></RunInstancesResponse>`
	})
	s := open(t, config(endpoint, seoul))
	for range 5 {
		item, err := s.Create(t.Context(), "vm", driver.ItemRequest{
			Token: "token-1", Name: "web", Labels: map[string]string{"a": "1", "b": "2", "c": "3"},
			Spec: json.RawMessage(`{"image":"ami-1","spec":"t3.micro","subnet":"subnet-1"}`),
		})
		require.NoError(t, err)
		assert.Equal(t, "i-1", item.ID)
		assert.Equal(t, resource.StateCreating, item.State)
	}
	calls := f.calls("RunInstances")
	require.Len(t, calls, 5)
	for _, form := range calls {
		assert.Equal(t, "token-1", form.Get("ClientToken"))
		assert.Equal(t, calls[0], form)
	}
}

// Nothing is sent again here: the server does that, slows down before, and looks
// first at what the call may have done.
func TestNoCallIsSentTwice(t *testing.T) {
	for code, want := range map[string]resource.Code{"RequestLimitExceeded": resource.CodeThrottled, "InternalError": resource.CodeUnavailable} {
		t.Run(code, func(t *testing.T) {
			f, endpoint := fake(t, func(form url.Values) (int, string) {
				if form.Get("Action") == "CreateVpc" {
					return http.StatusServiceUnavailable, errorXML(code, "sorry")
				}
				return http.StatusOK, "<DescribeVpcsResponse/>"
			})
			_, err := open(t, config(endpoint, seoul)).Create(t.Context(), "vpc", driver.ItemRequest{Token: "t", Name: "n", Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)})
			assert.Equal(t, want, resource.CodeOf(err))
			assert.True(t, resource.AsError(err).Retryable, "%v", err)
			assert.Len(t, f.calls("CreateVpc"), 1)
		})
	}
}

// The gateway cannot be made: a failure that a repeat cannot mend leaves nothing, one
// that it can mend leaves the VPC for the repeat.
func TestVPCThatCannotBeCompleted(t *testing.T) {
	for code, deleted := range map[string]int{"InternetGatewayLimitExceeded": 1, "InternalError": 0} {
		t.Run(code, func(t *testing.T) {
			made := false
			f, endpoint := fake(t, func(form url.Values) (int, string) {
				const one = `<vpcId>vpc-1</vpcId><state>available</state><tagSet><item><key>` + tokenTag + `</key><value>t</value></item></tagSet>`
				switch action := form.Get("Action"); {
				case action == "CreateVpc":
					made = true
					return http.StatusOK, "<CreateVpcResponse><vpc>" + one + "</vpc></CreateVpcResponse>"
				case action == "CreateInternetGateway":
					return http.StatusBadRequest, errorXML(code, "no")
				case action == "DescribeVpcs" && made:
					return http.StatusOK, "<DescribeVpcsResponse><vpcSet><item>" + one + "</item></vpcSet></DescribeVpcsResponse>"
				default:
					return http.StatusOK, "<" + action + "Response/>"
				}
			})
			_, err := open(t, config(endpoint, seoul)).Create(t.Context(), "vpc", driver.ItemRequest{Token: "t", Name: "n", Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)})
			require.Error(t, err)
			assert.Equal(t, code, resource.AsError(err).Cloud.Code)
			assert.Len(t, f.calls("DeleteVpc"), deleted)
		})
	}
}
