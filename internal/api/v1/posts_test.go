package v1_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// posts is every POST route of the document with a body that it would take.
func (a *routes) posts() map[string]string {
	a.t.Helper()
	rules := `{"rules":[{"direction":"in","protocol":"tcp","fromPort":80,"cidr":"0.0.0.0/0"}]}`
	good := map[string]string{
		"/v1/credentials":                                   `{"name":"new","cloud":"mock","values":{}}`,
		"/v1/connections":                                   `{"name":"new","cloud":"mock","region":"mock-seoul"}`,
		"/v1/connections/mock:check":                        ``,
		"/v1/connections/mock/vpcs":                         `{"name":"new","spec":{"cidr":"10.0.0.0/16"}}`,
		"/v1/connections/mock/subnets":                      `{"name":"new","spec":{"vpc":"v","cidr":"10.0.2.0/24"}}`,
		"/v1/connections/mock/securitygroups":               `{"name":"new","spec":{"vpc":"v"}}`,
		"/v1/connections/mock/keypairs":                     `{"name":"new","spec":{}}`,
		"/v1/connections/mock/vms":                          `{"name":"new","spec":` + a.vmSpec() + `}`,
		"/v1/connections/mock/securitygroups/g:addrules":    rules,
		"/v1/connections/mock/securitygroups/g:removerules": rules,
		"/v1/connections/mock/vms/vm1:start":                ``,
		"/v1/connections/mock/vms/vm1:stop":                 ``,
		"/v1/connections/mock/vms/vm1:reboot":               ``,
		"/v1/connections/mock/extensions/echo":              `{"text":"x"}`,
		"/v1/connections/mock/native":                       `{"service":"mock","path":"/vms"}`,
		"/v1/operations/x:cancel":                           ``,
		"/v1/drivers":                                       `{"name":"nosuch"}`,
		"/v1/drivers/nosuch:upgrade":                        `{"version":"1.0.0"}`,
		"/v1/drivers/nosuch:downgrade":                      `{"version":"1.0.0"}`,
		"/v1/drivers/nosuch:verify":                         ``,
		"/v1/repositories":                                  `{"name":"new","url":"file:///nowhere","insecure":true}`,
		"/v1/operations/x:retry":                            ``,
		"/v1/connections/mock:adopt":                        ``,
		"/v1/connections/mock:destroy":                      `{"dryRun":true}`,
		"/v1/connections/mock/vms/vm1:resize":               `{"spec":"std2.xlarge"}`,
		"/v1/connections/mock/disks":                        `{"name":"new","spec":{"sizeGiB":10}}`,
		"/v1/connections/mock/disks/d:attach":               `{"vm":"vm1"}`,
		"/v1/connections/mock/disks/d:detach":               ``,
		"/v1/connections/mock/disks/d:resize":               `{"sizeGiB":20}`,
		"/v1/connections/mock/snapshots":                    `{"name":"new","spec":{"disk":"d"}}`,
		"/v1/connections/mock/customimages":                 `{"name":"new","spec":{"vm":"vm1"}}`,
		"/v1/connections/mock/publicips":                    `{"name":"new","spec":{}}`,
		"/v1/connections/mock/publicips/p:associate":        `{"vm":"vm1"}`,
		"/v1/connections/mock/publicips/p:disassociate":     ``,
		"/v1/connections/mock/vpcs/v:addcidr":               `{"cidr":"10.9.0.0/16"}`,
		"/v1/connections/mock/vpcs/v:removecidr":            `{"cidr":"10.9.0.0/16"}`,
		"/v1/connections/mock/nics":                         `{"name":"new","spec":{"subnet":"s"}}`,
		"/v1/connections/mock/nics/n:attach":                `{"vm":"vm1"}`,
		"/v1/connections/mock/nics/n:detach":                ``,
		"/v1/connections/mock/nics/n:addaddresses":          `{"addresses":["10.0.1.9"]}`,
		"/v1/connections/mock/nics/n:removeaddresses":       `{"addresses":["10.0.1.9"]}`,
		"/v1/connections/mock/nlbs":                         `{"name":"new","spec":{"vpc":"v","protocol":"tcp","port":80}}`,
		"/v1/connections/mock/nlbs/b:addmembers":            `{"members":["vm1"]}`,
		"/v1/connections/mock/nlbs/b:removemembers":         `{"members":["vm1"]}`,
		"/v1/connections/mock/nlbs/b:sethealthcheck":        `{"protocol":"tcp"}`,
		"/v1/connections/mock/nlbs/b:setlistener":           `{"port":8443}`,
		"/v1/connections/mock/nlbs/b:settarget":             `{"port":8081}`,
		"/v1/connections/mock/clusters":                     `{"name":"new","spec":{"vpc":"v","subnets":["s"]}}`,
		"/v1/connections/mock/clusters/c:addnodegroup":      `{"spec":"std2.large","name":"w"}`,
		"/v1/connections/mock/clusters/c:removenodegroup":   `{"name":"w"}`,
		"/v1/connections/mock/clusters/c:scalenodegroup":    `{"desiredNodes":2,"name":"w"}`,
		"/v1/connections/mock/clusters/c:upgrade":           `{"version":"1.34"}`,

		"/v1/users":               `{"name":"new","title":"x"}`,
		"/v1/users/nobody:invite": ``,
		"/v1/groups":              `{"name":"new","doc":"x"}`,
		"/v1/roles":               `{"name":"new","rules":[{"verbs":["read"],"kinds":["vm"]}]}`,
		"/v1/grants":              `{"role":"viewer","user":"nobody"}`,
		"/v1/tokens":              `{"name":"new","user":"nobody"}`,
		"/v1/me:password":         `{"old":"x","new":"y"}`,
		"/v1/me:totp":             `{"password":"x"}`,
		"/v1/me:totp-confirm":     `{"code":"123456"}`,
		"/v1/me:totp-remove":      `{"password":"x","code":"123456"}`,

		"/v1/connections/mock/buckets":                    `{"name":"new","spec":{}}`,
		"/v1/connections/mock/buckets/bu:setversioning":   `{"versioning":true}`,
		"/v1/connections/mock/buckets/bu:setpublic":       `{"public":true}`,
		"/v1/connections/mock/buckets/bu:setcors":         `{"cors":[]}`,
		"/v1/connections/mock/buckets/bu:setlifecycle":    `{"lifecycle":[]}`,
		"/v1/connections/mock/buckets/bu:empty":           ``,
		"/v1/connections/mock/buckets/bu/object:sign":     `{"do":"get","key":"k"}`,
		"/v1/connections/mock/buckets/bu/object:copy":     `{"key":"k","toKey":"l"}`,
		"/v1/connections/mock/buckets/bu/objects:delete":  `{"objects":[{"key":"k"}]}`,
		"/v1/connections/mock/buckets/bu/uploads":         `{"key":"k"}`,
		"/v1/connections/mock/buckets/bu/upload:complete": `{"key":"k","upload":"u","parts":[{"part":1,"size":1}]}`,
		"/v1/connections/mock/buckets/bu/upload:abort":    `{"key":"k","upload":"u"}`,
		"/v1/connections/mock/queues":                     `{"name":"new","spec":{}}`,

		"/v1/connections/mock/natgateways":                     `{"name":"new","spec":{"vpc":"v"}}`,
		"/v1/connections/mock/natgateways/nat:addsubnets":      `{"subnets":["s"]}`,
		"/v1/connections/mock/natgateways/nat:removesubnets":   `{"subnets":["s"]}`,
		"/v1/connections/mock/routetables":                     `{"name":"new","spec":{"vpc":"v"}}`,
		"/v1/connections/mock/routetables/rt:addsubnets":       `{"subnets":["s"]}`,
		"/v1/connections/mock/routetables/rt:removesubnets":    `{"subnets":["s"]}`,
		"/v1/connections/mock/routetables/rt:setroutes":        `{"routes":[]}`,
		"/v1/connections/mock/vpcpeerings":                     `{"name":"new","spec":{"vpc":"v","peerCloudId":"x","peerCidrs":["10.77.0.0/16"]}}`,
		"/v1/connections/mock/vpcpeerings/pe:accept":           ``,
		"/v1/connections/mock/vpngateways":                     `{"name":"new","spec":{"vpc":"v"}}`,
		"/v1/connections/mock/vpnconnections":                  `{"name":"new","spec":{"vpngateway":"vg","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"]}}`,
		"/v1/connections/mock/vpnconnections/vc:setkey":        `{"presharedKey":"Both.sides.have.it"}`,
		"/v1/connections/mock/certificates":                    `{"name":"new","spec":` + certificate() + `}`,
		"/v1/connections/mock/certificates/ce:replace":         certificate(),
		"/v1/connections/mock/albs":                            `{"name":"new","spec":{"vpc":"v","listeners":[{"port":80,"protocol":"http","group":"web"}],"groups":[{"name":"web","port":80}]}}`,
		"/v1/connections/mock/albs/al:setrouting":              `{"listeners":[{"port":80,"protocol":"http","group":"web"}],"groups":[{"name":"web","port":80}]}`,
		"/v1/connections/mock/albs/al:addmembers":              `{"group":"web","members":["vm1"]}`,
		"/v1/connections/mock/albs/al:removemembers":           `{"group":"web","members":["vm1"]}`,
		"/v1/connections/mock/queues/q:purge":                  ``,
		"/v1/connections/mock/queues/q/messages":               `{"messages":[{"body":"x"}]}`,
		"/v1/connections/mock/queues/q/messages:delete":        `{"receipts":["eA"]}`,
		"/v1/connections/mock/queues/q/messages:setvisibility": `{"receipts":["eA"],"visibilitySeconds":1}`,

		"/v1/connections/mock/fileshares":                  `{"name":"new","spec":{"vpc":"v"}}`,
		"/v1/connections/mock/fileshares/fs:resize":        `{"sizeGiB":10}`,
		"/v1/connections/mock/fileshares/fs:addsubnets":    `{"subnets":["s"]}`,
		"/v1/connections/mock/fileshares/fs:removesubnets": `{"subnets":["s"]}`,
		"/v1/connections/mock/databases":                   `{"name":"new","spec":{"engine":"mysql","spec":"db-std.large","vpc":"v"}}`,
		"/v1/connections/mock/databases/db:start":          ``,
		"/v1/connections/mock/databases/db:stop":           ``,
		"/v1/connections/mock/databases/db:restart":        ``,
		"/v1/connections/mock/databases/db:resize":         `{"storageGiB":100}`,
		"/v1/connections/mock/databases/db:setpassword":    `{"adminPassword":"Good-enough-1"}`,
		"/v1/connections/mock/databases/db:upgrade":        `{"version":"9.4"}`,
		"/v1/connections/mock/databases/db:createdatabase": `{"name":"shop"}`,
		"/v1/connections/mock/databases/db:dropdatabase":   `{"name":"shop"}`,
		"/v1/connections/mock/dbbackups":                   `{"name":"new","spec":{"database":"db"}}`,
		"/v1/connections/mock/brokers":                     `{"name":"new","spec":{"engine":"kafka","spec":"std2.large","vpc":"v"}}`,
		"/v1/connections/mock/brokers/mq:restart":          ``,
		"/v1/connections/mock/brokers/mq:resize":           `{"nodes":3}`,
		"/v1/connections/mock/brokers/mq:setpassword":      `{"adminPassword":"Good-enough-1"}`,
	}
	for kinds, name := range map[string]string{
		"vpcs": "v", "subnets": "s", "securitygroups": "g", "keypairs": "k", "vms": "vm1", "disks": "d", "snapshots": "sn",
		"customimages": "ci", "publicips": "p", "nics": "n", "nlbs": "b", "clusters": "c", "buckets": "bu", "queues": "q",
		"natgateways": "nat", "routetables": "rt", "vpcpeerings": "pe", "vpngateways": "vg", "vpnconnections": "vc", "certificates": "ce", "albs": "al",
		"fileshares": "fs", "databases": "db", "dbbackups": "bk", "brokers": "mq",
	} {
		good["/v1/connections/mock/"+kinds+":adopt"] = `{"cloudId":"unknown"}`
		good["/v1/connections/mock/"+kinds+":check"] = good["/v1/connections/mock/"+kinds]
		good["/v1/connections/mock/"+kinds+"/"+name+":release"] = ``
		good["/v1/connections/mock/"+kinds+"/"+name+":label"] = `{"set":{"a":"b"}}`
		k, err := resource.KindNamed(strings.TrimSuffix(kinds, "s"))
		require.NoError(a.t, err)
		verbs := []string{api.VerbDelete}
		for _, action := range k.Actions {
			verbs = append(verbs, action.Name)
		}
		for _, verb := range verbs {
			params := good["/v1/connections/mock/"+kinds+"/"+name+":"+verb]
			if params != "" {
				params = `,"params":` + params
			}
			good["/v1/connections/mock/"+kinds+":"+verb] = `{"names":["` + name + `"]` + params + `}`
			good["/v1/"+kinds+":"+verb] = `{"items":[{"connection":"mock","name":"` + name + `"}]` + params + `}`
		}
	}
	for _, c := range resource.Catalogs() {
		good["/v1/drivers/mock/catalog/"+c.Plural()] = `{"region":"mock-seoul"}`
	}
	count := 0
	for _, r := range a.schema.routes {
		if r.method == http.MethodPost {
			count++
		}
	}
	require.Len(a.t, good, count, "a POST route has no case here")
	return good
}

// certificate is the specification of one that signs itself.
func certificate() string {
	c := resourcetest.Certificate("www.example.com", time.Hour, nil)
	return fmt.Sprintf(`{"certificate":%q,"privateKey":%q}`, c.Certificate, c.PrivateKey)
}
