package spider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Times that a port has to answer.
const (
	connectTime = 5 * time.Second
	silenceTime = time.Second // of UDP, where only a closed port answers
)

// portRoutes are those that try whether a port can be reached from this server.
func (s *server) portRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/check/tcp", needs: right{people.Read, resource.VM.Name, somewhere}, handle: checkPort("tcp"), acts: true},
		{method: http.MethodGet, path: "/check/udp", needs: right{people.Read, resource.VM.Name, somewhere}, handle: checkPort("udp"), acts: true},
	}
}

func checkPort(network string) func(*request) (any, error) {
	return func(r *request) (any, error) {
		host, err := r.need("HostName")
		if err != nil {
			return nil, err
		}
		text, err := r.need("Port")
		if err != nil {
			return nil, err
		}
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil || number == 0 {
			return nil, invalid("Port", "%q is not a port; those are 1 to 65535", shorten(text))
		}
		if err := r.managed(host); err != nil {
			return nil, err
		}
		if err := r.server.reach(r.Context(), network, net.JoinHostPort(host, text)); err != nil {
			return nil, resource.Errorf(resource.CodeUnavailable, "%s port %d is not open on %s, as seen from this server: %w", strings.ToUpper(network), number, host, err)
		}
		return map[string]string{"message": fmt.Sprintf("Success: %s port %d is open on %s", strings.ToUpper(network), number, host)}, nil
	}
}

// managed refuses what is no address of a resource that is managed here: through this
// server nobody is to look around in the network that it is in.
func (r *request) managed(host string) error {
	there, err := r.server.Inventory.At(r.Context(), "", host)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(there, func(one *resource.Resource) bool {
		return exists(one) && r.may(people.Read, one.Kind, one.Connection) == nil
	}) {
		return resource.Errorf(resource.CodeDenied, "%s is no address of a VM, network interface, public IP or load balancer that is managed here; this server connects to no other", shorten(host))
	}
	return nil
}

// reach connects. A connection of UDP reaches nobody by itself; a closed port then
// answers what is sent to it, an open one may stay silent.
func (s *server) reach(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := s.Dial(ctx, network, address)
	if err != nil {
		return err
	}
	if network == "udp" {
		if err = conn.SetDeadline(time.Now().Add(silenceTime)); err == nil {
			_, err = conn.Write([]byte{0})
		}
		if err == nil {
			if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
		}
	}
	return cmp.Or(err, conn.Close())
}

// dialer connects to other machines. A name that is managed here can be made to lead
// anywhere, so that it is looked at what it leads to.
func dialer() *net.Dialer {
	return &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return onlyOthers(address) }}
}

// onlyOthers refuses this machine and what only machines on the same link have.
func onlyOthers(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := at.Addr().Unmap(); !ip.IsGlobalUnicast() { // private ones are global unicast
		return fmt.Errorf("%s is an address of this machine or its link", ip)
	}
	return nil
}
