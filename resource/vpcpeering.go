package resource

import (
	"context"
	"fmt"
)

// VPCPeering is the kind of connections between two VPCs.
var VPCPeering = define[VPCPeeringSpec, VPCPeeringStatus](Kind{
	Name:  "vpcpeering",
	Title: "VPC peering",
	Doc:   "A connection between two VPCs, by which what is in them reaches each other by its private addresses, with the routes that this takes in the VPCs of this account.",
	Actions: []Action{
		action(Action{Name: "accept", Doc: "Accepts a peering that the other side has asked for, on clouds where one side asks (AWS, Alibaba, Tencent). Nothing happens if it is accepted already.", From: []State{StateAvailable}}, PeeringAccepter.Accept),
	},
})

// PeeringAccepter is implemented by collections whose peerings one side asks for. Accepting
// what is accepted is no error.
type PeeringAccepter interface {
	Accept(ctx context.Context, id string) error
}

// VPCPeeringSpec is what a VPC peering is asked to be.
type VPCPeeringSpec struct {
	VPC         string   `json:"vpc" doc:"Name of the VPC that is connected." ref:"vpc" minLength:"1" maxLength:"512"`
	Peer        string   `json:"peer,omitempty" doc:"Name of the VPC that it is connected to, of the same connection; then both sides are made. Give either this or peerCloudId." ref:"vpc" maxLength:"512"`
	PeerCloudID string   `json:"peerCloudId,omitempty" doc:"The cloud's id of the VPC that it is connected to, of another account or region. Whoever has that accepts the peering, or makes the other half." maxLength:"512"`
	PeerAccount string   `json:"peerAccount,omitempty" doc:"The cloud's id of the account that the other VPC is of; only with peerCloudId. Default: this one." maxLength:"128"`
	PeerRegion  string   `json:"peerRegion,omitempty" doc:"Region that the other VPC is in; only with peerCloudId. Default: this one." catalog:"region" maxLength:"64"`
	PeerCIDRs   []string `json:"peerCidrs,omitempty" doc:"IPv4 ranges of the other VPC, to which routes lead; only with peerCloudId, and required with it." flag:"peer-cidr" maxItems:"32" maxLength:"18" nullable:"false"`
}

// VPCPeeringStatus is what the cloud reports of a VPC peering.
type VPCPeeringStatus struct {
	Halves []PeeringHalf `json:"halves,omitempty" doc:"Where each side of it is. Packets pass while both are active." nullable:"false"`
}

// PeeringHalf is one side of a peering.
type PeeringHalf struct {
	Side   string `json:"side" doc:"local: of the VPC; peer: of the other one." enum:"local,peer"`
	State  string `json:"state" doc:"active; pending: whoever has that side is waited for; or gone: it was refused, deleted or has expired." enum:"active,pending,gone"`
	Reason string `json:"reason,omitempty" doc:"What the cloud says about it."`
}

// The sides of a peering and the states of its halves.
const (
	SideLocal   = "local"
	SidePeer    = "peer"
	HalfActive  = "active"
	HalfPending = "pending"
	HalfGone    = "gone"
)

// Problems implements the rules beyond the schema.
func (s *VPCPeeringSpec) Problems(at string) []Problem {
	if (s.Peer == "") == (s.PeerCloudID == "") {
		return []Problem{{Field: join(at, "peer"), Message: "give either a VPC of this connection (peer) or the cloud's id of another one (peerCloudId), not both", Rule: RuleExclusive, Limit: "peerCloudId"}}
	}
	if s.Peer != "" {
		var problems []Problem
		for field, given := range map[string]bool{"peerAccount": s.PeerAccount != "", "peerRegion": s.PeerRegion != "", "peerCidrs": len(s.PeerCIDRs) > 0} {
			if given {
				problems = append(problems, Problem{Field: join(at, field), Message: "is only for a peerCloudId; leave it out", Rule: RuleExclusive, Limit: "peer"})
			}
		}
		if s.Peer == s.VPC {
			problems = append(problems, Problem{Field: join(at, "peer"), Message: "is the VPC itself; choose another one", Rule: RuleDuplicate, Limit: "vpc"})
		}
		return problems
	}
	if len(s.PeerCIDRs) == 0 {
		return []Problem{{Field: join(at, "peerCidrs"), Message: "is required with a peerCloudId: the ranges that routes lead to", Rule: RuleRequired}}
	}
	return rangesProblems(join(at, "peerCidrs"), s.PeerCIDRs)
}

// ProblemsAgainst checks that the ranges of both sides do not overlap, since nobody could tell
// then where a packet is to go.
func (s *VPCPeeringSpec) ProblemsAgainst(find Find) []Problem {
	own, peer := rangesOfVPC(find, s.VPC), rangesOfVPC(find, s.Peer)
	if a, b, overlap := overlapping(own, peer); overlap {
		return []Problem{{Field: "spec.peer", Message: fmt.Sprintf("the range %s of the VPC %s overlaps %s of the VPC %s; VPCs that are connected need ranges of their own", b, s.Peer, a, s.VPC)}}
	}
	return overlapProblems("spec.peerCidrs", s.PeerCIDRs, own, "the VPC "+s.VPC)
}
