package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tumblebug is a client that calls /spider as CB-Tumblebug does: each time on a new
// connection, with a password, and with a body for GET and DELETE too.
type tumblebug struct {
	t          *testing.T
	url        string
	http       http.Client
	connection string
	prompt     bool // the cloud takes no time, so no call may

	mu      sync.Mutex // VMs are created at the same time
	calls   int
	longest time.Duration
}

// The user that CB-Tumblebug logs in as.
const (
	spiderUser     = "default"
	spiderPassword = "a password of CB-Tumblebug"
)

// newTumblebug makes a client of a server.
func newTumblebug(w *world) *tumblebug {
	return &tumblebug{t: w.t, url: w.Address + "/spider", http: http.Client{Timeout: time.Minute}}
}

type (
	object   = map[string]any
	iid      struct{ NameId, SystemId string }
	keyValue struct{ Key, Value string }
)

// in is a body with what is asked for in the connection.
func (c *tumblebug) in(info any) object {
	return object{"ConnectionName": c.connection, "ReqInfo": info}
}

func (c *tumblebug) here() object { return object{"ConnectionName": c.connection} }

// call sends a request and answers the status and what it said. into reads the answer.
func (c *tumblebug) call(method, path string, body, into any) (int, string) {
	c.t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, sent)
	require.NoError(c.t, err)
	req.SetBasicAuth(spiderUser, spiderPassword)
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	began := time.Now()
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	c.promptly(method+" "+path, time.Since(began))
	require.Contains(c.t, res.Header.Get("Content-Type"), "application/json", "%s %s", method, path)
	if into != nil && res.StatusCode < http.StatusBadRequest {
		require.NoError(c.t, json.Unmarshal(raw, into), "%s %s: %s", method, path, raw)
	}
	return res.StatusCode, string(raw)
}

// ok is a call that must succeed.
func (c *tumblebug) ok(method, path string, body, into any) {
	c.t.Helper()
	status, said := c.call(method, path, body, into)
	require.Less(c.t, status, http.StatusBadRequest, "%s %s %v: %s", method, path, body, said)
}

// promptly refuses a call that takes over a second by itself.
func (c *tumblebug) promptly(what string, took time.Duration) {
	c.t.Helper()
	c.mu.Lock()
	c.calls++
	c.longest = max(c.longest, took)
	c.mu.Unlock()
	if c.prompt && took > time.Second {
		assert.Less(c.t, took, c.quiet(time.Second), "%s took too long", what)
	}
}

// quiet answers how long it takes now what takes so long on a machine without other work:
// it looks at how much of a processor it gets.
func (c *tumblebug) quiet(took time.Duration) time.Duration {
	c.t.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		require.NoError(c.t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	const look = 200 * time.Millisecond
	before, began := used(), time.Now()
	for time.Since(began) < look {
		sha256.Sum256(make([]byte, 1<<16))
	}
	return time.Duration(float64(took) * max(1, float64(time.Since(began))/float64(used()-before)))
}

// uid is a name as CB-Tumblebug makes them.
func uid() string { return "d" + strings.ReplaceAll(uuid.NewString(), "-", "")[:19] }

// tag sets the labels that every new resource has, each by its own call. As many are
// set as the cloud has room for: moto gives a load balancer ten.
func (c *tumblebug) tag(word, name, id string) {
	c.t.Helper()
	set := 0
	for _, label := range []keyValue{
		{"sys.manager", "cb-tumblebug"},
		{"sys.namespace", "default"},
		{"sys.labelType", word},
		{"sys.id", "my-" + word},
		{"sys.name", "my-" + word},
		{"sys.uid", name},
		{"sys.cspResourceId", id},
		{"sys.cspResourceName", name},
		{"sys.connectionName", c.connection},
		{"sys.description", ""},
	} {
		status, said := c.call(http.MethodPost, "/tag", c.in(object{"ResourceType": word, "ResourceName": name, "Tag": label}), nil)
		if status == http.StatusForbidden && strings.Contains(said, "quota") && !c.prompt {
			break
		}
		require.Equal(c.t, http.StatusOK, status, said)
		set++
	}
	var shown struct{ Tag []keyValue }
	c.ok(http.MethodGet, "/tag?"+url.Values{"ConnectionName": {c.connection}, "ResourceType": {word}, "ResourceName": {name}}.Encode(), nil, &shown)
	assert.Len(c.t, shown.Tag, set, word)
}

// allOf is where the resources of a type are.
type allOf struct{ MappedList, OnlySpiderList, OnlyCSPList []iid }

func (c *tumblebug) all(path string) allOf {
	c.t.Helper()
	var list struct{ AllList allOf }
	c.ok(http.MethodGet, "/all"+path, c.here(), &list)
	return list.AllList
}

// onlyOnCloud answers the id of what the cloud alone has, which was unregistered before.
func (c *tumblebug) onlyOnCloud(path, name, id string) string {
	c.t.Helper()
	all := c.all(path)
	assert.Contains(c.t, all.OnlyCSPList, iid{name, id}, path)
	assert.NotContains(c.t, all.MappedList, iid{name, id}, path)
	return id
}

// remove deletes a resource, and believes that it is gone when it is in no list any more.
func (c *tumblebug) remove(path string, one iid) {
	c.t.Helper()
	var done struct{ Result, Status string }
	c.ok(http.MethodDelete, "/"+path+"/"+one.NameId, c.here(), &done)
	if path == "vm" {
		assert.Contains(c.t, []string{"Terminating", "Terminated"}, done.Status)
	} else {
		assert.Equal(c.t, "true", done.Result, path)
	}
	c.eventually(path+" "+one.NameId+" is gone", func() bool {
		var shown struct{ Result string }
		status, said := c.call(http.MethodGet, "/"+path+"/"+one.NameId, c.here(), &shown)
		return shown.Result == "false" || status >= http.StatusBadRequest && strings.Contains(said, "does not exist in connection")
	})
	all := c.all(path)
	for _, left := range append(all.MappedList, all.OnlyCSPList...) {
		assert.NotEqual(c.t, one.SystemId, left.SystemId, path)
		assert.NotEqual(c.t, one.NameId, left.NameId, path)
	}
}

func (c *tumblebug) eventually(what string, holds func() bool) {
	c.t.Helper()
	tick, deadline := time.Tick(20*time.Millisecond), time.Now().Add(time.Minute)
	for ; !holds(); <-tick {
		require.True(c.t, time.Now().Before(deadline), "it does not come about that %s", what)
	}
}

// What CB-Tumblebug reads of each type.
type (
	image struct {
		IId                                                                                     iid
		Name, OSArchitecture, OSPlatform, OSDistribution, OSDiskType, OSDiskSizeGB, ImageStatus string
	}
	spec struct {
		Region, Name, MemSizeMib string
		VCpu                     struct{ Count string }
	}
	vpcInfo struct {
		IId            iid
		IPv4_CIDR      string
		SubnetInfoList []struct {
			IId             iid
			Zone, IPv4_CIDR string
		}
	}
	securityInfo struct {
		IId, VpcIID   iid
		SecurityRules []struct{ FromPort, ToPort, IPProtocol, Direction, CIDR string }
	}
	keyInfo struct {
		IId                                          iid
		Fingerprint, PublicKey, PrivateKey, VMUserID string
	}
	vmInfo struct {
		IId, ImageIId, VpcIID, SubnetIID, KeyPairIId                                                     iid
		SecurityGroupIIds, DataDiskIIDs                                                                  []iid
		Region                                                                                           struct{ Region, Zone string }
		StartTime                                                                                        time.Time
		VMSpecName, VMUserId, ImageType, RootDiskType, RootDiskSize, PublicIP, PrivateIP, SSHAccessPoint string
	}
	diskInfo struct {
		IId, OwnerVM                     iid
		Zone, DiskType, DiskSize, Status string
		CreatedTime                      time.Time
	}
	nlbInfo struct {
		IId, VpcIID iid
		Type, Scope string
		Listener    struct{ Protocol, IP, Port, DNSName string }
		VMGroup     struct {
			Protocol, Port string
			VMs            []iid
		}
		HealthChecker struct {
			Protocol, Port               string
			Interval, Timeout, Threshold int
		}
	}
	clusterInfo struct {
		IId     iid
		Version string
		Network struct {
			VpcIID                        iid
			SubnetIIDs, SecurityGroupIIDs []iid
		}
		NodeGroupList []struct {
			IId                                       iid
			OnAutoScaling                             bool
			DesiredNodeSize, MinNodeSize, MaxNodeSize int
			Status                                    string
		}
		AccessInfo struct{ Endpoint, Kubeconfig string }
		Status     string
	}
)
