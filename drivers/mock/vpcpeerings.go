package mock

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// vpcPeerings are the account's own, and those that others have asked it for: one object stands
// for both sides, in the place of who has asked.
type (
	vpcPeerings struct {
		table[resource.VPCPeeringSpec, resource.VPCPeeringStatus]
	}
	vpcPeering      = driver.Object[resource.VPCPeeringSpec, resource.VPCPeeringStatus]
	vpcPeeringDraft = draft[resource.VPCPeeringSpec, resource.VPCPeeringStatus]
)

func openVPCPeerings(s *session) vpcPeerings {
	collection := vpcPeerings{table[resource.VPCPeeringSpec, resource.VPCPeeringStatus]{
		s: s, kind: resource.VPCPeering, prefix: "pcx", ready: resource.StateAvailable, show: showVPCPeering,
	}}
	collection.prepare = collection.plan
	return collection
}

// List implements driver.Collection.
func (c vpcPeerings) List(ctx context.Context, f driver.Filter) iter.Seq2[vpcPeering, error] {
	return func(yield func(vpcPeering, error) bool) {
		for o, err := range c.table.List(ctx, f) {
			if !yield(o, err) || err != nil {
				return
			}
		}
		for _, asked := range c.asked() {
			if !yield(c.answering(asked), nil) {
				return
			}
		}
	}
}

// Get implements driver.Collection.
func (c vpcPeerings) Get(ctx context.Context, id string) (vpcPeering, error) {
	o, err := c.table.Get(ctx, id)
	if asked := c.askedAs(id); asked.object != nil && resource.CodeOf(err) == resource.CodeNotFound {
		return c.answering(asked), nil
	}
	return o, err
}

// Delete implements driver.Deleter. Either side may.
func (c vpcPeerings) Delete(ctx context.Context, id string) error {
	asked := c.askedAs(id)
	if asked.object == nil {
		return c.table.Delete(ctx, id)
	}
	return c.changeAsked(ctx, asked, func(o *object, now time.Time) {
		o.Change = change{Was: resource.StateAvailable, During: resource.StateDeleting, Then: resource.StateDeleted, At: now, Until: now}
	})
}

// Accept implements resource.PeeringAccepter.
func (c vpcPeerings) Accept(ctx context.Context, id string) error {
	asked := c.askedAs(id)
	if asked.object == nil {
		return c.alter(ctx, id, "accept", resource.StateAvailable, func(d *vpcPeeringDraft) error {
			if half := d.status.Halves[1]; half.State != resource.HalfActive {
				return refuse(resource.CodeConflict, "OperationNotPermitted", "%s; the other side accepts what this one has asked for", half.Reason)
			}
			return nil
		})
	}
	return c.changeAsked(ctx, asked, func(o *object, _ time.Time) {
		status := o.Status.(resource.VPCPeeringStatus)
		status.Halves = []resource.PeeringHalf{status.Halves[0], {Side: resource.SidePeer, State: resource.HalfActive}}
		o.Status = status
	})
}

// plan completes and checks a draft.
func (c vpcPeerings) plan(d *vpcPeeringDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	own := rangesOf(specOf(c.s, resource.VPC, d.spec.VPC), statusOf(c.s, resource.VPC, d.spec.VPC))
	if err := checkApart("spec.peerCidrs", d.spec.PeerCIDRs, own, d.spec.VPC); err != nil {
		return err
	}
	at, id, field := c.peerOf(d.spec), cmp.Or(d.spec.Peer, d.spec.PeerCloudID), "spec.peerCloudId"
	if d.spec.Peer != "" {
		field = "spec.peer"
	}
	peer := c.s.cloud.find(shelfKey{at, resource.VPC.Name}, id, d.now)
	switch {
	case peer == nil && at.Account == c.s.Account: // what others have nobody is told
		return refuseField(field, "InvalidVPCID.NotFound", "there is no VPC %.64q in the region %s of the account %s", id, at.Region, at.Account)
	case peer != nil:
		others := rangesOf(peer.Spec.(resource.VPCSpec), peer.Status.(resource.VPCStatus))
		for _, one := range own {
			if err := checkApart(field, others, []string{one}, d.spec.VPC); err != nil {
				return refuseField(field, "OverlappingCidrs", "%s of the VPC %s overlaps a range of the VPC %s, among %s; VPCs that are connected need ranges of their own", one, d.spec.VPC, id, strings.Join(others, ", "))
			}
		}
	}
	pair := []string{d.spec.VPC, id}
	slices.Sort(pair)
	one := claim{"peerings", strings.Join(pair, " ")}
	if holder := c.s.cloud.claims[one.Scope][one.Value]; holder != "" && holder != d.id {
		return refuse(resource.CodeAlreadyExists, "VpcPeeringConnectionAlreadyExists", "%s: the VPCs %s and %s are connected already, by %s; use that", field, d.spec.VPC, id, holder)
	}
	d.claims = []claim{one}
	half := resource.PeeringHalf{Side: resource.SidePeer, State: resource.HalfPending, Reason: "the account " + at.Account + " has not accepted it yet"}
	if at.Account == c.s.Account {
		half = resource.PeeringHalf{Side: resource.SidePeer, State: resource.HalfActive}
	}
	d.status.Halves = []resource.PeeringHalf{{Side: resource.SideLocal, State: resource.HalfActive}, half}
	return nil
}

// askedOf is a peering that another account has asked for, and where it is.
type askedOf struct {
	*object
	key shelfKey
}

// asked are the peerings that others have asked the account for.
func (c vpcPeerings) asked() (all []askedOf) {
	c.s.cloud.catchUp()
	c.s.cloud.mu.RLock()
	defer c.s.cloud.mu.RUnlock()
	now := c.s.cloud.time()
	for key, shelf := range c.s.cloud.shelves {
		if key.Kind != c.kind.Name || key == c.key() {
			continue
		}
		for _, o := range shelf.live {
			of := o.Spec.(resource.VPCPeeringSpec).PeerCloudID
			if of != "" && !o.gone(now) && c.s.cloud.find(c.s.shelfOf(resource.VPC.Name), of, now) != nil {
				all = append(all, askedOf{o, key})
			}
		}
	}
	slices.SortFunc(all, func(a, b askedOf) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func (c vpcPeerings) askedAs(id string) askedOf {
	all := c.asked()
	if i := slices.IndexFunc(all, func(a askedOf) bool { return a.ID == id }); i >= 0 {
		return all[i]
	}
	return askedOf{}
}

// changeAsked changes a peering where it is.
func (c vpcPeerings) changeAsked(ctx context.Context, asked askedOf, change func(o *object, now time.Time)) error {
	if err := c.writes(ctx); err != nil {
		return err
	}
	cloud := c.s.cloud
	cloud.mu.Lock()
	defer cloud.mu.Unlock()
	now := cloud.time()
	cloud.pass(now)
	o := cloud.find(asked.key, asked.ID, now)
	if o == nil {
		return nil // whoever has asked has deleted it meanwhile
	}
	changed := *o
	change(&changed, now)
	return cloud.commit(c.s.log, asked.key, &changed)
}

// answering is a peering as the other side sees it, which has given it no name and no labels.
func (c vpcPeerings) answering(asked askedOf) vpcPeering {
	spec, halves := asked.Spec.(resource.VPCPeeringSpec), asked.Status.(resource.VPCPeeringStatus).Halves
	o := c.view(asked.object, asked.Change.state(c.s.cloud.time()), c.s.cloud.time())
	o.Name, o.Token, o.Labels = "", "", map[string]string{}
	o.Spec = resource.VPCPeeringSpec{VPC: spec.PeerCloudID, PeerCloudID: spec.VPC, PeerAccount: asked.key.Account, PeerRegion: asked.key.Region}
	o.Status.Halves = []resource.PeeringHalf{
		{Side: resource.SideLocal, State: halves[1].State, Reason: halves[1].Reason}, {Side: resource.SidePeer, State: halves[0].State},
	}
	return o
}

// peerOf is where the other VPC of a peering is.
func (c vpcPeerings) peerOf(spec resource.VPCPeeringSpec) place {
	return place{cmp.Or(spec.PeerAccount, c.s.Account), cmp.Or(spec.PeerRegion, c.s.Region)}
}

// checkApart checks that the ranges of the list at a path do not overlap those of a VPC.
func checkApart(at string, ranges, others []string, vpc string) error {
	for i, one := range ranges {
		for _, other := range others {
			if netip.MustParsePrefix(one).Overlaps(netip.MustParsePrefix(other)) {
				return refuseField(fmt.Sprintf("%s[%d]", at, i), "OverlappingCidrs", "%s overlaps %s of the VPC %s; both sides need ranges of their own", one, other, vpc)
			}
		}
	}
	return nil
}

// nativeVPCPeering is a VPC peering in the cloud's own words.
type nativeVPCPeering struct {
	PeeringID string `json:"vpcPeeringConnectionId"`
	Requester string `json:"requesterVpcId"`
	Accepter  string `json:"accepterVpcId"`
	Status    string `json:"status"`
}

func showVPCPeering(v *sight[resource.VPCPeeringSpec, resource.VPCPeeringStatus]) any {
	return nativeVPCPeering{PeeringID: v.ID, Requester: v.spec.VPC, Accepter: cmp.Or(v.spec.Peer, v.spec.PeerCloudID), Status: v.status.Halves[1].State}
}
