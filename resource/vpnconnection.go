package resource

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// VPNConnection is the kind of VPN connections to other networks.
var VPNConnection = define[VPNConnectionSpec, VPNConnectionStatus](Kind{
	Name:    "vpnconnection",
	Title:   "VPN connection",
	Doc:     "A VPN connection (IPsec) from a VPN gateway to another network: that of another cloud, or one's own.",
	Secrets: []Secret{{Name: "presharedKey", Doc: "The pre-shared key, for the other side. Only when the server made it."}},
	Actions: []Action{
		actionWith(Action{Name: "setkey", Doc: "Replaces the pre-shared key. The tunnels are down until the other side has it, too.", From: []State{StateAvailable}}, KeySetter.SetKey),
	},
	Views: []View{
		view(View{Name: "peerconfig", Doc: "What the other side must be told, also as a configuration of strongSwan. The pre-shared key is not in it.", Plain: "strongswan"}, PeerConfigReader.PeerConfig),
	},
})

// KeySetter is implemented by collections whose pre-shared keys can be replaced.
type KeySetter interface {
	SetKey(ctx context.Context, id string, to PresharedKey) error
}

// PeerConfigReader is implemented by collections that know what the other side must be told.
// [NewPeerConfig] makes it of what a connection shows.
type PeerConfigReader interface {
	PeerConfig(ctx context.Context, id string) (PeerConfig, error)
}

// VPNConnectionSpec is what a VPN connection is asked to be.
type VPNConnectionSpec struct {
	VPNGateway    string   `json:"vpngateway" doc:"Name of the VPN gateway that is its end in the VPC." ref:"vpngateway" minLength:"1" maxLength:"512"`
	PeerAddresses []string `json:"peerAddresses" doc:"IPv4 addresses of the other side's gateway, such as 203.0.113.5." flag:"peer-address" minItems:"1" maxItems:"4" minLength:"7" maxLength:"15" nullable:"false"`
	PeerCIDRs     []string `json:"peerCidrs" required:"false" doc:"IPv4 ranges of the other side, to which routes lead. Required without BGP, which tells them." flag:"peer-cidr" maxItems:"32" maxLength:"18" nullable:"false"`
	LocalCIDRs    []string `json:"localCidrs,omitempty" doc:"IPv4 ranges of this side that the other one reaches. Default: those of the VPC." completed:"cloud" flag:"local-cidr" maxItems:"32" maxLength:"18" nullable:"false"`
	PresharedKey  string   `json:"presharedKey,omitempty" doc:"Key that both sides have: 8 to 64 letters, digits, periods and underscores, not beginning with a zero. Without it the server makes one and answers it once. It is handed to the cloud and never shown." maxLength:"64" file:"true" writeOnly:"true"`
	IKE           IKE      `json:"ike,omitzero" doc:"How both sides agree and encrypt." flag:"ike"`
	BGP           *BGP     `json:"bgp,omitempty" doc:"Has both sides tell each other their ranges. Required where the cloud routes only so (HA VPN of Google Cloud). Default: routes follow from peerCidrs." flag:"bgp"`
}

// IKE is how both sides of a VPN connection agree and encrypt. The values are those that the
// clouds have in common.
// https://docs.aws.amazon.com/vpn/latest/s2svpn/VPNTunnels.html
// https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-about-compliance-crypto
type IKE struct {
	Version    int    `json:"version,omitempty" doc:"Version of IKE, 1 or 2. Default: 2." minimum:"1" maximum:"2"`
	Encryption string `json:"encryption,omitempty" doc:"Cipher of both phases. Default: aes256." enum:"aes128,aes256"`
	Integrity  string `json:"integrity,omitempty" doc:"Hash of both phases. Default: sha256." enum:"sha256,sha384,sha512"`
	DHGroup    int    `json:"dhGroup,omitempty" doc:"Diffie-Hellman group of both phases: 14 (2048 bits), 19 (P-256) or 20 (P-384). Default: 14." minimum:"14" maximum:"20"`
}

// BGP is how both sides of a VPN connection tell each other their ranges. The number of this
// side is the gateway's.
type BGP struct {
	PeerASN     int64    `json:"peerAsn" doc:"Number of the other side as an autonomous system, such as 65010." minimum:"1" maximum:"4294967294"`
	InsideCIDRs []string `json:"insideCidrs,omitempty" doc:"Ranges of the addresses inside the tunnels, one for each: a /30 of 169.254.0.0/16, such as 169.254.10.0/30. Default: the cloud's choice." flag:"inside-cidr" maxItems:"4" maxLength:"18" nullable:"false"`
}

// VPNConnectionStatus is what the cloud reports of a VPN connection.
type VPNConnectionStatus struct {
	Tunnels []VPNTunnel `json:"tunnels,omitempty" doc:"Its tunnels." nullable:"false"`
}

// VPNTunnel is one tunnel of a VPN connection.
type VPNTunnel struct {
	LocalAddress    string   `json:"localAddress" doc:"Public address of this side."`
	PeerAddress     string   `json:"peerAddress" doc:"Public address of the other side."`
	InsideAddresses []string `json:"insideAddresses,omitempty" doc:"Addresses inside the tunnel, that of this side first, where it has some." nullable:"false"`
	State           string   `json:"state" doc:"up; down; or unknown: the cloud does not tell." enum:"up,down,unknown"`
	Reason          string   `json:"reason,omitempty" doc:"What the cloud says about it."`
}

// The states of tunnels.
const (
	TunnelUp      = "up"
	TunnelDown    = "down"
	TunnelUnknown = "unknown"
)

// PresharedKey is the parameter of setkey.
type PresharedKey struct {
	PresharedKey string `json:"presharedKey" doc:"The key that both sides are to have: 8 to 64 letters, digits, periods and underscores, not beginning with a zero." minLength:"8" maxLength:"64" file:"true" writeOnly:"true"`
}

// PeerConfig is what the view peerconfig answers.
type PeerConfig struct {
	Tunnels     []PeerTunnel `json:"tunnels" doc:"The tunnels as the other side sees them." nullable:"false"`
	LocalCIDRs  []string     `json:"localCidrs" doc:"Ranges of the other side, which are local there." nullable:"false"`
	RemoteCIDRs []string     `json:"remoteCidrs" doc:"Ranges of the VPC, to which the other side routes." nullable:"false"`
	IKE         IKE          `json:"ike" doc:"How both sides agree and encrypt."`
	StrongSwan  string       `json:"strongswan" doc:"A swanctl.conf for strongSwan on the other side. The pre-shared key is to be put in."`
}

// PeerTunnel is a tunnel as the other side sees it.
type PeerTunnel struct {
	LocalAddress    string   `json:"localAddress" doc:"Public address of the other side, which is local there."`
	RemoteAddress   string   `json:"remoteAddress" doc:"Public address of the VPN gateway."`
	InsideAddresses []string `json:"insideAddresses,omitempty" doc:"Addresses inside the tunnel, that of the other side first." nullable:"false"`
}

// presharedKey is what every cloud takes: AWS is the strictest.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpnTunnelOptionsSpecification.html
var presharedKey = regexp.MustCompile(`^[A-Za-z1-9._][A-Za-z0-9._]{7,63}$`)

func presharedKeyProblems(field, key string) []Problem {
	if presharedKey.MatchString(key) {
		return nil
	}
	return []Problem{{Field: field, Message: "is not 8 to 64 letters, digits, periods and underscores that do not begin with a zero; leave it out to have one made, or choose another", Rule: RulePattern, Limit: presharedKey.String()}}
}

// Problems implements the rules beyond the schema, and fills the defaults that are the same on
// every cloud.
func (s *VPNConnectionSpec) Problems(at string) []Problem {
	if s.PeerCIDRs == nil {
		s.PeerCIDRs = []string{}
	}
	problems := listedAddressProblems(join(at, "peerAddresses"), s.PeerAddresses)
	problems = append(problems, rangesProblems(join(at, "peerCidrs"), s.PeerCIDRs)...)
	problems = append(problems, rangesProblems(join(at, "localCidrs"), s.LocalCIDRs)...)
	problems = append(problems, overlapProblems(join(at, "localCidrs"), s.LocalCIDRs, s.PeerCIDRs, "the other side (peerCidrs)")...)
	if len(s.PeerCIDRs) == 0 && s.BGP == nil {
		problems = append(problems, Problem{Field: join(at, "peerCidrs"), Message: "is required without bgp: the ranges that routes lead to", Rule: RuleRequired})
	}
	if s.PresharedKey != "" {
		problems = append(problems, presharedKeyProblems(join(at, "presharedKey"), s.PresharedKey)...)
	}
	if s.BGP != nil {
		problems = append(problems, insideProblems(join(at, "bgp.insideCidrs"), s.BGP.InsideCIDRs)...)
	}
	return append(problems, s.IKE.complete(join(at, "ike"))...)
}

// Problems implements the rules beyond the schema.
func (k *PresharedKey) Problems(at string) []Problem {
	return presharedKeyProblems(join(at, "presharedKey"), k.PresharedKey)
}

// complete fills the defaults and says what is wrong.
func (i *IKE) complete(at string) []Problem {
	i.Version, i.Encryption, i.Integrity, i.DHGroup = cmp.Or(i.Version, 2), cmp.Or(i.Encryption, "aes256"), cmp.Or(i.Integrity, "sha256"), cmp.Or(i.DHGroup, 14)
	if strongSwanGroup(i.DHGroup) == "" {
		return []Problem{{Field: join(at, "dhGroup"), Message: "there is no group of this number here; choose 14, 19 or 20", Rule: RuleEnum, Limit: "14,19,20"}}
	}
	return nil
}

// insideProblems checks the ranges inside of tunnels.
func insideProblems(at string, cidrs []string) []Problem {
	problems, linkLocal := rangesProblems(at, cidrs), netip.MustParsePrefix("169.254.0.0/16")
	for i, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil && (prefix.Bits() != 30 || !linkLocal.Contains(prefix.Addr())) {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d]", at, i), Message: fmt.Sprintf("%s is not a /30 of %s", prefix, linkLocal), Rule: RuleOutside, Limit: linkLocal.String()})
		}
	}
	return problems
}

// Complete makes the pre-shared key if none was given.
func (s *VPNConnectionSpec) Complete() (map[string]string, error) {
	if s.PresharedKey != "" {
		return nil, nil
	}
	s.PresharedKey = rand.Text()
	return map[string]string{"presharedKey": s.PresharedKey}, nil
}

// ProblemsAgainst checks that the other side's ranges do not overlap those of the VPC.
func (s *VPNConnectionSpec) ProblemsAgainst(find Find) []Problem {
	var gateway VPNGatewaySpec
	if !findSpec(find, VPNGateway.Kind, s.VPNGateway, &gateway) {
		return nil
	}
	return overlapProblems("spec.peerCidrs", s.PeerCIDRs, rangesOfVPC(find, gateway.VPC), "the VPC "+gateway.VPC)
}

// NewPeerConfig is what the other side of a connection must be told, of what that shows.
func NewPeerConfig(spec VPNConnectionSpec, status VPNConnectionStatus) PeerConfig {
	c := PeerConfig{Tunnels: []PeerTunnel{}, LocalCIDRs: spec.PeerCIDRs, RemoteCIDRs: spec.LocalCIDRs, IKE: spec.IKE}
	for _, t := range status.Tunnels {
		inside := make([]string, 0, len(t.InsideAddresses))
		for i := range t.InsideAddresses {
			inside = append(inside, t.InsideAddresses[len(t.InsideAddresses)-1-i])
		}
		c.Tunnels = append(c.Tunnels, PeerTunnel{t.PeerAddress, t.LocalAddress, inside})
	}
	c.StrongSwan = c.strongSwan()
	return c
}

// strongSwanGroup is strongSwan's word for a Diffie-Hellman group, "" if it has none here.
// https://docs.strongswan.org/docs/latest/config/proposals.html
func strongSwanGroup(number int) string {
	return map[int]string{14: "modp2048", 19: "ecp256", 20: "ecp384"}[number]
}

// strongSwan writes a swanctl.conf. A connection with BGP takes all ranges through the tunnel,
// and leaves to routes what goes there.
// https://docs.strongswan.org/docs/latest/swanctl/swanctlConf.html
func (c PeerConfig) strongSwan() string {
	proposal := strings.Join([]string{c.IKE.Encryption, c.IKE.Integrity, strongSwanGroup(c.IKE.DHGroup)}, "-")
	ranges := func(cidrs []string) string { return cmp.Or(strings.Join(cidrs, ","), "0.0.0.0/0") }
	var connections, secrets strings.Builder
	for i, t := range c.Tunnels {
		fmt.Fprintf(&connections, `  tunnel%d {
    version = %d
    local_addrs = %[3]s
    remote_addrs = %[4]s
    proposals = %[5]s
    dpd_delay = 10s
    local {
      auth = psk
      id = %[3]s
    }
    remote {
      auth = psk
      id = %[4]s
    }
    children {
      tunnel%[1]d {
        local_ts = %[6]s
        remote_ts = %[7]s
        esp_proposals = %[5]s
        start_action = start
        dpd_action = restart
      }
    }
  }
`, i+1, c.IKE.Version, t.LocalAddress, t.RemoteAddress, proposal, ranges(c.LocalCIDRs), ranges(c.RemoteCIDRs))
		fmt.Fprintf(&secrets, "  ike-tunnel%d {\n    id-local = %s\n    id-remote = %s\n    secret = \"PRESHARED-KEY\"\n  }\n", i+1, t.LocalAddress, t.RemoteAddress)
	}
	return "# For strongSwan's /etc/swanctl/swanctl.conf. Put the pre-shared key in the place of PRESHARED-KEY,\n# then: swanctl --load-all\nconnections {\n" + connections.String() + "}\nsecrets {\n" + secrets.String() + "}\n"
}
