package drivertest

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type groups struct {
	things[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
}

// AddRules implements resource.RuleAdder.
func (c groups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.change(ctx, id, func(rules []resource.Rule) []resource.Rule {
		for _, r := range change.Rules {
			if !slices.Contains(rules, r) || c.has("adds again") {
				rules = append(rules, r)
			}
		}
		return rules
	})
}

// RemoveRules implements resource.RuleRemover.
func (c groups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.change(ctx, id, func(rules []resource.Rule) []resource.Rule {
		return slices.DeleteFunc(rules, func(r resource.Rule) bool { return slices.Contains(change.Rules, r) })
	})
}

func (c groups) change(ctx context.Context, id string, change func([]resource.Rule) []resource.Rule) error {
	o, err := c.Get(ctx, id)
	if err != nil {
		return c.unlessItAlwaysWorks(err)
	}
	if c.has("actions do nothing") {
		return nil
	}
	o.Spec.Rules = change(o.Spec.Rules)
	raw, err := json.Marshal(o.Spec)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPatch, c.path(id), toyThing{Spec: raw}, &toyThing{})
}

type vms struct {
	things[resource.VMSpec, resource.VMStatus]
}

// Make implements driver.Maker: the cloud has no key pairs.
func (c vms) Make(ctx context.Context, r driver.Request[resource.VMSpec]) (driver.Object[resource.VMSpec, resource.VMStatus], error) {
	if err := c.takeKey(ctx, &r); err != nil {
		return driver.Object[resource.VMSpec, resource.VMStatus]{}, err
	}
	return c.things.Make(ctx, r)
}

// Check implements driver.Checker.
func (c vms) Check(ctx context.Context, r driver.Request[resource.VMSpec]) error {
	if err := c.takeKey(ctx, &r); err != nil {
		return err
	}
	return c.things.Check(ctx, r)
}

// takeKey has a VM given a key instead of the key pair that it names.
func (c vms) takeKey(ctx context.Context, r *driver.Request[resource.VMSpec]) error {
	if r.Spec.KeyPair == "" || c.has("looks for what is kept") {
		return nil
	}
	pair, err := driver.ContentOf(ctx, resource.KeyPair, "spec.keypair", r.Spec.KeyPair)
	if err != nil && !c.has("passes over what is kept") {
		return err
	}
	r.Spec.KeyPair = ""
	if c.has("takes what is kept once") { // and for a name, which others have
		c.mu.Lock()
		defer c.mu.Unlock()
		if before := c.memory[pair.Name]; before != "" && before != r.Token {
			return resource.Errorf(resource.CodeAlreadyExists, "there is a key %s", pair.Name)
		}
		c.memory[pair.Name] = r.Token
	}
	return nil
}

// Start implements resource.Starter.
func (c vms) Start(ctx context.Context, id string) error {
	return c.power(ctx, id, resource.StateRunning)
}

// Stop implements resource.Stopper.
func (c vms) Stop(ctx context.Context, id string) error {
	return c.power(ctx, id, resource.StateStopped)
}

func (c vms) power(ctx context.Context, id string, to resource.State) error {
	if c.has("actions do nothing") {
		to = ""
	}
	return c.unlessItAlwaysWorks(c.call(ctx, http.MethodPatch, c.path(id), toyThing{State: to}, &toyThing{}))
}

// Console implements resource.ConsoleReader.
func (c vms) Console(ctx context.Context, id string, which resource.ConsoleLines) (resource.VMConsole, error) {
	if c.has("tells all of the console") {
		which.Lines = 0
	}
	_, err := c.Get(ctx, id)
	return resource.VMConsole{Output: which.Of("one\ntwo\nthree\n")}, err
}

// Batches implements driver.Batcher.
func (c vms) Batches() map[string]driver.Batch {
	batch := func(method string, body toyThing) driver.Batch {
		return driver.Together(10, func(ctx context.Context, ids ...string) error {
			if c.has("does the first of many") {
				ids = ids[:1]
			}
			err := c.call(ctx, method, "/vm?ids="+strings.Join(ids, ","), body, &toyThing{})
			switch {
			case err != nil && c.has("passes over a bad one"):
				return nil
			case err != nil && c.has("blames all for one"):
				each := driver.Each{}
				for _, id := range ids {
					each[id] = err
				}
				return each
			}
			return err
		})
	}
	return map[string]driver.Batch{
		driver.VerbGet: {Most: 10}, driver.VerbDelete: batch(http.MethodDelete, toyThing{}),
		"start": batch(http.MethodPatch, toyThing{State: resource.StateRunning}), "stop": batch(http.MethodPatch, toyThing{State: resource.StateStopped}),
	}
}

// GetMany implements driver.ManyGetter.
func (c vms) GetMany(ctx context.Context, ids []string) iter.Seq2[driver.Object[resource.VMSpec, resource.VMStatus], error] {
	if c.has("does the first of many") {
		ids = ids[:1]
	}
	return func(yield func(driver.Object[resource.VMSpec, resource.VMStatus], error) bool) {
		for o, err := range c.List(ctx, driver.Filter{}) {
			switch {
			case err == nil && !slices.Contains(ids, o.ID):
				continue
			case c.has("blames all for one") && slices.Contains(ids, wrongValue):
				err = driver.Each{ids[0]: resource.Errorf(resource.CodeNotFound, "one of them is not there")}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

type clusters struct {
	things[resource.ClusterSpec, resource.ClusterStatus]
}

// AddNodeGroup implements resource.NodeGroupAdder: its nodes, too, are given keys.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	o, err := c.Get(ctx, id)
	if err != nil {
		return c.unlessItAlwaysWorks(err)
	}
	if group.KeyPair != "" {
		if _, err := driver.ContentOf(ctx, resource.KeyPair, "keypair", group.KeyPair); err != nil && !c.has("passes over what is kept") {
			return err
		}
		group.KeyPair = ""
	}
	if c.has("actions do nothing") || slices.ContainsFunc(o.Spec.NodeGroups, func(g resource.NodeGroup) bool { return g.Name == group.Name }) {
		return nil
	}
	o.Spec.NodeGroups = append(o.Spec.NodeGroups, group)
	raw, err := json.Marshal(o.Spec)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPatch, c.path(id), toyThing{Spec: raw}, &toyThing{})
}

// Kubeconfig implements resource.KubeconfigReader.
func (c clusters) Kubeconfig(ctx context.Context, id string) (resource.Kubeconfig, error) {
	switch {
	case c.has("empty views"):
		return resource.Kubeconfig{}, nil
	case c.has("views of nothing"):
		return resource.Kubeconfig{Kubeconfig: "x"}, nil
	}
	_, err := c.Get(ctx, id)
	return resource.Kubeconfig{Kubeconfig: "apiVersion: v1"}, err
}
