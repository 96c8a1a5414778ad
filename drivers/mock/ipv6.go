package mock

import (
	"crypto/sha256"
	"net/netip"
)

// ipv6RangeOf is the IPv6 range of a subnet: one of those that anybody may use within a
// site. https://www.rfc-editor.org/rfc/rfc4193
func ipv6RangeOf(subnet string) netip.Prefix {
	const bits = 64
	sum := sha256.Sum256([]byte(subnet))
	sum[0] = 0xfd
	return netip.PrefixFrom(netip.AddrFrom16([16]byte(sum[:16])), bits).Masked()
}

// ipv6Of are the IPv6 addresses of what is in a subnet, if subnets have any.
func (s *session) ipv6Of(id, subnet string) []string {
	if !s.ipv6 {
		return nil
	}
	address, sum := ipv6RangeOf(subnet).Addr().As16(), sha256.Sum256([]byte(id))
	copy(address[8:], sum[:])
	return []string{netip.AddrFrom16(address).String()}
}
