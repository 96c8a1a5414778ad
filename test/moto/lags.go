package moto

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// lags are the states that are shown later than moto has them: the first look after a
// change shows what is on its way.
type lags struct {
	mu      *sync.Mutex
	pending map[string]lag // by id, what the next look shows
}

// lag is what one operation leaves on its way.
type lag struct {
	by              string // the operation that changes
	id              string // element of its answer, or of its request, with the id
	shown           string // the operation that shows
	at              string // element that shows the state, which follows the id
	settled, before string
}

// These are documented at
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
// https://docs.aws.amazon.com/ebs/latest/userguide/ebs-describing-volumes.html
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Snapshot.html
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
func allLags() []lag {
	return []lag{
		{by: "RunInstances", id: "instanceId", shown: "DescribeInstances", at: "instanceState", settled: "<code>16</code><name>running</name>", before: "<code>0</code><name>pending</name>"},
		{by: "StartInstances", id: "instanceId", shown: "DescribeInstances", at: "instanceState", settled: "<code>16</code><name>running</name>", before: "<code>0</code><name>pending</name>"},
		{by: "StopInstances", id: "instanceId", shown: "DescribeInstances", at: "instanceState", settled: "<code>80</code><name>stopped</name>", before: "<code>64</code><name>stopping</name>"},
		{by: "TerminateInstances", id: "instanceId", shown: "DescribeInstances", at: "instanceState", settled: "<code>48</code><name>terminated</name>", before: "<code>32</code><name>shutting-down</name>"},
		{by: "CreateVolume", id: "volumeId", shown: "DescribeVolumes", at: "status", settled: "available", before: "creating"},
		{by: "CreateSnapshot", id: "snapshotId", shown: "DescribeSnapshots", at: "status", settled: "completed", before: "pending"},
		{by: "CreateImage", id: "imageId", shown: "DescribeImages", at: "imageState", settled: "available", before: "pending"},
		{by: "CreateVpc", id: "vpcId", shown: "DescribeVpcs", at: "state", settled: "available", before: "pending"},
		{by: "CreateLoadBalancer", id: "LoadBalancerArn", shown: "DescribeLoadBalancers", at: "Code", settled: "active", before: "provisioning"},
	}
}

// resized is a change of a volume's size, which the volume shows when it is nearly done.
// https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-modifications.html
var resized = regexp.MustCompile(`<volumeId>([^<]+)</volumeId>.*<targetSize>(\d+)</targetSize><originalSize>(\d+)</originalSize>`)

func newLags() lags { return lags{mu: &sync.Mutex{}, pending: map[string]lag{}} }

// lagging reports whether something is on its way.
func (l lags) lagging(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, on := l.pending[id]
	return on
}

// show answers moto's answer with the states as AWS shows them.
func (l lags) show(in *request, answer *httptest.ResponseRecorder) []byte {
	text := answer.Body.String()
	if answer.Code != http.StatusOK {
		return []byte(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if match := resized.FindStringSubmatch(text); match != nil && strings.Contains(in.operation, "Modif") {
		if in.operation == "ModifyVolume" {
			l.pending[match[1]] = lag{id: "volumeId", shown: "DescribeVolumes", at: "size", settled: match[2], before: match[3]}
		}
		return []byte(strings.ReplaceAll(text, ">completed<", ">modifying<"))
	}
	for _, each := range allLags() {
		if each.by == in.operation && strings.Contains(text, "<previousState>"+each.settled) { // nothing changes
			return []byte(text)
		}
		if each.by == in.operation {
			for _, match := range regexp.MustCompile("<"+each.id+">([^<]+)</"+each.id+">").FindAllStringSubmatch(text, -1) {
				l.pending[match[1]] = each
			}
			return []byte(text)
		}
	}
	for _, id := range slices.Collect(maps.Keys(l.pending)) {
		each := l.pending[id]
		named := "<" + each.id + ">" + id + "</" + each.id + ">"
		before, after, found := strings.Cut(text, named)
		if each.shown != in.operation || !found {
			continue
		}
		delete(l.pending, id)
		state, rest, closed := strings.Cut(after, "</"+each.at+">")
		if opened := "<" + each.at + ">" + each.settled; closed && strings.HasSuffix(state, opened) {
			text = before + named + strings.TrimSuffix(state, each.settled) + each.before + "</" + each.at + ">" + rest
		}
	}
	return []byte(text)
}
