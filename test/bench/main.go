// Command bench measures the server with the Mock cloud at zero latency and prints
// a table for docs/performance.md. Client and server share the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

func main() {
	count := flag.Int("inventory", 0, "measure lists of so many VMs instead")
	folder := flag.String("fill", "", "only write that inventory into this new `folder`, for a server's --data")
	spider := flag.Bool("spider", false, "measure CB-Spider's API instead")
	seen := flag.Int("rights", 0, "measure instead what rights cost in lists, counts and searches of so many VMs")
	data := flag.String("data", "", "with -rights: a `folder` that -fill has written, instead of a new one")
	onPostgres := flag.Bool("postgres", false, "with -rights: on PostgreSQL")
	subscribers := flag.Int("subscribers", 0, "measure what so many subscribers to events cost instead")
	made := flag.Bool("lists", false, "measure lists and reads that are not cached instead")
	beside := flag.String("beside", "", "with -lists: `folder` with the mcic of another version, which is measured in turns with this one")
	flag.Parse()
	instead := func(ctx context.Context, bin, dir string) (done bool, err error) {
		switch {
		case *seen > 0:
			return true, rights(ctx, bin, dir, *data, *seen, *onPostgres)
		case *count > 0:
			return true, inventory(ctx, bin, dir, *count)
		case *subscribers > 0:
			return true, eventsBench(ctx, bin, dir, *subscribers)
		case *spider:
			return true, spiderBench(ctx, bin, dir)
		}
		return false, nil
	}
	var err error
	if *made {
		err = listsBench(context.Background(), *beside)
	} else {
		err = run(context.Background(), *count, *folder, instead)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, folder string, instead func(ctx context.Context, bin, dir string) (bool, error)) (err error) {
	if folder != "" {
		return fill(ctx, folder, count)
	}
	dir, err := os.MkdirTemp("", "mcic-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bin := filepath.Join(dir, "bin")
	if err := mcic.Build(ctx, bin, "./cmd/mcic"); err != nil {
		return err
	}
	if done, err := instead(ctx, bin, dir); done || err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(bin, "mcic"))
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	ready, err := startUp(ctx, bin, data)
	if err != nil {
		return err
	}
	s, err := mcic.Start(ctx, bin, data, "--dev", "--log-level", "error")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()

	b := newBench(ctx, s)
	if err := b.prepare(); err != nil {
		return err
	}
	fmt.Printf("%s, %s/%s, %d processors (%s), %s\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version())
	fmt.Println("| measure | value |\n| --- | --- |")
	row := func(what, format string, args ...any) {
		fmt.Printf("| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	row("binary, stripped", "%.1f MB", float64(info.Size())/1e6)
	row("start to ready, median of 5", "%d ms", ready.Milliseconds())
	row("server's memory, idle (RSS)", "%.1f MB", rss(s.PID()))
	const page = "/v1/connections/mock/vms?pageSize=100"
	var tag string
	for _, m := range []struct {
		what       string
		n, clients int
		do         func(i int) error
	}{
		{"create a VM and wait until it runs, 1 client", 200, 1, func(i int) error { return b.create("a", i) }},
		{"create a VM and wait until it runs, 16 clients", 800, 16, func(i int) error { return b.create("b", i) }},
		{"get a VM, 1 client", 5000, 1, func(int) error { return b.get("/v1/connections/mock/vms/b1") }},
		{"get a VM, 16 clients", 30000, 16, func(int) error { return b.get("/v1/connections/mock/vms/b1") }},
		{"list 100 VMs of 1,000, 16 clients", 20000, 16, func(int) error { return b.get(page) }},
		{"the same, with zstd, not unpacked", 20000, 16, func(int) error { return b.as(page, http.StatusOK, "Accept-Encoding", "zstd") }},
		{"the same, with gzip, not unpacked", 20000, 16, func(int) error { return b.as(page, http.StatusOK, "Accept-Encoding", "gzip") }},
		{"the same, which the client has (304)", 40000, 16, func(int) error { return b.as(page, http.StatusNotModified, "If-None-Match", tag) }},
		{"the same, each time one that is not cached", 2000, 16, func(i int) error { return b.get(fmt.Sprintf("%s&filter=name!=none%d", page, i)) }},
	} {
		if tag, err = b.tag(page); err != nil {
			return err
		}
		r, err := measure(m.n, m.clients, m.do)
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		row(m.what, "%.0f/s, p50 %.1f ms, p99 %.1f ms", r.rate, ms(r.p50), ms(r.p99))
	}
	row("server's memory after 1,000 VMs and the load above (RSS)", "%.1f MB", rss(s.PID()))
	return nil
}

// startUp starts the server five times and answers the median time until it is
// ready. The first start makes the data folder.
func startUp(ctx context.Context, bin, data string) (time.Duration, error) {
	var times []time.Duration
	for range 5 {
		s, err := mcic.Start(ctx, bin, data, "--log-level", "error")
		if err != nil {
			return 0, err
		}
		times = append(times, s.Started)
		if err := s.Stop(); err != nil {
			return 0, err
		}
	}
	slices.Sort(times)
	return times[2], nil
}

type bench struct {
	ctx    context.Context //nolint:containedctx // a program's own
	server *mcic.Server
	http   *http.Client
	vm     string // spec
	image  string
	spec   string
}

// newBench has a client that asks for answers as they are: it would unpack them beside the
// server.
func newBench(ctx context.Context, s *mcic.Server) *bench {
	return &bench{ctx: ctx, server: s, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
}

func (b *bench) prepare() error {
	var images struct{ Items []resource.Image }
	var specs struct{ Items []resource.Spec }
	for path, into := range map[string]any{
		"/v1/catalog/images?connection=mock&filter=os=ubuntu&filter=architecture=x86_64&pageSize=1": &images,
		"/v1/catalog/specs?connection=mock&filter=architectures=x86_64&pageSize=1":                  &specs,
	} {
		if err := b.server.JSON(b.ctx, b.http, http.MethodGet, path, "", into); err != nil {
			return err
		}
	}
	b.image, b.spec = images.Items[0].ID, specs.Items[0].Name
	b.vm = fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s"}`, images.Items[0].ID, specs.Items[0].Name)
	for _, one := range []struct{ kinds, body string }{
		{"vpcs", `{"name":"v","spec":{"cidr":"10.0.0.0/8"}}`},
		{"subnets", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.0.0/12"}}`},
	} {
		if err := b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/connections/mock/"+one.kinds+"?wait=30s", one.body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) create(prefix string, i int) error {
	var vm resource.Resource
	err := b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/connections/mock/vms?wait=30s", fmt.Sprintf(`{"name":"%s%d","spec":%s}`, prefix, i, b.vm), &vm)
	if err == nil && vm.State != resource.StateRunning {
		err = fmt.Errorf("it is %s", vm.State)
	}
	return err
}

func (b *bench) get(path string) error {
	return b.server.JSON(b.ctx, b.http, http.MethodGet, path, "", nil)
}

// as gets with a header, and expects a status.
func (b *bench) as(path string, status int, header, value string) error {
	answer, err := b.send(path, header, value)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != status {
		err = fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// tag is the ETag of what is there now.
func (b *bench) tag(path string) (string, error) {
	answer, err := b.send(path, "Accept", "application/json")
	if err != nil {
		return "", err
	}
	return answer.Header.Get("ETag"), answer.Body.Close()
}

func (b *bench) send(path, header, value string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, b.server.Address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+b.server.Token)
	r.Header.Set(header, value)
	return b.http.Do(r)
}

type result struct {
	rate     float64
	p50, p99 time.Duration
}

// measure runs do n times by so many clients at once.
func measure(n, clients int, do func(i int) error) (result, error) {
	var (
		mu    sync.Mutex
		times []time.Duration
		first error
		group sync.WaitGroup
		work  = make(chan int)
	)
	began := time.Now()
	for range clients {
		group.Go(func() {
			for i := range work {
				start := time.Now()
				err := do(i)
				took := time.Since(start)
				mu.Lock()
				times = append(times, took)
				if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	group.Wait()
	total := time.Since(began)
	slices.Sort(times)
	return result{float64(n) / total.Seconds(), times[n/2], times[n*99/100]}, first
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// rss is a process's resident memory in MB.
func rss(pid int) float64 {
	kb, _ := strconv.ParseFloat(strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), " kB"), 64) // 0 where there is no /proc
	return kb * 1024 / 1e6
}

func processor() string { return field("/proc/cpuinfo", "model name") }

// field reads a value from a file of the kernel's.
func field(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
