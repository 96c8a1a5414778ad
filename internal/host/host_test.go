package host_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The test's executable is also the drivers that it tests with: its first argument
// says how one behaves.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		os.Exit(m.Run())
	}
	switch mode := os.Args[1]; mode {
	case "exits":
		os.Exit(3)
	case "babbles":
		fmt.Println("hello, I am not a driver")
		_, _ = io.Copy(io.Discard, os.Stdin) // stays until it is killed
	case "silent":
		_, _ = io.Copy(io.Discard, os.Stdin) // never shakes hands
	case "future":
		fmt.Println("1|99|unix|/nowhere|grpc")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "speaks":
		speak(os.Args[2])
	case "host":
		runHost()
	default:
		driver.ServeArgs(toy(mode), os.Args[2:])
	}
}

// toy is a driver whose VPCs tell about its process: the id of the object to get
// says what happens. The mode is its name, with a version and a word on state after @
// if need be.
func toy(mode string) *driver.Driver {
	name, version, _ := strings.Cut(mode, "@")
	version, state := strings.CutSuffix(version, "-state")
	if version == "" {
		version = "1.0.0"
	}
	about := driver.About{
		Name: name, Title: "Toy", Version: version, LocalState: state,
		Credential: []driver.Field{{Name: "key", Title: "Key", Doc: "A key.", Type: driver.TypeString, Secret: true}},
	}
	connect := func(ctx context.Context, c driver.Config) (opened, error) {
		switch c.Region {
		case "nowhere":
			return opened{}, resource.Errorf(resource.CodeInvalid, "there is no region nowhere (key %s)", c.Credential["key"])
		case "silence":
			<-ctx.Done()
			return opened{}, ctx.Err()
		}
		return opened{&c}, nil
	}
	return driver.New(about, connect,
		driver.Kind(resource.VPC, func(s opened) driver.Collection[resource.VPCSpec, resource.VPCStatus] { return vpcs{s.Config} }),
		driver.Kind(resource.Bucket, func(opened) bucketAbilities { return buckets{} }),
		driver.Kind(resource.KeyPair, func(opened) driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus] { return keyPairs{} }, driver.ByName, driver.TellsOnce),
		driver.Feed(resource.Metrics, driver.Keeps{}, func(opened) metrics { return metrics{} }))
}

// opened is a session, whose data is on this machine.
type opened struct{ *driver.Config }

// Reach implements driver.Reacher.
func (opened) Reach() driver.Reach { return driver.Reach{Hosts: []string{"127.0.0.1:*"}} }

type (
	bucketAbilities interface {
		driver.Collection[resource.BucketSpec, resource.BucketStatus]
		resource.ObjectSigner
	}
	// buckets have the addresses of their data as ids.
	buckets struct {
		driver.Collection[resource.BucketSpec, resource.BucketStatus]
	}
)

// Sign implements resource.ObjectSigner.
func (buckets) Sign(_ context.Context, id string, r resource.SignRequest) (resource.SignedRequest, error) {
	return resource.SignedRequest{Method: http.MethodGet, URL: "http://" + id + "/" + r.Key, ExpiresAt: time.Now().Add(time.Minute)}, nil
}

type (
	// keyPairs tell their secret, unless their name says that they do not.
	keyPairs struct {
		driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus]
	}
	keyPair = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
)

func (keyPairs) List(context.Context, driver.Filter) iter.Seq2[keyPair, error] {
	return func(func(keyPair, error) bool) {}
}

func (keyPairs) Make(_ context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	made := keyPair{ID: r.Name, Token: r.Token, State: resource.StateAvailable}
	if r.Name != "silent" {
		made.Secrets = map[string]string{"privateKey": "told"}
	}
	return made, nil
}

type metrics struct{}

func (metrics) Read(_ context.Context, s driver.Span, f resource.MetricFilter) iter.Seq2[resource.MetricSeries, error] {
	return func(yield func(resource.MetricSeries, error) bool) {
		for at := s.From.UTC(); at.Before(s.To); at = at.Add(s.Step) {
			if !yield(resource.MetricSeries{VM: f.VMs[0], Points: []resource.MetricPoint{{Time: at}}}, nil) {
				return
			}
		}
	}
}

type (
	vpcs struct{ config *driver.Config }
	vpc  = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (c vpcs) List(context.Context, driver.Filter) iter.Seq2[vpc, error] {
	return func(yield func(vpc, error) bool) {
		for i := 0; i < 1000 || c.config.Region == "endless"; i++ {
			if c.config.Region == "twice" && !yield(vpc{ID: strconv.Itoa(i / 2), State: resource.StateAvailable}, nil) {
				return
			}
			if !yield(vpc{ID: strconv.Itoa(i), State: resource.StateAvailable}, nil) {
				return
			}
		}
	}
}

func (c vpcs) Get(ctx context.Context, id string) (vpc, error) {
	switch id {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("a defect")
	case "hang": // does not obey its context
		select {}
	case "pause": // until a file is there
		for {
			if _, err := os.Stat("go on"); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return vpc{}, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	case "slow": // obeys its context
		<-ctx.Done()
		return vpc{}, ctx.Err()
	case "huge":
		return vpc{ID: id, Name: strings.Repeat("x", driver.MaxMessage), State: resource.StateAvailable}, nil
	case "nonsense":
		return vpc{}, nil
	case "read", "write", "memory", "descriptors", "files":
		return probe(id, c.config.Zone)
	case "environment":
		return vpc{ID: strings.Join(os.Environ(), " "), State: resource.StateAvailable}, nil
	case "leak", "chatter", "long", "big":
		return c.indiscreet(id)
	case "log":
		c.config.Logger.Warn("something odd", "key", c.config.Credential["key"])
		fmt.Fprintln(os.Stderr, "plain words")
	}
	return vpc{ID: id, Name: strconv.Itoa(os.Getpid()), State: resource.StateAvailable, Status: resource.VPCStatus{}, CloudState: c.config.Region}, nil
}

func newHost(t testing.TB, change func(*host.Config)) *host.Host {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	config := host.Config{
		BuiltIn: map[string][]string{}, WorkDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		StartTimeout: 10 * time.Second, CallTimeout: 10 * time.Second, Grace: 300 * time.Millisecond,
	}
	for _, mode := range []string{"toy", "exits", "babbles", "silent"} {
		config.BuiltIn[mode] = []string{self, mode}
	}
	if change != nil {
		change(&config)
	}
	h := host.New(config)
	t.Cleanup(h.Close)
	return h
}

func target(cloud, region string) host.Target {
	return host.Target{Connection: "c-" + region, Revision: "1", Cloud: cloud, Config: func(context.Context) (driver.Config, error) {
		return driver.Config{Region: region, Credential: driver.Values{"key": "very-secret-key"}}, nil
	}}
}

// pid asks a driver for its process.
func pid(t *testing.T, s driver.Session) int {
	t.Helper()
	item, err := s.Get(t.Context(), "vpc", "x")
	require.NoError(t, err)
	n, err := strconv.Atoi(item.Name)
	require.NoError(t, err)
	return n
}

func gone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, 10*time.Second, 5*time.Millisecond, "the process %d is still there", pid)
}

func TestOneProcessServesAllConnections(t *testing.T) {
	h := newHost(t, nil)
	one, two := h.Session(target("toy", "r1")), h.Session(target("toy", "r2"))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := one.Get(t.Context(), "vpc", "x")
			assert.NoError(t, err)
		})
	}
	group.Wait()
	assert.Equal(t, pid(t, one), pid(t, two))
	item, err := two.Get(t.Context(), "vpc", "x")
	require.NoError(t, err)
	assert.Equal(t, "r2", item.CloudState, "sessions must not mix")
}

func TestListsStreamAndCanBeLeft(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "r"))
	n := 0
	for _, err := range s.List(t.Context(), "vpc", driver.Filter{}) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 1000, n)
	n = 0
	for _, err := range s.List(t.Context(), "vpc", driver.Filter{}) {
		require.NoError(t, err)
		if n++; n == 10 {
			break
		}
	}
	assert.Equal(t, 10, n)
	assert.NotZero(t, pid(t, s), "a list that was left must not disturb the next call")
}

func TestFeedsStreamAndCanBeLeft(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "r"))
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	read := func(most int) (entries []string) {
		for entry, err := range s.Read(t.Context(), "metric", driver.Span{From: noon, To: noon.Add(time.Hour), Step: time.Minute}, []byte(`{"vms":["vm-1"]}`)) {
			require.NoError(t, err)
			if entries = append(entries, string(entry)); len(entries) == most {
				break
			}
		}
		return entries
	}
	assert.Len(t, read(100), 60)
	assert.Contains(t, read(1)[0], `"vm":"vm-1"`)
	assert.NotZero(t, pid(t, s), "a feed that was left must not disturb the next call")
	for _, err := range s.Read(t.Context(), "metric", driver.Span{From: noon, To: noon}, nil) {
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	}
}

// A secret that did not come with the id of what it is of never comes.
func TestASecretThatIsToldOnceIsThere(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "here"))
	item, _, err := s.Create(t.Context(), "keypair", driver.ItemRequest{Token: "t-1", Name: "k", Spec: []byte(`{}`)})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"privateKey": "told"}, item.Secrets)
	item, _, err = s.Create(t.Context(), "keypair", driver.ItemRequest{Token: "t-2", Name: "silent", Spec: []byte(`{}`)})
	require.ErrorContains(t, err, "without its secret")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	assert.Equal(t, "silent", item.ID, "it is there all the same")
}

// Clouds throttle requests for data, too, of which each has taken its turn to be signed.
func TestTheLimitHearsOfData(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusOK)
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(cloud.Close)
	h := newHost(t, nil)
	get := func() error {
		response, _, err := h.Send(t.Context(), target("toy", "here"), "bucket", cloud.Listener.Addr().String(), resource.SignRequest{Do: resource.SignGet, Key: "k"}, nil)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	require.NoError(t, get())
	status.Store(http.StatusServiceUnavailable)
	require.Error(t, get())
	assert.Empty(t, h.Limits(), "nobody throttles")
	status.Store(http.StatusTooManyRequests)
	assert.Equal(t, resource.CodeThrottled, resource.CodeOf(get()))
	assert.Contains(t, h.Limits(), "c-here")
}

func TestDescribe(t *testing.T) {
	h := newHost(t, nil)
	d, err := h.Describe(t.Context(), "toy")
	require.NoError(t, err)
	assert.Equal(t, "toy", d.Name)
	assert.True(t, d.Offers("vpc", "get"))
	assert.False(t, d.Offers("vpc", "create"))
	_, err = h.Describe(t.Context(), "unknown")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestADriverStartsWithAnEmptyEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "leak")
	item, err := newHost(t, nil).Session(target("toy", "r")).Get(t.Context(), "vpc", "environment")
	require.NoError(t, err)
	assert.NotContains(t, item.ID, "leak")
	assert.NotContains(t, item.ID, "HOME=")
	assert.Contains(t, item.ID, driver.EnvExitWithStdin)
}

func TestACrashCostsOneCall(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "r"))
	before := pid(t, s)
	_, err := s.Get(t.Context(), "vpc", "exit")
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	assert.True(t, resource.AsError(err).Retryable)
	assert.NotEqual(t, before, pid(t, s), "the next call must find a fresh process")
	gone(t, before)
}

func TestAKilledDriverIsStartedAgain(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "r"))
	before := pid(t, s)
	require.NoError(t, syscall.Kill(before, syscall.SIGKILL))
	gone(t, before)
	require.Eventually(t, func() bool {
		_, err := s.Get(t.Context(), "vpc", "x")
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
}

func TestAPanicIsAnErrorAndNothingMore(t *testing.T) {
	s := newHost(t, nil).Session(target("toy", "r"))
	before := pid(t, s)
	_, err := s.Get(t.Context(), "vpc", "panic")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	assert.Equal(t, before, pid(t, s))
}

func TestNonsenseIsAClearError(t *testing.T) {
	_, err := newHost(t, nil).Session(target("toy", "r")).Get(t.Context(), "vpc", "nonsense")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	assert.ErrorContains(t, err, "defect of the driver")
}

// What a driver answers costs the server only so much.
func TestAnswersHaveBounds(t *testing.T) {
	h := newHost(t, func(c *host.Config) { c.MostListed = 5000 })
	list := func(region string) (ids map[string]int, err error) {
		ids = map[string]int{}
		for item, err := range h.Session(target("toy", region)).List(t.Context(), "vpc", driver.Filter{}) {
			if err != nil {
				return ids, err
			}
			ids[item.ID]++
		}
		return ids, nil
	}
	ids, err := list("endless")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	require.ErrorContains(t, err, "more than 5000 objects")
	assert.Len(t, ids, 5000)
	ids, err = list("twice")
	require.NoError(t, err)
	for id, times := range ids {
		assert.Equal(t, 1, times, id)
	}
	s := h.Session(target("toy", "r"))
	before := pid(t, s)
	_, err = s.Get(t.Context(), "vpc", "huge")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	require.ErrorContains(t, err, "larger than max")
	assert.Equal(t, before, pid(t, s), "it costs that call alone")
}

func TestAChangedConnectionGetsANewSession(t *testing.T) {
	h := newHost(t, nil)
	old := target("toy", "r")
	_, err := h.Session(old).Get(t.Context(), "vpc", "x")
	require.NoError(t, err)
	changed := target("toy", "other")
	changed.Connection, changed.Revision = old.Connection, "2"
	item, err := h.Session(changed).Get(t.Context(), "vpc", "x")
	require.NoError(t, err)
	assert.Equal(t, "other", item.CloudState)
}

func TestCheckTellsWhatIsWrongWithoutSecrets(t *testing.T) {
	h := newHost(t, nil)
	require.NoError(t, h.Check(t.Context(), target("toy", "r")))
	err := h.Check(t.Context(), target("toy", "nowhere"))
	require.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.NotContains(t, err.Error(), "very-secret-key")
}

// A cloud that does not answer takes no call longer than a session may take to open.
func TestConnectingHasATimeOfItsOwn(t *testing.T) {
	h := newHost(t, func(c *host.Config) {
		c.CallTimeout, c.ListTimeout, c.ConnectTimeout = time.Hour, time.Hour, 200*time.Millisecond
	})
	silent := target("toy", "silence")
	require.NoError(t, h.Check(t.Context(), target("toy", "r")))
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(h.Check(t.Context(), silent)))
	_, err := h.Session(silent).Get(t.Context(), "vpc", "x")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	for _, err := range h.Session(silent).List(t.Context(), "vpc", driver.Filter{}) {
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	}
	for _, err := range h.LookUp(t.Context(), silent, "region", nil) {
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	}
	item, err := h.Session(target("toy", "r")).Get(t.Context(), "vpc", "x")
	require.NoError(t, err, "the others go on")
	assert.Equal(t, "x", item.ID)
}

func TestLogsArePassedOnWithoutSecrets(t *testing.T) {
	var log syncBuffer
	h := newHost(t, func(c *host.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	_, err := h.Session(target("toy", "r")).Get(t.Context(), "vpc", "log")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		text := log.String()
		return strings.Contains(text, `level=WARN msg="something odd" driver=toy`) && strings.Contains(text, "plain words")
	}, 5*time.Second, 5*time.Millisecond, "%s", &log)
	assert.NotContains(t, log.String(), "very-secret-key")
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestDriversAreFoundInFolders(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	script := func(name, mode string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexec "+self+" "+mode+"\n"), 0o700))
	}
	script("mcic-driver-other", "other")
	script("mcic-driver-misnamed", "toy")
	script("mcic-driver-Bad_Name", "toy")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mcic-driver-plain"), []byte("not executable"), 0o600))
	h := newHost(t, func(c *host.Config) { c.Dirs, c.BuiltIn = []string{dir, filepath.Join(dir, "missing")}, nil })

	assert.Equal(t, []string{"misnamed", "other"}, h.Clouds())
	d, err := h.Describe(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, "other", d.Name)
	_, err = h.Describe(t.Context(), "misnamed")
	assert.ErrorContains(t, err, "rename it")
	s := h.Session(target("other", "r"))
	before := pid(t, s)
	script("mcic-driver-other", "other # a new version")
	assert.NotEqual(t, before, pid(t, s), "a replaced executable is used from the next call on")
	gone(t, before)
	script("mcic-driver-late", "late")
	_, err = h.Describe(t.Context(), "late")
	assert.NoError(t, err, "a driver that arrives while the host runs is found")
}

// runHost starts a driver and then waits to be killed.
func runHost() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	h := host.New(host.Config{BuiltIn: map[string][]string{"toy": {self, "toy"}}, WorkDir: os.Args[2]})
	item, err := h.Session(target("toy", "r")).Get(context.Background(), "vpc", "x")
	if err != nil {
		panic(err)
	}
	fmt.Println(item.Name)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestADriverEndsWhenTheServerIsKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	server := exec.CommandContext(t.Context(), self, "host", t.TempDir())
	_, err = server.StdinPipe() // kept open
	require.NoError(t, err)
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, 0), "the driver runs")
	require.NoError(t, server.Process.Kill())
	_ = server.Wait() // it was killed
	gone(t, child)
}
