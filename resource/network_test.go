package resource_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// certificate is the spec of a good certificate.
func certificate() string {
	c := resourcetest.Certificate("www.example.com", time.Hour, nil)
	return asJSON(resource.CertificateSpec{Certificate: c.Certificate, PrivateKey: c.PrivateKey})
}

func asJSON(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// alb, peering and vpn are least specs with more fields.
func alb(listeners, groups string) string {
	return fmt.Sprintf(`{"vpc":"v","listeners":[%s],"groups":[%s]}`, listeners, groups)
}
func peering(more string) string { return `{"vpc":"v",` + more + `}` }
func vpn(more string) string {
	return `{"vpngateway":"g","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"],` + more + `}`
}

func TestSpecsOfNetworkKinds(t *testing.T) {
	const (
		web   = `{"name":"web","port":80}`
		api   = `{"name":"api","port":81}`
		http  = `{"port":80,"protocol":"http","group":"web"}`
		https = `{"port":443,"protocol":"https","certificate":"c","group":"web"}`
	)
	routes := func(list string) string { return `{"vpc":"v","routes":[` + list + `]}` }
	rules := func(list string) string {
		return alb(`{"port":80,"protocol":"http","group":"web","rules":[`+list+`]}`, web+","+api)
	}
	for _, test := range []struct{ kind, spec, field, message string }{
		{"subnet", `{"vpc":"v","cidr":"10.0.0.0/24","private":true}`, "", ""},
		{"subnet", `{"vpc":"v","cidr":"10.0.0.0/24","private":"yes"}`, "spec.private", "boolean"},

		{"natgateway", `{"vpc":"v","subnets":["a","b"],"gatewaySubnet":"c","publicip":"i"}`, "", ""},
		{"natgateway", `{"subnets":["a"]}`, "spec.vpc", "required"},
		{"natgateway", `{"vpc":"v","subnets":["a","a"]}`, "spec.subnets[1]", "the same as subnets[0]"},
		{"natgateway", `{"vpc":"v","subnets":[""]}`, "spec.subnets[0]", "length"},

		{"routetable", routes(`{"cidr":"0.0.0.0/0","natgateway":"n"},{"cidr":"10.1.0.0/16","vpcpeering":"p"},{"cidr":"10.2.0.0/16","vpngateway":"g"},{"cidr":"10.3.0.0/16","nic":"i"},{"cidr":"10.4.0.1/32","address":"10.0.0.9"}`), "", ""},
		{"routetable", routes(`{"cidr":"0.0.0.0/0"}`), "spec.routes[0]", "0 targets"},
		{"routetable", routes(`{"cidr":"0.0.0.0/0","natgateway":"n","nic":"i"}`), "spec.routes[0]", "2 targets"},
		{"routetable", routes(`{"cidr":"10.0.0.1/8","nic":"i"}`), "spec.routes[0].cidr", "did you mean 10.0.0.0/8"},
		{"routetable", routes(`{"cidr":"all","nic":"i"}`), "spec.routes[0].cidr", "IPv4 range"},
		{"routetable", routes(`{"cidr":"10.0.0.0/8","nic":"i"},{"cidr":"10.0.0.0/8","natgateway":"n"}`), "spec.routes[1].cidr", "routes[0]"},
		{"routetable", routes(`{"cidr":"10.0.0.0/8","address":"fe80::1"}`), "spec.routes[0].address", "IPv4 address"},
		{"routetable", routes(`{"cidr":"10.0.0.0/8","internetgateway":"x"}`), "spec.routes[0].internetgateway", "unexpected"},

		{"vpcpeering", peering(`"peer":"w"`), "", ""},
		{"vpcpeering", peering(`"peerCloudId":"vpc-1","peerAccount":"123","peerRegion":"r","peerCidrs":["10.1.0.0/16"]`), "", ""},
		{"vpcpeering", `{"vpc":"v"}`, "spec.peer", "either"},
		{"vpcpeering", peering(`"peer":"w","peerCloudId":"vpc-1"`), "spec.peer", "not both"},
		{"vpcpeering", peering(`"peer":"w","peerAccount":"1"`), "spec.peerAccount", "only for a peerCloudId"},
		{"vpcpeering", peering(`"peer":"w","peerRegion":"1"`), "spec.peerRegion", "only for a peerCloudId"},
		{"vpcpeering", peering(`"peer":"w","peerCidrs":["10.1.0.0/16"]`), "spec.peerCidrs", "only for a peerCloudId"},
		{"vpcpeering", peering(`"peer":"v"`), "spec.peer", "itself"},
		{"vpcpeering", peering(`"peerCloudId":"vpc-1"`), "spec.peerCidrs", "required"},
		{"vpcpeering", peering(`"peerCloudId":"vpc-1","peerCidrs":["10.1.0.0/33"]`), "spec.peerCidrs[0]", "IPv4 range"},
		{"vpcpeering", peering(`"peerCloudId":"vpc-1","peerCidrs":["10.1.0.0/16","10.1.0.0/16"]`), "spec.peerCidrs[1]", "the same as"},

		{"vpngateway", `{"vpc":"v","subnet":"s","asn":4200000000}`, "", ""},
		{"vpngateway", `{"vpc":"v","asn":0}`, "spec.asn", "1"},
		{"vpngateway", `{"vpc":"v","asn":4294967295}`, "spec.asn", "4294967294"},

		{"vpnconnection", vpn(`"presharedKey":"Abcd.efg_1","ike":{"version":1,"encryption":"aes128","integrity":"sha512","dhGroup":20}`), "", ""},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":["203.0.113.5"],"bgp":{"peerAsn":65010,"insideCidrs":["169.254.10.0/30"]}}`, "", ""},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":["203.0.113.5"]}`, "spec.peerCidrs", "required without bgp"},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":[],"peerCidrs":["192.168.0.0/16"]}`, "spec.peerAddresses", "1"},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":["203.0.113.256"],"peerCidrs":["192.168.0.0/16"]}`, "spec.peerAddresses[0]", "IPv4 address"},
		{"vpnconnection", vpn(`"presharedKey":"short"`), "spec.presharedKey", "8 to 64"},
		{"vpnconnection", vpn(`"presharedKey":"0beginswithzero"`), "spec.presharedKey", "zero"},
		{"vpnconnection", vpn(`"presharedKey":"with a space"`), "spec.presharedKey", "letters, digits"},
		{"vpnconnection", vpn(`"presharedKey":"비밀번호비밀번호"`), "spec.presharedKey", "letters, digits"},
		{"vpnconnection", vpn(`"presharedKey":"` + strings.Repeat("k", 65) + `"`), "spec.presharedKey", "64"},
		{"vpnconnection", vpn(`"localCidrs":["192.168.7.0/24"]`), "spec.localCidrs[0]", "overlaps 192.168.0.0/16"},
		{"vpnconnection", vpn(`"ike":{"version":3}`), "spec.ike.version", "2"},
		{"vpnconnection", vpn(`"ike":{"encryption":"des"}`), "spec.ike.encryption", "aes256"},
		{"vpnconnection", vpn(`"ike":{"dhGroup":15}`), "spec.ike.dhGroup", "14, 19 or 20"},
		{"vpnconnection", vpn(`"bgp":{}`), "spec.bgp.peerAsn", "required"},
		{"vpnconnection", vpn(`"bgp":{"peerAsn":1,"insideCidrs":["10.0.0.0/30"]}`), "spec.bgp.insideCidrs[0]", "169.254.0.0/16"},
		{"vpnconnection", vpn(`"bgp":{"peerAsn":1,"insideCidrs":["169.254.1.0/29"]}`), "spec.bgp.insideCidrs[0]", "/30"},

		{"alb", alb(http, web), "", ""},
		{"alb", alb(https+`,{"port":80,"protocol":"http","redirectToHTTPS":true}`, web), "", ""},
		{"alb", alb(http, `{"name":"web","protocol":"https","port":443,"members":["a"],"sticky":true,"healthCheck":{"path":"/healthz"}}`), "", ""},
		{"alb", rules(`{"hosts":["a.example.com","*.b.example.com"],"paths":["/api/*","/x"],"group":"api"},{"paths":["/*"],"group":"web"}`), "", ""},
		{"alb", alb(``, web), "spec.listeners", "1"},
		{"alb", alb(http, ``), "spec.groups", "1"},
		{"alb", alb(http+`,`+http, web), "spec.listeners[1].port", "listeners[0] has the port 80"},
		{"alb", alb(`{"port":80,"protocol":"tcp","group":"web"}`, web), "spec.listeners[0].protocol", "http"},
		{"alb", alb(`{"port":443,"protocol":"https","group":"web"}`, web), "spec.listeners[0].certificate", "required for https"},
		{"alb", alb(`{"port":80,"protocol":"http","certificate":"c","group":"web"}`, web), "spec.listeners[0].certificate", "only for https"},
		{"alb", alb(`{"port":80,"protocol":"http"}`, web), "spec.listeners[0].group", "required"},
		{"alb", alb(`{"port":80,"protocol":"http","group":"db"}`, web), "spec.listeners[0].group", "the groups are: web"},
		{"alb", alb(`{"port":80,"protocol":"http","redirectToHTTPS":true}`, web), "spec.listeners[0].redirectToHTTPS", "no HTTPS listener"},
		{"alb", alb(https+`,{"port":80,"protocol":"http","redirectToHTTPS":true,"group":"web"}`, web), "spec.listeners[1].group", "redirected"},
		{"alb", alb(`{"port":443,"protocol":"https","certificate":"c","redirectToHTTPS":true}`, web), "spec.listeners[0].redirectToHTTPS", "only for http"},
		{"alb", rules(`{"group":"api"}`), "spec.listeners[0].rules[0].hosts", "fits every request"},
		{"alb", rules(`{"paths":["/a"],"group":"db"}`), "spec.listeners[0].rules[0].group", "there is no group"},
		{"alb", rules(`{"hosts":["WWW.example.com"],"group":"api"}`), "spec.listeners[0].rules[0].hosts[0]", "lower-case"},
		{"alb", rules(`{"hosts":["a.*.com"],"group":"api"}`), "spec.listeners[0].rules[0].hosts[0]", "*.example.com"},
		{"alb", rules(`{"paths":["api/*"],"group":"api"}`), "spec.listeners[0].rules[0].paths[0]", "slash"},
		{"alb", rules(`{"paths":["/a/*/b"],"group":"api"}`), "spec.listeners[0].rules[0].paths[0]", "asterisk"},
		{"alb", rules(`{"paths":["/api/*"],"group":"api"},{"paths":["/api/v1"],"group":"web"}`), "spec.listeners[0].rules[1]", "rules[0]"},
		{"alb", rules(`{"hosts":["*.example.com"],"group":"api"},{"hosts":["a.example.com"],"paths":["/x"],"group":"web"}`), "spec.listeners[0].rules[1]", "rules[0]"},
		{"alb", rules(`{"paths":["/a"],"group":"api"},{"paths":["/b/*"],"group":"api"},{"paths":["/a","/b/c"],"group":"web"}`), "spec.listeners[0].rules[2]", "rules[0] and rules[1]"},
		{"alb", rules(`{"paths":["/*"],"group":"api"},{"hosts":["a.example.com"],"group":"web"}`), "spec.listeners[0].rules[1]", "rules[0]"},
		{"alb", rules(`{"hosts":["a.example.com"],"paths":["/x"],"group":"api"},{"hosts":["a.example.com"],"group":"web"},{"paths":["/x"],"group":"web"}`), "", ""},
		{"alb", rules(`{"hosts":["a.example.com"],"group":"api"},{"hosts":["*.example.com"],"group":"web"},{"paths":["/api/v1"],"group":"api"},{"paths":["/api/*"],"group":"web"}`), "", ""},
		{"alb", alb(http, web+`,`+web), "spec.groups[1]", "the same as groups[0]"},
		{"alb", alb(http, `{"name":"Web","port":80}`), "spec.groups[0].name", "lower-case"},
		{"alb", alb(http, `{"name":"web","port":80,"members":["a","a"]}`), "spec.groups[0].members[1]", "the same as"},
		{"alb", alb(http, `{"name":"web","port":80,"healthCheck":{"protocol":"tcp"}}`), "spec.groups[0].healthCheck.protocol", "http or https"},
		{"alb", alb(http, `{"name":"web","port":80,"healthCheck":{"path":"healthz"}}`), "spec.groups[0].healthCheck.path", "slash"},
	} {
		k, err := resource.KindNamed(test.kind)
		require.NoError(t, err)
		t.Run(test.kind+"/"+short(test.spec), func(t *testing.T) {
			_, err := k.ParseCreate([]byte(body("a", test.spec)))
			if test.field != "" {
				wantInvalid(t, err, test.field, test.message)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	root := resourcetest.Certificate("root", time.Hour, nil)
	between := resourcetest.Certificate("between", time.Hour, root)
	leaf := resourcetest.Certificate("www.example.com", time.Hour, between)
	old := resourcetest.Certificate("old.example.com", -time.Minute, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	require.NoError(t, err)
	block := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	for name, test := range map[string]struct {
		spec           resource.CertificateSpec
		field, message string
	}{
		"good":          {resource.CertificateSpec{Certificate: leaf.Certificate, Chain: between.Certificate + root.Certificate, PrivateKey: leaf.PrivateKey}, "", ""},
		"without root":  {resource.CertificateSpec{Certificate: leaf.Certificate, Chain: between.Certificate, PrivateKey: leaf.PrivateKey}, "", ""},
		"lines between": {resource.CertificateSpec{Certificate: "\n" + leaf.Certificate + "\n\n", PrivateKey: "\n" + leaf.PrivateKey}, "", ""},

		"no key":           {resource.CertificateSpec{Certificate: leaf.Certificate}, "privateKey", "required"},
		"key of another":   {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: root.PrivateKey}, "privateKey", "does not fit the certificate"},
		"RSA key":          {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))}, "privateKey", "does not fit"},
		"SEC1 key":         {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: block("EC PRIVATE KEY", sec1)}, "privateKey", "does not fit"},
		"encrypted key":    {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: block("ENCRYPTED PRIVATE KEY", []byte("x"))}, "privateKey", "encrypted"},
		"nonsense in key":  {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: block("PRIVATE KEY", []byte("x"))}, "privateKey", "of no kind"},
		"no PEM key":       {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: "s3cr3t"}, "privateKey", "not a private key in PEM"},
		"certificate, key": {resource.CertificateSpec{Certificate: leaf.Certificate, PrivateKey: leaf.Certificate}, "privateKey", "not a private key in PEM"},

		"expired":              {resource.CertificateSpec{Certificate: old.Certificate, PrivateKey: old.PrivateKey}, "certificate", "expired on"},
		"two":                  {resource.CertificateSpec{Certificate: leaf.Certificate + between.Certificate, PrivateKey: leaf.PrivateKey}, "certificate", "holds 2 certificates"},
		"key as certificate":   {resource.CertificateSpec{Certificate: leaf.PrivateKey, PrivateKey: leaf.PrivateKey}, "certificate", "PRIVATE KEY"},
		"text":                 {resource.CertificateSpec{Certificate: "www.example.com", PrivateKey: leaf.PrivateKey}, "certificate", "not PEM"},
		"text after":           {resource.CertificateSpec{Certificate: leaf.Certificate + "x", PrivateKey: leaf.PrivateKey}, "certificate", "not PEM"},
		"nonsense in PEM":      {resource.CertificateSpec{Certificate: block("CERTIFICATE", []byte("x")), PrivateKey: leaf.PrivateKey}, "certificate", "not a certificate"},
		"spaces":               {resource.CertificateSpec{Certificate: " \n", PrivateKey: leaf.PrivateKey}, "certificate", "empty"},
		"chain of another":     {resource.CertificateSpec{Certificate: leaf.Certificate, Chain: root.Certificate, PrivateKey: leaf.PrivateKey}, "chain", "has not signed"},
		"chain in other order": {resource.CertificateSpec{Certificate: leaf.Certificate, Chain: root.Certificate + between.Certificate, PrivateKey: leaf.PrivateKey}, "chain", "certificate 1"},
		"chain of nothing":     {resource.CertificateSpec{Certificate: leaf.Certificate, Chain: "x", PrivateKey: leaf.PrivateKey}, "chain", "not PEM"},
		"expired chain":        {resource.CertificateSpec{Certificate: resourcetest.Certificate("x", time.Hour, old).Certificate, Chain: old.Certificate, PrivateKey: leaf.PrivateKey}, "chain", "expired on"},
	} {
		t.Run(name, func(t *testing.T) {
			replace, err := resource.Certificate.Action("replace")
			require.NoError(t, err)
			created, err := resource.Certificate.ParseCreate([]byte(body("a", asJSON(test.spec))))
			_, err2 := replace.ParseParams([]byte(asJSON(test.spec)))
			if test.field != "" {
				wantInvalid(t, err, "spec."+test.field, test.message)
				wantInvalid(t, err2, test.field, test.message)
				if len(test.spec.PrivateKey) > 0 {
					assert.NotContains(t, err.Error(), "s3cr3t")
					assert.NotContains(t, err.Error(), leaf.PrivateKey[30:60])
				}
				return
			}
			require.NoError(t, err)
			require.NoError(t, err2)
			shown, hidden, err := resource.Certificate.Hide(created.Spec)
			require.NoError(t, err)
			assert.NotContains(t, string(shown), "privateKey")
			assert.Equal(t, strings.TrimSpace(test.spec.PrivateKey), strings.TrimSpace(hidden["privateKey"]))
			assert.Contains(t, string(shown), asJSON(leaf.Certificate), "in one form, however it was given")
		})
	}
	status, err := resource.CertificateStatusOf(leaf.Certificate)
	require.NoError(t, err)
	assert.Equal(t, []string{"www.example.com"}, status.Domains)
	assert.WithinDuration(t, time.Now().Add(time.Hour), *status.NotAfter, time.Minute)
	assert.Regexp(t, `^[0-9a-f]{64}$`, status.Fingerprint)
	_, err = resource.CertificateStatusOf("x")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
}

func TestNetworkKindsAgainstWhatTheyReferTo(t *testing.T) {
	specs := map[string]string{
		"vpc/v": `{"cidr":"10.0.0.0/16"}`, "vpc/w": `{"cidr":"10.1.0.0/16"}`, "vpc/like-v": `{"cidr":"10.0.128.0/17"}`,
		"subnet/open": `{"vpc":"v","cidr":"10.0.1.0/24"}`, "subnet/closed": `{"vpc":"v","cidr":"10.0.2.0/24","private":true}`, "subnet/far": `{"vpc":"w","cidr":"10.1.2.0/24","private":true}`,
		"securitygroup/far": `{"vpc":"w"}`, "publicip/free": `{}`, "publicip/taken": `{}`,
		"vm/in": `{"subnet":"closed"}`, "vm/out": `{"subnet":"open"}`, "nic/in": `{"subnet":"closed"}`, "nic/far": `{"subnet":"far"}`,
		"natgateway/far": `{"vpc":"w"}`, "vpngateway/g": `{"vpc":"v"}`, "vpngateway/far": `{"vpc":"w"}`,
		"vpcpeering/p": `{"vpc":"w","peer":"v"}`, "vpcpeering/far": `{"vpc":"w","peer":"like-v"}`,
	}
	statuses := map[string]string{"publicip/free": `{"address":"203.0.113.1"}`, "publicip/taken": `{"address":"203.0.113.2","vm":"out"}`, "vpc/w": `{"cidrs":["10.1.0.0/16","10.9.0.0/16"]}`}
	find := func(kind, name string) (spec, status json.RawMessage, known bool) {
		raw, known := specs[kind+"/"+name]
		return json.RawMessage(raw), json.RawMessage(statuses[kind+"/"+name]), known
	}
	for _, test := range []struct{ kind, spec, field, message string }{
		{"natgateway", `{"vpc":"v","subnets":["closed"],"gatewaySubnet":"open","publicip":"free"}`, "", ""},
		{"natgateway", `{"vpc":"v","subnets":["open"]}`, "spec.subnets[0]", "not private"},
		{"natgateway", `{"vpc":"v","subnets":["closed","far"]}`, "spec.subnets[1]", "far belongs to the VPC w"},
		{"natgateway", `{"vpc":"v","gatewaySubnet":"closed"}`, "spec.gatewaySubnet", "is private"},
		{"natgateway", `{"vpc":"v","gatewaySubnet":"far"}`, "spec.gatewaySubnet", "belongs to the VPC w"},
		{"natgateway", `{"vpc":"v","publicip":"taken"}`, "spec.publicip", "given to something already"},
		{"natgateway", `{"vpc":"v","subnets":["elsewhere"],"publicip":"elsewhere"}`, "", ""},
		{"routetable", `{"vpc":"v","subnets":["open","closed"],"routes":[{"cidr":"10.1.0.0/16","vpcpeering":"p"},{"cidr":"10.2.0.0/16","nic":"in"},{"cidr":"10.3.0.0/16","vpngateway":"g"}]}`, "", ""},
		{"routetable", `{"vpc":"v","subnets":["far"]}`, "spec.subnets[0]", "belongs to the VPC w"},
		{"routetable", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0","natgateway":"far"}]}`, "spec.routes[0].natgateway", "belongs to the VPC w"},
		{"routetable", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0","vpngateway":"far"}]}`, "spec.routes[0].vpngateway", "belongs to the VPC w"},
		{"routetable", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0","nic":"far"}]}`, "spec.routes[0].nic", "belongs to the VPC w"},
		{"routetable", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0","vpcpeering":"far"}]}`, "spec.routes[0].vpcpeering", "does not lead out of the VPC v"},
		{"vpcpeering", `{"vpc":"v","peer":"w"}`, "", ""},
		{"vpcpeering", `{"vpc":"v","peer":"like-v"}`, "spec.peer", "10.0.128.0/17 of the VPC like-v overlaps"},
		{"vpcpeering", `{"vpc":"w","peerCloudId":"x","peerCidrs":["10.2.0.0/16","10.9.1.0/24"]}`, "spec.peerCidrs[1]", "overlaps 10.9.0.0/16"},
		{"vpngateway", `{"vpc":"v","subnet":"far"}`, "spec.subnet", "belongs to the VPC w"},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"]}`, "", ""},
		{"vpnconnection", `{"vpngateway":"g","peerAddresses":["203.0.113.5"],"peerCidrs":["10.0.0.0/8"]}`, "spec.peerCidrs[0]", "overlaps 10.0.0.0/16 of the VPC v"},
		{"alb", `{"vpc":"v","subnets":["open"],"listeners":[],"groups":[]}`, "", ""},
		{"alb", `{"vpc":"v","subnets":["closed"],"internal":true,"listeners":[],"groups":[]}`, "", ""},
		{"alb", `{"vpc":"v","subnets":["closed"],"listeners":[],"groups":[]}`, "spec.subnets[0]", "is private"},
		{"alb", `{"vpc":"v","securitygroups":["far"],"listeners":[],"groups":[]}`, "spec.securitygroups[0]", "belongs to the VPC w"},
		{"nlb", `{"vpc":"v","subnets":["closed"],"protocol":"tcp","port":80}`, "spec.subnets[0]", "is private"},
		{"nlb", `{"vpc":"v","subnets":["closed"],"internal":true,"protocol":"tcp","port":80}`, "", ""},
	} {
		k, err := resource.KindNamed(test.kind)
		require.NoError(t, err)
		err = k.Against(json.RawMessage(test.spec), find)
		if test.field != "" {
			wantInvalid(t, err, test.field, test.message)
		} else {
			require.NoError(t, err, test.spec)
		}
	}
	associate, err := resource.PublicIP.Action("associate")
	require.NoError(t, err)
	for params, field := range map[string]string{`{"vm":"out"}`: "", `{"vm":"in"}`: "vm", `{"nic":"in"}`: "nic", `{"vm":"elsewhere"}`: ""} {
		err := associate.Against(json.RawMessage(params), find)
		if field != "" {
			wantInvalid(t, err, field, "is private")
		} else {
			require.NoError(t, err, params)
		}
	}
	disassociate, err := resource.PublicIP.Action("disassociate")
	require.NoError(t, err)
	require.NoError(t, disassociate.Against(nil, find), "it has no parameters")
}

func TestParametersOfNetworkActions(t *testing.T) {
	for _, test := range []struct{ kind, action, body, field, message string }{
		{"natgateway", "addsubnets", `{"subnets":["a"]}`, "", ""},
		{"natgateway", "addsubnets", `{"subnets":["a","a"]}`, "subnets[1]", "the same"},
		{"natgateway", "removesubnets", `{"subnets":[]}`, "subnets", "1"},
		{"routetable", "setroutes", `{"routes":[]}`, "", ""},
		{"routetable", "setroutes", `{}`, "routes", "required"},
		{"routetable", "setroutes", `{"routes":[{"cidr":"10.0.0.0/8"}]}`, "routes[0]", "targets"},
		{"vpcpeering", "accept", `{}`, "", ""},
		{"vpcpeering", "accept", `{"now":true}`, "body", "no parameters"},
		{"vpnconnection", "setkey", `{"presharedKey":"Another.key"}`, "", ""},
		{"vpnconnection", "setkey", `{}`, "presharedKey", "required"},
		{"vpnconnection", "setkey", `{"presharedKey":"0another.key"}`, "presharedKey", "zero"},
		{"alb", "setrouting", `{"listeners":[{"port":80,"protocol":"http","group":"x"}],"groups":[{"name":"web","port":80}]}`, "listeners[0].group", "no group"},
		{"alb", "addmembers", `{"group":"web","members":["a"]}`, "", ""},
		{"alb", "removemembers", `{"members":["a"]}`, "group", "required"},
		{"alb", "addmembers", `{"group":"web","members":["a","a"]}`, "members[1]", "the same"},
	} {
		k, err := resource.KindNamed(test.kind)
		require.NoError(t, err)
		a, err := k.Action(test.action)
		require.NoError(t, err)
		_, err = a.ParseParams([]byte(test.body))
		if test.field != "" {
			wantInvalid(t, err, test.field, test.message)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestWhatIsAskedForAfterNetworkActions(t *testing.T) {
	for _, test := range []struct{ kind, action, spec, params, want string }{
		{"natgateway", "addsubnets", `{"vpc":"v","subnets":["a"]}`, `{"subnets":["b","a"]}`, `{"vpc":"v","subnets":["a","b"]}`},
		{"natgateway", "removesubnets", `{"vpc":"v","subnets":["a","b"]}`, `{"subnets":["b","c"]}`, `{"vpc":"v","subnets":["a"]}`},
		{"routetable", "setroutes", `{"vpc":"v","subnets":[],"routes":[{"cidr":"10.0.0.0/8","nic":"n"}]}`, `{"routes":[]}`, `{"vpc":"v","subnets":[],"routes":[]}`},
		{"certificate", "replace", `{"certificate":"a","chain":"b"}`, `{"certificate":"c"}`, `{"certificate":"c"}`},
		{
			"alb", "addmembers", `{"vpc":"v","listeners":[],"groups":[{"name":"a","port":1,"members":["x"]},{"name":"b","port":2,"members":["x"]}]}`, `{"group":"b","members":["x","y"]}`,
			`{"vpc":"v","listeners":[],"groups":[{"name":"a","port":1,"members":["x"]},{"name":"b","port":2,"members":["x","y"]}]}`,
		},
		{
			"alb", "removemembers", `{"vpc":"v","listeners":[],"groups":[{"name":"a","port":1,"members":["x","y"]}]}`, `{"group":"a","members":["x"]}`,
			`{"vpc":"v","listeners":[],"groups":[{"name":"a","port":1,"members":["y"]}]}`,
		},
	} {
		k, err := resource.KindNamed(test.kind)
		require.NoError(t, err)
		a, err := k.Action(test.action)
		require.NoError(t, err)
		got, err := a.Asked(json.RawMessage(test.spec), json.RawMessage(test.params))
		require.NoError(t, err)
		assert.JSONEq(t, test.want, string(got))
	}
}

func TestPresharedKeyIsMadeAndShownOnce(t *testing.T) {
	spec, secrets, err := resource.VPNConnection.Complete(json.RawMessage(`{"vpngateway":"g","peerAddresses":["203.0.113.5"]}`))
	require.NoError(t, err)
	_, hidden, err := resource.VPNConnection.Hide(spec)
	require.NoError(t, err)
	require.Equal(t, secrets, hidden, "the cloud is given the one that is shown")
	require.Regexp(t, `^[A-Za-z1-9._][A-Za-z0-9._]{7,63}$`, secrets["presharedKey"])
	_, secrets, err = resource.VPNConnection.Complete(json.RawMessage(vpn(`"presharedKey":"Given.by.me"`)))
	require.NoError(t, err)
	require.Empty(t, secrets)
}

func TestPeerConfig(t *testing.T) {
	c := resource.NewPeerConfig(resource.VPNConnectionSpec{
		PeerCIDRs: []string{"192.168.0.0/16"}, LocalCIDRs: []string{"10.0.0.0/16", "10.9.0.0/16"}, IKE: resource.IKE{Version: 2, Encryption: "aes256", Integrity: "sha256", DHGroup: 14},
	}, resource.VPNConnectionStatus{Tunnels: []resource.VPNTunnel{
		{LocalAddress: "198.51.100.1", PeerAddress: "203.0.113.5", InsideAddresses: []string{"169.254.10.1", "169.254.10.2"}, State: resource.TunnelDown},
		{LocalAddress: "198.51.100.2", PeerAddress: "203.0.113.5", State: resource.TunnelUp},
	}})
	require.Equal(t, []resource.PeerTunnel{
		{LocalAddress: "203.0.113.5", RemoteAddress: "198.51.100.1", InsideAddresses: []string{"169.254.10.2", "169.254.10.1"}},
		{LocalAddress: "203.0.113.5", RemoteAddress: "198.51.100.2", InsideAddresses: []string{}},
	}, c.Tunnels)
	for _, line := range []string{
		"    local_addrs = 203.0.113.5\n", "    remote_addrs = 198.51.100.2\n", "    proposals = aes256-sha256-modp2048\n",
		"        local_ts = 192.168.0.0/16\n", "        remote_ts = 10.0.0.0/16,10.9.0.0/16\n", `    secret = "PRESHARED-KEY"`,
	} {
		require.Contains(t, c.StrongSwan, line)
	}
	require.Equal(t, strings.Count(c.StrongSwan, "{"), strings.Count(c.StrongSwan, "}"))
}
