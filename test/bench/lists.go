package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// listRounds is how often each measure is taken; the median counts.
const listRounds = 7

// listsBench measures answers that are made anew each time: lists by asking for something else,
// single VMs by a change before each round. With the folder of another version both are measured
// in turns, so that other work on the machine shows in both.
func listsBench(ctx context.Context, beside string) (err error) {
	dir, err := os.MkdirTemp("", "mcic-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bins := []string{filepath.Join(dir, "bin")}
	if err := mcic.Build(ctx, bins[0], "./cmd/mcic"); err != nil {
		return err
	}
	if beside != "" {
		bins = append(bins, beside)
	}
	var benches []*bench
	var servers []*mcic.Server
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.Stop())
		}
	}()
	for i, bin := range bins {
		s, err := mcic.Start(ctx, bin, filepath.Join(dir, fmt.Sprint("data", i)), "--dev", "--log-level", "error", "--sync-every", "24h")
		if err != nil {
			return err
		}
		servers = append(servers, s)
		b := newBench(ctx, s)
		if err := b.prepare(); err != nil {
			return err
		}
		if err := s.JSON(ctx, b.http, http.MethodPost, "/v1/connections/mock/vms?wait=60s", fmt.Sprintf(`{"name":"b","count":1000,"spec":%s}`, b.vm), nil); err != nil {
			return err
		}
		benches = append(benches, b)
	}
	const page = "/v1/connections/mock/vms?pageSize=100"
	asked := 0
	another := func() string { asked++; return fmt.Sprintf("%s&filter=name!=none%d", page, asked) }
	var tags []string
	for _, b := range benches {
		tag, err := b.tag(page)
		if err != nil {
			return err
		}
		tags = append(tags, tag)
	}
	fmt.Println("| measure, 16 clients | median | lowest – highest | before | ratio |\n| --- | --- | --- | --- | --- |")
	for _, m := range []struct {
		what string
		n    int
		do   func(which int, b *bench, i int, path string) error
	}{
		{"list 100 VMs of 1,000", 2000, func(_ int, b *bench, _ int, path string) error {
			return b.as(path, http.StatusOK, "Accept-Encoding", "identity")
		}},
		{"the same, with zstd, not unpacked", 2000, func(_ int, b *bench, _ int, path string) error {
			return b.as(path, http.StatusOK, "Accept-Encoding", "zstd")
		}},
		{"the same, with gzip, not unpacked", 2000, func(_ int, b *bench, _ int, path string) error {
			return b.as(path, http.StatusOK, "Accept-Encoding", "gzip")
		}},
		{"the same, which the client has (304)", 2000, func(which int, b *bench, _ int, path string) error {
			return b.as(path, http.StatusNotModified, "If-None-Match", tags[which])
		}},
		{"get a VM", 1000, func(_ int, b *bench, i int, _ string) error {
			return b.as(fmt.Sprintf("/v1/connections/mock/vms/b-%d", i+1), http.StatusOK, "Accept-Encoding", "identity")
		}},
		{"create a VM and wait until it runs", 200, func(_ int, b *bench, i int, path string) error {
			return b.create(fmt.Sprintf("c%d-", len(path)*1_000_000+asked), i)
		}},
	} {
		rates := make([][]float64, len(benches))
		for range listRounds {
			for which, b := range benches {
				if err := b.touch(); err != nil {
					return err
				}
				paths := make([]string, m.n)
				for i := range paths {
					paths[i] = another()
				}
				r, err := measure(m.n, 16, func(i int) error { return m.do(which, b, i, paths[i]) })
				if err != nil {
					return fmt.Errorf("%s: %w", m.what, err)
				}
				rates[which] = append(rates[which], r.rate)
			}
		}
		for _, r := range rates {
			slices.Sort(r)
		}
		own := rates[0][listRounds/2]
		fmt.Printf("| %s | %.0f/s | %.0f – %.0f/s |", m.what, own, rates[0][0], rates[0][listRounds-1])
		if len(rates) > 1 {
			fmt.Printf(" %.0f/s | %.1f", rates[1][listRounds/2], own/rates[1][listRounds/2])
		}
		fmt.Println(" |")
	}
	return nil
}

// touch changes something, so that nothing that was read before is answered again.
func (b *bench) touch() error {
	return b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/connections/mock/vpcs/v:label?wait=30s", fmt.Sprintf(`{"set":{"touched":"%d"}}`, time.Now().UnixNano()), nil)
}
