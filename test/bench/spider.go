package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// spiderBench measures CB-Spider's API on work for which there are figures of
// CB-Spider itself. Those were taken elsewhere: on another machine with two
// processors, with CB-Spider's own Mock driver.
func spiderBench(ctx context.Context, bin, dir string) (err error) {
	s, err := mcic.Start(ctx, bin, filepath.Join(dir, "spider"), "--dev", "--log-level", "error")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	b := newBench(ctx, s)
	if err := b.prepare(); err != nil {
		return err
	}
	idle := rss(s.PID())
	for name, count := range map[string]int{"hundred": 100, "many": 1500} {
		if err := b.fill(name, count); err != nil {
			return err
		}
	}
	fmt.Printf("%s, %s/%s, %d processors (%s), %s\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version())
	fmt.Println("| work, 16 clients | CB-Spider, elsewhere | this server |\n| --- | --- | --- |")
	fmt.Printf("| idle memory (RSS) | 90 – 137 MB | %.1f MB |\n", idle)
	for _, m := range []struct {
		what, theirs string
		n            int
		do           func(i int) error
	}{
		{"create a VM, settled", "220 – 270/s, p99 93 – 236 ms", 800, func(i int) error { return b.spiderCreate(i) }},
		{"get one VM", "1,750/s, p99 19 – 24 ms", 30000, func(int) error { return b.get("/spider/vm/vm-1?ConnectionName=hundred") }},
		{"list 100 VMs", "20/s, p99 1,100 ms", 5000, func(int) error { return b.get("/spider/vm?ConnectionName=hundred") }},
		{"list 1,500 VMs", "1.4/s", 500, func(int) error { return b.get("/spider/vm?ConnectionName=many") }},
	} {
		r, err := measure(m.n, 16, m.do)
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		fmt.Printf("| %s | %s | %.0f/s, p50 %.1f ms, p99 %.1f ms |\n", m.what, m.theirs, r.rate, ms(r.p50), ms(r.p99))
	}
	fmt.Printf("| memory after this (RSS) | | %.1f MB |\n", rss(s.PID()))
	return nil
}

// fill makes a connection with so many VMs.
func (b *bench) fill(connection string, count int) error {
	base := "/v1/connections/" + connection
	for _, one := range [][2]string{
		{"/v1/credentials", fmt.Sprintf(`{"name":%q,"cloud":"mock","values":{"account":%q}}`, connection, connection)},
		{"/v1/connections", fmt.Sprintf(`{"name":%q,"cloud":"mock","credential":%q,"region":"mock-seoul"}`, connection, connection)},
		{base + "/vpcs?wait=30s", `{"name":"v","spec":{"cidr":"10.0.0.0/8"}}`},
		{base + "/subnets?wait=30s", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.0.0/12"}}`},
		{base + "/vms?wait=5m", fmt.Sprintf(`{"name":"vm","spec":%s,"count":%d}`, b.vm, min(count, 1000))},
	} {
		if err := b.server.JSON(b.ctx, b.http, http.MethodPost, one[0], one[1], nil); err != nil {
			return err
		}
	}
	if count <= 1000 {
		return nil
	}
	return b.server.JSON(b.ctx, b.http, http.MethodPost, base+"/vms?wait=5m", fmt.Sprintf(`{"name":"more","spec":%s,"count":%d}`, b.vm, count-1000), nil)
}

func (b *bench) spiderCreate(i int) error {
	return b.server.JSON(b.ctx, b.http, http.MethodPost, "/spider/vm", fmt.Sprintf(
		`{"ConnectionName":"mock","ReqInfo":{"Name":"vm%d","ImageName":%q,"VMSpecName":%q,"VPCName":"v","SubnetName":"s"}}`, i, b.image, b.spec), nil)
}
