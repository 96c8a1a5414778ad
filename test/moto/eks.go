package moto

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// clusters are what EKS is doing where moto has done it, or cannot: what is made needs a
// while, and so do updates, which are accepted before the states tell of them.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Update.html
type clusters struct {
	mu      *sync.Mutex
	doing   map[string]*doing // by region and path of a cluster or node group
	version map[string]string // by the same, where moto has another one
	answers map[string]any    // of updates, by path and client token
}

// doing is what happens to a cluster or node group: the states that the next looks show.
type doing struct {
	looks []string
	ends  func() // when the last one has been shown
}

func newClusters() clusters {
	return clusters{mu: &sync.Mutex{}, doing: map[string]*doing{}, version: map[string]string{}, answers: map[string]any{}}
}

// eks answers EKS.
func (s *Stage) eks(w http.ResponseWriter, in *request) {
	c := s.clusters
	c.mu.Lock()
	defer c.mu.Unlock()
	path, last := in.URL.Path, ""
	if in.Method == http.MethodPost {
		path, last = path[:strings.LastIndex(path, "/")], path[strings.LastIndex(path, "/"):]
	}
	at := in.region + path
	if strings.HasPrefix(in.operation, "Update") {
		s.update(w, in, at, strings.TrimSuffix(path, last))
		return
	}
	if in.operation == "CreateNodegroup" && c.doing[at] != nil {
		refuseJSON(w, http.StatusBadRequest, "InvalidRequestException", "Cluster is not in ACTIVE status")
		return
	}
	answer := s.asked(in)
	raw := answer.Body.Bytes()
	var body map[string]map[string]any
	if answer.Code != http.StatusOK || json.Unmarshal(raw, &body) != nil {
		replay(w, answer, raw)
		return
	}
	for kind, name := range map[string]string{"cluster": "name", "nodegroup": "nodegroupName"} {
		shown := body[kind]
		if shown == nil {
			continue
		}
		switch in.operation {
		case "CreateCluster", "CreateNodegroup":
			at += fmt.Sprintf("%s/%s", last, shown[name])
			shown["status"] = "CREATING"
			c.doing[at] = &doing{looks: []string{"CREATING"}}
		case "DeleteCluster", "DeleteNodegroup":
			delete(c.doing, at)
			delete(c.version, at)
		default:
			c.look(at, shown)
		}
		s.tellVPC(in, shown)
		raw, _ = json.Marshal(body) // what was JSON before
	}
	replay(w, answer, raw)
}

// look shows something with what happens to it.
func (c clusters) look(at string, shown map[string]any) {
	if now := c.doing[at]; now != nil {
		shown["status"] = now.looks[0]
		if now.looks = now.looks[1:]; len(now.looks) == 0 {
			delete(c.doing, at)
			if now.ends != nil {
				now.ends()
			}
			return // it shows from the next look on
		}
	}
	if version, changed := c.version[at]; changed {
		shown["version"] = version
	}
}

// update begins an update, or answers again what the client token has begun. Until it has
// ended, another one is refused, although the state says ACTIVE at first.
func (s *Stage) update(w http.ResponseWriter, in *request, at, path string) {
	c := s.clusters
	var asked struct{ ClientRequestToken, Version string }
	if err := json.Unmarshal(in.body, &asked); err != nil {
		refuseJSON(w, http.StatusBadRequest, "InvalidParameterException", err.Error())
		return
	}
	token := at + " " + asked.ClientRequestToken
	if answer, known := c.answers[token]; known {
		answerJSON(w, http.StatusOK, answer)
		return
	}
	if c.doing[at] != nil {
		refuseJSON(w, http.StatusConflict, "ResourceInUseException", "Cannot "+in.operation+" because "+path+" currently has update 11111111-2222-3333-4444-555555555555 in progress")
		return
	}
	now := &doing{looks: []string{"ACTIVE", "UPDATING"}}
	switch in.operation {
	case "UpdateNodegroupConfig":
		if answer := s.asked(in); answer.Code != http.StatusOK {
			replay(w, answer, answer.Body.Bytes())
			return
		}
	default: // moto has no versions to change
		if there := s.there(in, path); !there {
			refuseJSON(w, http.StatusNotFound, "ResourceNotFoundException", "No cluster or node group found for "+path)
			return
		}
		now.ends = func() { c.version[at] = asked.Version }
	}
	c.doing[at] = now
	c.answers[token] = map[string]any{"update": map[string]any{"id": fmt.Sprintf("update-%d", len(c.answers)), "status": "InProgress"}}
	answerJSON(w, http.StatusOK, c.answers[token])
}

// there reports whether moto has what a path names.
func (s *Stage) there(in *request, path string) bool {
	look := &request{Request: in.Clone(in.Context()), region: in.region, service: in.service}
	look.Method, look.URL.Path, look.ContentLength = http.MethodGet, path, 0
	return s.asked(look).Code == http.StatusOK
}

// tellVPC adds what moto does not tell of a cluster's network, as AWS does.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigResponse.html
func (s *Stage) tellVPC(in *request, cluster map[string]any) {
	config, _ := cluster["resourcesVpcConfig"].(map[string]any)
	subnets, _ := config["subnetIds"].([]any)
	if len(subnets) == 0 {
		return
	}
	config["clusterSecurityGroupId"] = "sg-0123456789abcdef0"
	out, err := s.behind(in.region).DescribeSubnets(in.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnets[0].(string)}})
	if err == nil && len(out.Subnets) == 1 {
		config["vpcId"] = out.Subnets[0].VpcId
	}
}

func refuseJSON(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	answerJSON(w, status, map[string]string{"message": message})
}
