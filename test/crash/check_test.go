package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// scene is a small world in which all is well: one VM that lives and one that is
// deleted.
type scene struct {
	records *records
	objects []object
	told    []receipt
}

func newScene() *scene {
	s := &scene{records: &records{resources: map[string]*store.Resource{}}}
	s.row("u1", "vm1", "i-1", resource.StateRunning)
	s.row("u2", "vm2", "i-2", resource.StateDeleted).DeletedAt = 1
	s.operation("o1", "create", "u1", api.OperationSucceeded)
	s.operation("o2", "create", "u2", api.OperationSucceeded)
	s.operation("o3", "delete", "u2", api.OperationSucceeded)
	s.object("i-1", "u1", resource.StateRunning)
	s.told = []receipt{{"c", target{"vm", "vm1"}, verbCreate, "u1", "o1"}}
	return s
}

func (s *scene) row(uid, name, cloudID string, state resource.State) *store.Resource {
	row := &store.Resource{UID: uid, Connection: "c", Kind: "vm", Name: name, CloudID: cloudID, State: state}
	s.records.resources[uid] = row
	return row
}

func (s *scene) operation(id, verb, uid string, state api.OperationState) {
	s.records.operations = append(s.records.operations, store.Operation{ID: id, Verb: verb, UID: uid, Kind: "vm", Connection: "c", State: state})
}

func (s *scene) object(id, token string, state resource.State) {
	s.objects = append(s.objects, object{"c", "vm", driver.Item{ID: id, Token: token, State: state}})
}

// cluster is one that was to have two node groups.
func (s *scene) cluster(groups ...string) {
	var spec resource.ClusterSpec
	var status resource.ClusterStatus
	for _, name := range groups {
		spec.NodeGroups = append(spec.NodeGroups, resource.NodeGroup{Name: name})
		status.NodeGroups = append(status.NodeGroups, resource.NodeGroupStatus{Part: resource.Part{Name: name, State: resource.StateAvailable}})
	}
	rawSpec, _ := json.Marshal(spec)
	rawStatus, _ := json.Marshal(status)
	row := s.row("u4", "v0-cluster1-of-2", "k-4", resource.StateAvailable)
	row.Kind, row.Effective, row.Status = resource.Cluster.Name, rawSpec, rawStatus
	s.objects = append(s.objects, object{"c", resource.Cluster.Name, driver.Item{
		ID: "k-4", Name: row.Name, Token: "u4", State: resource.StateAvailable, Spec: rawSpec, Status: rawStatus,
	}})
}

func TestEveryCheckFindsWhatItIsFor(t *testing.T) {
	assert.Empty(t, compare(newScene().records, newScene().objects, newScene().told))
	whole := newScene()
	whole.cluster("group0", "group1")
	assert.Empty(t, compare(whole.records, whole.objects, whole.told))
	for _, test := range []struct {
		name  string
		spoil func(s *scene)
		found []check
	}{
		{"an object without a record", func(s *scene) { s.object("i-9", "", resource.StateRunning) }, []check{checkOrphan}},
		{"an object of a deleted record", func(s *scene) { s.object("i-2", "u2", resource.StateRunning) }, []check{checkOrphan}},
		{"an object whose record does not know it", func(s *scene) {
			s.row("u3", "vm3", "", resource.StateFailed).Uncertain = true
			s.operation("o4", "create", "u3", api.OperationFailed)
			s.object("i-3", "u3", resource.StateRunning)
		}, []check{checkOrphan, checkStuck}},
		{"two objects of one token", func(s *scene) { s.object("i-9", "u1", resource.StateRunning) }, []check{checkDuplicate, checkOrphan}},
		{"two records of one object", func(s *scene) {
			s.row("u3", "vm3", "i-1", resource.StateRunning)
			s.operation("o4", "create", "u3", api.OperationSucceeded)
		}, []check{checkDuplicate, checkDuplicate}},
		{"a record without its object", func(s *scene) { s.objects = nil }, []check{checkLost}},
		{"a record without a cloud id", func(s *scene) { s.row("u3", "vm3", "", resource.StateRunning) }, []check{checkLost}},
		{"a deletion that left the record", func(s *scene) { s.operation("o4", "delete", "u1", api.OperationSucceeded) }, []check{checkLost}},
		{"a record that nobody deleted", func(s *scene) { s.records.operations = s.records.operations[:2] }, []check{checkLost}},
		{"a cluster with a node group too few", func(s *scene) { s.cluster("group0") }, []check{checkHalf, checkHalf}},
		{"a cluster with a node group twice", func(s *scene) { s.cluster("group0", "group1", "group1") }, []check{checkHalf, checkHalf}},
		{"an operation that goes on", func(s *scene) { s.operation("o4", "stop", "u1", api.OperationRunning) }, []check{checkStuck}},
		{"a record that waits for nothing", func(s *scene) { s.records.resources["u1"].Operation = "o1" }, []check{checkStuck}},
		{"a record that nobody finishes", func(s *scene) {
			s.records.resources["u1"].State = resource.StateDeleting
			s.objects[0].State = resource.StateDeleting
		}, []check{checkStuck}},
		{"a record that says something else", func(s *scene) { s.objects[0].State = resource.StateStopped }, []check{checkState}},
		{"an operation without a record", func(s *scene) { s.operation("o4", "create", "u9", api.OperationFailed) }, []check{checkForgotten}},
		{"an accepted create without a record", func(s *scene) { s.told[0].uid = "u9" }, []check{checkForgotten}},
		{"an accepted operation that is not there", func(s *scene) { s.told[0].operation = "o9" }, []check{checkForgotten}},
		{"two records of one name", func(s *scene) {
			s.row("u3", "vm1", "i-3", resource.StateRunning)
			s.object("i-3", "u3", resource.StateRunning)
		}, []check{checkName}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene()
			test.spoil(s)
			var got []check
			for _, f := range compare(s.records, s.objects, s.told) {
				got = append(got, f.check)
			}
			assert.ElementsMatch(t, test.found, got)
		})
	}
}
