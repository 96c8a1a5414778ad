package host_test

import (
	"context"
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
)

// The same call to the same driver, in this process and through a process of its own.
func BenchmarkCall(b *testing.B) {
	inProcess, err := toy("toy").Connect(b.Context(), driver.Config{Region: "r"})
	if err != nil {
		b.Fatal(err)
	}
	h := newHost(b, nil)
	through := h.Session(host.Target{Connection: "c", Revision: "1", Cloud: "toy", Config: func(context.Context) (driver.Config, error) {
		return driver.Config{Region: "r"}, nil
	}})
	for _, way := range []struct {
		name    string
		session driver.Session
	}{{"in process", inProcess}, {"process boundary", through}} {
		b.Run(way.name, func(b *testing.B) {
			if _, err := way.session.Get(b.Context(), "vpc", "x"); err != nil { // starts the process
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := way.session.Get(b.Context(), "vpc", "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
