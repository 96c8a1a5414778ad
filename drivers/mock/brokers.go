package mock

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// brokers are those that nothing answers at.
type brokers struct {
	table[resource.BrokerSpec, resource.BrokerStatus]
}

type brokerDraft = draft[resource.BrokerSpec, resource.BrokerStatus]

func openBrokers(s *session) brokers {
	collection := brokers{table[resource.BrokerSpec, resource.BrokerStatus]{
		s: s, kind: resource.Broker, prefix: "mq", ready: resource.StateAvailable, built: true,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// brokerEngine is what a broker runs.
type brokerEngine struct {
	title    string
	versions []string // the oldest first
	most     int      // nodes
	endpoint string   // of a node, with its host name
}

func brokerEngines() map[string]brokerEngine {
	return map[string]brokerEngine{
		"kafka":    {"Kafka", []string{"3.9", "4.0", "4.1"}, 30, "%s:9092"},
		"rabbitmq": {"RabbitMQ", []string{"3.13", "4.1", "4.2"}, 3, "amqps://%s:5671"},
		"activemq": {"ActiveMQ", []string{"5.18", "5.19", "6.2"}, 2, "ssl://%s:61617"},
	}
}

// plan completes and checks a draft. The cloud keeps no password.
func (c brokers) plan(d *brokerDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkNetwork(d.spec.Subnets, d.spec.SecurityGroups, d.spec.VPC, "the broker"); err != nil {
		return err
	}
	engine, known := brokerEngines()[d.spec.Engine]
	if !known {
		return refuseField("spec.engine", "InvalidParameterValue", "there is no engine %.64q; the engines are: activemq, kafka, rabbitmq", d.spec.Engine)
	}
	d.spec.Version, d.spec.AdminPassword = cmp.Or(d.spec.Version, usual(engine.versions)), ""
	d.spec.Nodes, d.spec.StorageGiB = cmp.Or(d.spec.Nodes, 1), cmp.Or(d.spec.StorageGiB, leastStorage)
	if !slices.Contains(engine.versions, d.spec.Version) {
		return noVersion("spec.version", engine.title, d.spec.Version, engine.versions)
	}
	d.status.Version = d.spec.Version
	d.claims = []claim{{"brokers of " + c.key().Account + " in " + c.key().Region, d.name}}
	return c.check("spec", d.spec)
}

// check checks the size of a broker, whose fields are below at.
func (c brokers) check(at string, spec resource.BrokerSpec) error {
	if _, err := c.s.offer.spec(below(at, "spec"), spec.Spec); err != nil {
		return err
	}
	if engine := brokerEngines()[spec.Engine]; spec.Nodes > engine.most {
		return refuseField(below(at, "nodes"), "InvalidParameterValue", "%s has at most %d nodes here, not %d; ask for fewer", engine.title, engine.most, spec.Nodes)
	}
	return nil
}

// Restart implements resource.Restarter.
func (c brokers) Restart(ctx context.Context, id string) error {
	return c.power(ctx, []string{id}, "restart", resource.StateAvailable, resource.StateRebooting, resource.StateAvailable)
}

// Resize implements resource.BrokerResizer.
func (c brokers) Resize(ctx context.Context, id string, to resource.BrokerSize) error {
	return c.alter(ctx, id, "resize", resource.StateAvailable, func(d *brokerDraft) error {
		spec, nodes, storage := d.spec.Spec, d.spec.Nodes, d.spec.StorageGiB
		d.spec.Spec, d.spec.Nodes, d.spec.StorageGiB = cmp.Or(to.Spec, spec), cmp.Or(to.Nodes, nodes), cmp.Or(to.StorageGiB, storage)
		switch {
		case d.spec.StorageGiB < storage:
			return refuseShrinking("storageGiB", id, storage)
		case d.spec.Nodes < nodes:
			return refuseField("nodes", "InvalidParameterValue", "%s has %d nodes, and none is taken away; ask for as many at least", id, nodes)
		case d.spec.Spec != spec || d.spec.Nodes != nodes || d.spec.StorageGiB != storage:
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return c.check("", d.spec)
	})
}

// SetPassword implements resource.PasswordSetter.
func (c brokers) SetPassword(ctx context.Context, id string, to resource.AdminPassword) error {
	return c.alter(ctx, id, "setpassword", resource.StateAvailable, func(d *brokerDraft) error {
		if d.spec.AdminUser == "" {
			return refuse(resource.CodeUnsupported, "OperationNotPermitted", "%s runs %s, which has no administrator; the network says who reaches it", id, d.spec.Engine)
		}
		d.change = c.s.update(d.now, resource.StateAvailable)
		return refuseProblems(to.Problems(""))
	})
}

// nativeBroker is a broker in the cloud's own words.
type nativeBroker struct {
	BrokerID   string `json:"brokerId"`
	EngineType string `json:"engineType"`
	State      string `json:"brokerState"`
	Nodes      int    `json:"numberOfNodes"`
}

func (c brokers) shown(v *sight[resource.BrokerSpec, resource.BrokerStatus]) any {
	if v.state != resource.StateCreating && v.state != resource.StateFailed {
		for n := range v.spec.Nodes {
			host := fmt.Sprintf("node%d.%s", n+1, c.s.hostName(v.ID))
			v.status.Endpoints = append(v.status.Endpoints, fmt.Sprintf(brokerEngines()[v.spec.Engine].endpoint, host))
		}
	}
	return nativeBroker{BrokerID: v.ID, EngineType: v.spec.Engine, State: cloudState(v.state), Nodes: v.spec.Nodes}
}
