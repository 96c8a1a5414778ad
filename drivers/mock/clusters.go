package mock

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type clusters struct {
	table[resource.ClusterSpec, resource.ClusterStatus]
}

func openClusters(s *session) clusters {
	collection := clusters{table[resource.ClusterSpec, resource.ClusterStatus]{
		s: s, kind: resource.Cluster, prefix: "k8s", ready: resource.StateAvailable, built: true,
		show: func(v *sight[resource.ClusterSpec, resource.ClusterStatus]) any {
			if v.state != resource.StateCreating && v.state != resource.StateFailed {
				v.status.Endpoint = endpointOf(s, v.ID)
			}
			native := showCluster(v)
			for i := range v.status.NodeGroups {
				if g := &v.status.NodeGroups[i]; s.fails(&g.Part) {
					g.Nodes = nil
				}
			}
			return native
		},
	}}
	collection.prepare = collection.plan
	return collection
}

// clusterVersions are those of this cloud. Without one a cluster gets the newest but
// one, as on most clouds.
func clusterVersions() []string { return []string{"1.33", "1.34", "1.35", "1.36"} }

// plan completes and checks a draft. With the setting parts a cluster begins without nodes, as on
// most clouds; all that is wrong with them is refused before.
func (c clusters) plan(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	d.spec.NodeGroups = slices.Clone(d.spec.NodeGroups) // the checks complete them
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkSubnets("spec.subnets", d.spec.Subnets, d.spec.VPC); err != nil {
		return err
	}
	versions := c.s.offer.versions
	d.spec.Version = cmp.Or(d.spec.Version, usual(versions))
	if !slices.Contains(versions, d.spec.Version) {
		return noVersion("spec.version", "Kubernetes", d.spec.Version, versions)
	}
	for i := range d.spec.NodeGroups {
		if err := c.checkNodeGroup(fmt.Sprintf("spec.nodeGroups[%d]", i), &d.spec.NodeGroups[i]); err != nil {
			return err
		}
	}
	if c.s.parts {
		d.spec.NodeGroups = []resource.NodeGroup{}
	}
	d.status.Version = d.spec.Version
	d.claims = []claim{{"clusters of " + c.key().Account + " in " + c.key().Region, d.name}}
	return nil
}

// Complete implements driver.Completer: the node groups follow one by one.
func (c clusters) Complete(ctx context.Context, r driver.Request[resource.ClusterSpec], o driver.Object[resource.ClusterSpec, resource.ClusterStatus]) (driver.Object[resource.ClusterSpec, resource.ClusterStatus], error) {
	for _, group := range r.Spec.NodeGroups {
		switch {
		case o.State == resource.StateFailed || indexOfGroup(o.Spec, group.Name) >= 0:
			continue
		case o.State != resource.StateAvailable:
			return o, driver.Wait(0, "the cluster %s is %s; its node group %s follows", r.Name, o.State, group.Name)
		case c.s.chance(c.s.failPart, "failPart", r.Token+group.Name):
			return o, refuse(resource.CodeCapacity, "InsufficientCapacity", "the cloud has no room for the node group %s (setting failPart) and will not succeed", group.Name)
		}
		if err := c.AddNodeGroup(ctx, o.ID, group); err != nil {
			return o, err
		}
		var err error
		if o, err = c.Get(ctx, o.ID); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Delete implements driver.Deleter: with the setting parts the node groups go first.
func (c clusters) Delete(ctx context.Context, id string) error {
	return c.deleteAfterParts(ctx, id, "node groups", func(s resource.ClusterSpec) bool { return len(s.NodeGroups) > 0 }, func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) {
		d.spec.NodeGroups = []resource.NodeGroup{}
	})
}

// AddNodeGroup implements resource.NodeGroupAdder.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	if err := refuseProblems(group.Problems("")); err != nil {
		return err
	}
	return c.change(ctx, id, "addnodegroup", func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
		if indexOfGroup(d.spec, group.Name) >= 0 {
			return nil
		}
		if group.KeyPair != "" {
			if _, err := c.s.named(ctx, resource.KeyPair.Name, "keypair", group.KeyPair, d.now); err != nil {
				return err
			}
		}
		if err := c.checkNodeGroup("", &group); err != nil {
			return err
		}
		d.spec.NodeGroups = append(d.spec.NodeGroups, group)
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// RemoveNodeGroup implements resource.NodeGroupRemover.
func (c clusters) RemoveNodeGroup(ctx context.Context, id string, group resource.NodeGroupName) error {
	return c.change(ctx, id, "removenodegroup", func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
		if i := indexOfGroup(d.spec, group.Name); i >= 0 {
			d.spec.NodeGroups = slices.Delete(d.spec.NodeGroups, i, i+1)
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// ScaleNodeGroup implements resource.NodeGroupScaler. Autoscaling keeps the number of
// nodes between the least and the most; without it those follow the number.
func (c clusters) ScaleNodeGroup(ctx context.Context, id string, to resource.NodeGroupScale) error {
	if err := refuseProblems(to.Problems("")); err != nil {
		return err
	}
	return c.change(ctx, id, "scalenodegroup", func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
		i := indexOfGroup(d.spec, to.Name)
		if i < 0 {
			return refuseField("name", "InvalidNodeGroup.NotFound", "the cluster %s has no node group %.64q; add it first", id, to.Name)
		}
		g := d.spec.NodeGroups[i]
		if to.Autoscaling != nil {
			g.Autoscaling = *to.Autoscaling
		}
		g.MinNodes, g.MaxNodes = cmp.Or(to.MinNodes, g.MinNodes), cmp.Or(to.MaxNodes, g.MaxNodes)
		if g.MinNodes > g.MaxNodes {
			return refuseField("minNodes", "InvalidParameterValue", "the least number of nodes, %d, would be above the most, %d; change both", g.MinNodes, g.MaxNodes)
		}
		switch {
		case to.DesiredNodes == 0: // the autoscaler, or who sets its limits, moves it
			g.DesiredNodes = min(max(g.DesiredNodes, g.MinNodes), g.MaxNodes)
		case g.Autoscaling && (to.DesiredNodes < g.MinNodes || to.DesiredNodes > g.MaxNodes):
			return refuseField("desiredNodes", "InvalidParameterValue", "%d is not between %d and %d nodes, the limits of autoscaling; change those, or switch it off", to.DesiredNodes, g.MinNodes, g.MaxNodes)
		default:
			g.DesiredNodes = to.DesiredNodes
			g.MinNodes, g.MaxNodes = min(g.MinNodes, g.DesiredNodes), max(g.MaxNodes, g.DesiredNodes)
		}
		if d.spec.NodeGroups[i] != g {
			d.spec.NodeGroups[i], d.change = g, c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// Upgrade implements resource.Upgrader.
func (c clusters) Upgrade(ctx context.Context, id string, to resource.ClusterVersion) error {
	return c.change(ctx, id, "upgrade", func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
		versions := c.s.offer.versions
		now, next := slices.Index(versions, d.status.Version), slices.Index(versions, to.Version)
		switch {
		case next < 0:
			return noVersion("version", "Kubernetes", to.Version, versions)
		case next == now:
			return nil
		case next != now+1:
			return refuseField("version", "InvalidParameterValue", "the cluster %s runs %s; it goes up by one version at a time and never down", id, d.status.Version)
		}
		d.spec.Version, d.status.Version = to.Version, to.Version
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// tokenLife is how long a token for a cluster's API is valid.
const tokenLife = 15 * time.Minute

// Kubeconfig implements resource.KubeconfigReader. The cluster that it leads to is not
// there, but clients can read it.
func (c clusters) Kubeconfig(ctx context.Context, id string) (resource.Kubeconfig, error) {
	o, token, err := c.credential(ctx, id)
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	ca, err := authorityOf(o)
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	text, err := driver.Kubeconfig{Cluster: cmp.Or(o.Name, o.ID), Server: endpointOf(c.s, o.ID), CA: ca, Token: token.Token}.YAML()
	return resource.Kubeconfig{Kubeconfig: text, ExpiresAt: token.ExpiresAt}, err
}

// Token implements resource.TokenReader.
func (c clusters) Token(ctx context.Context, id string) (resource.ClusterToken, error) {
	_, token, err := c.credential(ctx, id)
	return token, err
}

// checkNodeGroup checks and completes a node group, whose fields are below at.
func (c clusters) checkNodeGroup(at string, g *resource.NodeGroup) error {
	machine, err := c.s.offer.spec(below(at, "spec"), g.Spec)
	if err != nil {
		return err
	}
	if g.Image != "" {
		image, err := c.s.offer.image(below(at, "image"), g.Image)
		if err != nil {
			return err
		}
		if !slices.Contains(machine.Architectures, image.Architecture) {
			return refuseField(below(at, "image"), "InvalidParameterCombination", "the image %s is for %s, but the spec %s runs %s; choose another image or spec", image.Name, image.Architecture, machine.Name, strings.Join(machine.Architectures, " and "))
		}
	}
	g.RootDiskSizeGiB = cmp.Or(g.RootDiskSizeGiB, 20)
	return c.s.offer.checkRootDisk(at, &g.RootDiskType, g.RootDiskSizeGiB)
}

// change alters a cluster that is available. Its node groups are the draft's own.
func (c clusters) change(ctx context.Context, id, action string, change func(*draft[resource.ClusterSpec, resource.ClusterStatus]) error) error {
	return c.alter(ctx, id, action, resource.StateAvailable, func(d *draft[resource.ClusterSpec, resource.ClusterStatus]) error {
		d.spec.NodeGroups = slices.Clone(d.spec.NodeGroups)
		return change(d)
	})
}

func indexOfGroup(spec resource.ClusterSpec, name string) int {
	return slices.IndexFunc(spec.NodeGroups, func(g resource.NodeGroup) bool { return g.Name == name })
}

// credential makes a token for a cluster that can be reached.
func (c clusters) credential(ctx context.Context, id string) (*object, resource.ClusterToken, error) {
	o, now, err := c.read(ctx, id)
	if err != nil {
		return nil, resource.ClusterToken{}, err
	}
	if state := o.Change.state(now); state != resource.StateAvailable && state != resource.StateUpdating {
		return nil, resource.ClusterToken{}, refuse(resource.CodeConflict, "IncorrectState", "the cluster %s is %s; it can be reached when it is available", o.called(), state)
	}
	end := now.Add(tokenLife)
	sum := sha256.Sum256([]byte(rand.Text()))
	return o, resource.ClusterToken{Token: "mock-v1." + base64.RawURLEncoding.EncodeToString(sum[:]), ExpiresAt: &end}, nil
}

func endpointOf(s *session, id string) string { return "https://" + s.hostName(id) }

// authorityOf is the certificate of a cluster's authority, in PEM. It follows from the
// cluster's id, so that it is the same each time.
func authorityOf(o *object) ([]byte, error) {
	seed := sha256.Sum256([]byte(o.ID))
	key := ed25519.NewKeyFromSeed(seed[:])
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: o.ID},
		NotBefore: o.CreatedAt, NotAfter: o.CreatedAt.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "make the certificate of the cluster %s: %w", o.ID, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), nil
}

// nativeCluster is a cluster in the cloud's own words.
type nativeCluster struct {
	ClusterID       string `json:"clusterId"`
	Status          string `json:"status"`
	PlatformVersion string `json:"platformVersion"`
	NodeCount       int    `json:"nodeCount"`
}

func showCluster(v *sight[resource.ClusterSpec, resource.ClusterStatus]) any {
	native := nativeCluster{ClusterID: v.ID, Status: cloudState(v.state), PlatformVersion: "mock." + v.status.Version}
	v.spec.NodeGroups, v.status.NodeGroups = []resource.NodeGroup{}, []resource.NodeGroupStatus{}
	for _, g := range groupsOf(v) {
		status := resource.NodeGroupStatus{Version: v.status.Version, Part: resource.Part{
			Name: g.Name, CloudID: partID("ng", v.ID, g.Name), State: g.state, CloudState: cloudState(g.state), Reason: reasonOf(g.state), Code: codeOf(g.state),
		}}
		if g.state != resource.StateCreating && g.state != resource.StateFailed {
			for n := range g.DesiredNodes {
				status.Nodes = append(status.Nodes, fmt.Sprintf("%s-%d", status.CloudID, n))
			}
		}
		native.NodeCount += len(status.Nodes)
		v.spec.NodeGroups, v.status.NodeGroups = append(v.spec.NodeGroups, g.NodeGroup), append(v.status.NodeGroups, status)
	}
	return native
}

// fails has a part fail that the setting failGroups names, and reports whether it does.
func (s *session) fails(p *resource.Part) bool {
	if !slices.Contains(s.failGroups, p.Name) || !p.State.Usable() {
		return false
	}
	p.State, p.CloudState = resource.StateFailed, cloudState(resource.StateFailed)
	p.Reason, p.Code = "No valid host was found (setting failGroups).", resource.CodeCapacity
	return true
}

// partID is the id of a part of an object.
func partID(prefix, of, name string) string {
	sum := sha256.Sum256([]byte(of + "\x00" + name))
	return fmt.Sprintf("%s-%x", prefix, sum[:5])
}

type groupWithState struct {
	resource.NodeGroup
	state resource.State
}

// groupsOf are the node groups with their states: those that a change adds or removes
// are there while it lasts.
func groupsOf(v *sight[resource.ClusterSpec, resource.ClusterStatus]) []groupWithState {
	var groups []groupWithState
	after := v.Spec.(resource.ClusterSpec)
	if v.state != resource.StateUpdating {
		for _, g := range after.NodeGroups {
			groups = append(groups, groupWithState{g, v.state})
		}
		return groups
	}
	before := v.Before.Spec.(resource.ClusterSpec)
	for _, g := range before.NodeGroups {
		state := resource.StateAvailable
		if i := indexOfGroup(after, g.Name); i < 0 {
			state = resource.StateDeleting
		} else if after.NodeGroups[i] != g || after.Version != before.Version {
			state = resource.StateUpdating
		}
		groups = append(groups, groupWithState{g, state})
	}
	for _, g := range after.NodeGroups {
		if indexOfGroup(before, g.Name) < 0 {
			groups = append(groups, groupWithState{g, resource.StateCreating})
		}
	}
	return groups
}
