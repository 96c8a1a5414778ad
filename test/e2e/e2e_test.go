// Package e2e tests the real programs from end to end: server and driver processes,
// command line, and nothing in between that a user would not have.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
	"github.com/m-cmp/mc-infra-connector/test/moto"
)

// programs is the folder with the built programs.
var programs string //nolint:gochecknoglobals // set once by TestMain, which has no other way to hand it on

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mcic-e2e-")
		if err == nil {
			defer func() { _ = os.RemoveAll(dir) }()
			programs = filepath.Join(dir, "bin")
			err = mcic.Build(context.Background(), programs, module+"/cmd/mcic", module+"/cmd/mcic-driver-aws", module+"/cmd/mcic-driver-openstack")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			return 1
		}
		return m.Run()
	}())
}

const module = "github.com/m-cmp/mc-infra-connector"

// world is a server with its data folder, and the command line that uses it.
type world struct {
	*mcic.Server
	t    *testing.T
	data string
	args []string
	home string
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	w := &world{t: t, data: filepath.Join(t.TempDir(), "data"), args: args, home: t.TempDir()}
	w.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's output:\n%s", w.Output())
		}
		assert.NoError(t, w.Stop())
		assert.Empty(t, children(t, w.PID()), "a driver outlives the server")
	})
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := mcic.Start(w.t.Context(), programs, w.data, w.args...)
	require.NoError(w.t, err)
	w.Server = s
}

// run runs the command line and answers what it prints and its exit code.
func (w *world) run(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), filepath.Join(programs, "mcic"), args...)
	cmd.Env = []string{"MCIC_SERVER=" + w.Address, "MCIC_DATA=" + w.data, "HOME=" + w.home}
	cmd.Dir = w.home
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		require.True(w.t, ok, "%v", err)
		code = exit.ExitCode()
	}
	return out.String(), errs.String(), code
}

// do runs a command line that must succeed.
func (w *world) do(line string, args ...any) string {
	w.t.Helper()
	line = fmt.Sprintf(line, args...)
	stdout, stderr, code := w.run(strings.Fields(line)...)
	require.Zero(w.t, code, "mcic %s\n%s%s", line, stdout, stderr)
	return stdout
}

// fails runs a command line that must fail with a code, and answers what it says.
func (w *world) fails(code int, line string, args ...any) string {
	w.t.Helper()
	line = fmt.Sprintf(line, args...)
	stdout, stderr, got := w.run(strings.Fields(line)...)
	require.Equal(w.t, code, got, "mcic %s\n%s%s", line, stdout, stderr)
	return stderr
}

// read runs a command line and reads its JSON.
func read[T any](w *world, line string, args ...any) T {
	w.t.Helper()
	var value T
	out := w.do(line+" -o json", args...)
	require.NoError(w.t, json.Unmarshal([]byte(out), &value), "%s", out)
	return value
}

func children(t *testing.T, parent int) []int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "pid=", "--ppid", strconv.Itoa(parent)).Output()
	if err != nil {
		return nil // ps answers 1 when there is none
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

func gone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, 15*time.Second, 10*time.Millisecond, "the process %d is still there", pid)
}

// TestTheMainJob runs the same commands on each cloud: those that the README shows.
func TestTheMainJob(t *testing.T) {
	t.Run("mock", func(t *testing.T) {
		w := newWorld(t, "--dev")
		mainJob(t, w, "mock", "--filter os=ubuntu --filter architecture=x86_64")
	})
	t.Run("aws", func(t *testing.T) {
		endpoint := moto.Start(t).URL
		w := newWorld(t)
		w.do("credential create aws-key --cloud aws --set accessKeyId=AKIAEXAMPLE --set secretAccessKey=a-very-secret-key")
		w.do("connection create my-aws --cloud aws --credential aws-key --region ap-northeast-2 --setting endpoint=%s", endpoint)
		mainJob(t, w, "my-aws", "--filter architecture=x86_64")
		assert.NotContains(t, w.Output(), "a-very-secret-key")
		noSecretOnDisk(t, w.data, "a-very-secret-key")
	})
}

func mainJob(t *testing.T, w *world, conn, imageFilter string) {
	t.Helper()
	images := read[[]resource.Image](w, "image list -c %s %s --limit 5", conn, imageFilter)
	require.NotEmpty(t, images)
	specs := read[[]resource.Spec](w, "spec list -c %s --filter architectures=x86_64 --filter vcpus=2 --sort memoryMiB --limit 3", conn)
	require.NotEmpty(t, specs)
	assert.NotEmpty(t, read[[]resource.Region](w, "region list -c %s", conn))
	assert.NotEmpty(t, read[[]resource.Zone](w, "zone list -c %s", conn))

	w.do("connection check %s", conn)
	w.do("vpc create vpc1 -c %s --cidr 10.0.0.0/16 --wait", conn)
	w.do("subnet create sub1 -c %s --vpc vpc1 --cidr 10.0.1.0/24 --wait", conn)
	w.do("securitygroup create sg1 -c %s --vpc vpc1 --rule in:tcp:22:0.0.0.0/0 --wait", conn)
	w.do("keypair create key1 -c %s --private-key-out key1.pem --wait", conn)
	key, err := os.ReadFile(filepath.Join(w.home, "key1.pem"))
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(w.home, "key1.pem"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	assert.Contains(t, string(key), "PRIVATE KEY")
	w.do("vm create vm1 -c %s --image %s --spec %s --subnet sub1 --securitygroup sg1 --keypair key1 --wait", conn, images[0].ID, specs[0].Name)

	type vm = resource.Envelope[resource.VMSpec, resource.VMStatus]
	one := read[vm](w, "vm get vm1 -c %s", conn)
	assert.Equal(t, resource.StateRunning, one.State)
	assert.Equal(t, "sub1", one.Spec.Subnet)
	assert.Equal(t, []string{"sg1"}, one.Spec.SecurityGroups)
	assert.Equal(t, "key1", one.Spec.KeyPair)
	assert.NotEmpty(t, one.CloudID)
	assert.NotEmpty(t, one.Status.PrivateAddress)
	assert.NotEmpty(t, one.Native)
	for _, step := range []struct {
		action string
		state  resource.State
	}{{"stop", resource.StateStopped}, {"start", resource.StateRunning}, {"reboot", resource.StateRunning}} {
		w.do("vm %s vm1 -c %s --wait", step.action, conn)
		assert.Equal(t, step.state, read[vm](w, "vm get vm1 -c %s", conn).State, step.action)
	}
	w.do("securitygroup addrules sg1 -c %s --rule in:tcp:8000-8100:10.0.0.0/8 --wait", conn)
	group := read[resource.Envelope[resource.SecurityGroupSpec, resource.SecurityGroupStatus]](w, "securitygroup get sg1 -c %s", conn)
	assert.Contains(t, group.Spec.Rules, resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 8000, ToPort: 8100, CIDR: "10.0.0.0/8"})
	assert.Equal(t, "vm1\n", w.do("vm list -c %s -o name", conn))

	assert.Contains(t, w.fails(4, "vpc delete vpc1 -c %s", conn), "subnet sub1")
	w.do("vm delete vm1 -c %s --wait", conn)
	for _, rest := range []string{"keypair delete key1", "securitygroup delete sg1", "subnet delete sub1", "vpc delete vpc1"} {
		w.do("%s -c %s --wait", rest, conn)
	}
	w.fails(3, "vm get vm1 -c %s", conn)
	for _, op := range read[[]api.Operation](w, "operation list") {
		assert.Equal(t, api.OperationSucceeded, op.State, "%s of %s %s: %v", op.Verb, op.Kind, op.Name, op.Error)
	}
	w.do("connection delete %s", conn)
	noSecretOnDisk(t, w.data, "PRIVATE KEY")
}

// noSecretOnDisk looks for a text in all files of the data folder, and that nobody
// but the owner can read it.
func noSecretOnDisk(t *testing.T, data, text string) {
	t.Helper()
	info, err := os.Stat(data)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		assert.NotContains(t, string(raw), text, path)
		return err
	}))
}

func TestWorkSurvivesKill9OfTheServer(t *testing.T) {
	for _, where := range []string{"sqlite", "postgres"} {
		t.Run(where, func(t *testing.T) {
			args := []string{"--dev"}
			if where == "postgres" {
				args = append(args, "--database-url", storetest.Postgres(t))
			}
			w := newWorld(t, args...)
			w.do("connection create slow --cloud mock --region mock-seoul --setting latency=3s")
			w.do("vpc create v -c mock --cidr 10.0.0.0/16 --wait")
			image := read[[]resource.Image](w, "image list -c mock --filter os=ubuntu --filter architecture=x86_64 --limit 1")[0].ID
			w.do("disk create d -c slow --size-gib 10")
			w.do("vpc create v -c slow --cidr 10.0.0.0/16 --wait")
			w.do("subnet create s -c slow --vpc v --cidr 10.0.1.0/24 --wait")
			spec := read[[]resource.Spec](w, "spec list -c mock --filter architectures=x86_64 --limit 1")[0].Name
			then := filepath.Join(w.home, "then.yaml")
			require.NoError(t, os.WriteFile(then, []byte("then: [{kind: disk, name: d, action: attach, params: {vm: vm1}}]"), 0o600))
			w.do("vm create vm1 -c slow --image %s --spec %s --subnet s --file %s", image, spec, then)
			drivers := children(t, w.PID())
			require.NotEmpty(t, drivers)
			w.Kill()
			for _, pid := range drivers {
				gone(t, pid)
			}
			w.start()
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				assert.Equal(c, resource.StateRunning, read[resource.Resource](w, "vm get vm1 -c slow").State)
				assert.Contains(c, string(read[resource.Resource](w, "disk get d -c slow").Status), `"vm1"`, "what follows the creation is done, too")
			}, 60*time.Second, 200*time.Millisecond)
			for _, pid := range children(t, w.PID()) {
				require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			}
			w.do("vm stop vm1 -c slow --wait") // the killed driver is started anew
			w.do("vm delete vm1 -c slow --wait")
		})
	}
}

func TestTheTutorialsDriverArrivesWhileTheServerRuns(t *testing.T) {
	w := newWorld(t)
	w.fails(2, "connection create shelf --cloud shelf --region top")
	drivers := filepath.Join(w.data, "drivers")
	require.NoError(t, os.MkdirAll(drivers, 0o700))
	require.NoError(t, mcic.Build(t.Context(), drivers, module+"/docs/tutorial/mcic-driver-shelf"))
	w.do("credential create shelf-key --cloud shelf --set token=shelf-12345678")
	w.do("connection create shelf --cloud shelf --credential shelf-key --region top")
	w.do("vpc create v -c shelf --cidr 10.0.0.0/16 --wait")
	w.do("subnet create s -c shelf --vpc v --cidr 10.0.1.0/24 --wait")
	w.do("vm create vm1 -c shelf --image img-debian --spec shoebox --subnet s --wait")
	w.do("vm stop vm1 -c shelf --wait")
	assert.Contains(t, w.fails(8, "keypair create k -c shelf"), "does not offer")
	w.do("vpc label v -c shelf --set kept=here --wait") // the shelf has no tags
	assert.Equal(t, map[string]string{"kept": "here"}, read[resource.Resource](w, "vpc get v -c shelf").Labels)
	assert.Contains(t, w.fails(3, "extension run dance -c shelf"), "no extension")
	assert.Contains(t, w.fails(8, "native anything -c shelf"), "does not pass requests")
	for _, one := range []string{"vm delete vm1", "subnet delete s", "vpc delete v"} {
		w.do("%s -c shelf --wait", one)
	}
}

func TestOperationsAreCancelledAndTriedAgain(t *testing.T) {
	w := newWorld(t, "--dev")
	w.do("connection create slow --cloud mock --region mock-tokyo --setting latency=1s")
	op := read[api.Operation](w, "vpc create v -c slow --cidr 10.0.0.0/16")
	w.do("operation cancel %s --then-delete", op.ID)
	require.Eventually(t, func() bool {
		_, _, code := w.run("vpc", "get", "v", "-c", "slow")
		return code == 3
	}, 20*time.Second, 50*time.Millisecond, "what was created is deleted again")
	assert.Contains(t, w.fails(4, "operation cancel %s", op.ID), "has ended")

	w.do("connection create broken --cloud mock --region mock-tokyo --setting failCreate=1")
	op = read[api.Operation](w, "vpc create w -c broken --cidr 10.0.0.0/16")
	w.fails(6, "operation wait %s", op.ID)
	again := read[api.Operation](w, "operation retry %s", op.ID)
	assert.NotEqual(t, op.ID, again.ID)
	w.fails(6, "operation wait %s", again.ID)
	w.do("vpc delete w -c broken --wait")
	w.fails(3, "operation retry unknown")
}

func TestManyVMsInOneCommand(t *testing.T) {
	w := newWorld(t)
	w.do("connection create small --cloud mock --region mock-seoul --setting quotaVMs=12")
	w.do("vpc create v -c small --cidr 10.0.0.0/16 --wait")
	w.do("subnet create s -c small --vpc v --cidr 10.0.1.0/24 --wait")
	image := read[[]resource.Image](w, "image list -c small --filter os=ubuntu --filter architecture=x86_64 --limit 1")[0].ID
	spec := read[[]resource.Spec](w, "spec list -c small --filter architectures=x86_64 --limit 1")[0].Name
	w.do("vm create web -c small --count 10 --image %s --spec %s --subnet s --wait", image, spec)
	assert.Len(t, read[[]resource.Resource](w, "vm list -c small --filter state=running"), 10)
	says := w.fails(6, "vm create more -c small --count 5 --image %s --spec %s --subnet s --wait", image, spec)
	assert.Contains(t, says, "3 of 5 failed")
	assert.Contains(t, says, "quota")
	assert.Len(t, read[[]resource.Resource](w, "vm list -c small --filter state=running"), 12)
}

func TestWhatWasMadeElsewhereIsAdopted(t *testing.T) {
	w := newWorld(t, "--dev")
	w.do("vpc create v -c mock --cidr 10.0.0.0/16 --wait")
	w.do("subnet create s -c mock --vpc v --cidr 10.0.1.0/24 --wait")
	w.do("connection create other --cloud mock --region mock-seoul") // the same account
	assert.Len(t, read[[]api.InventoryItem](w, "connection inventory other"), 2)
	w.do("connection create half --cloud mock --region mock-seoul --setting down=vpc")
	for _, line := range []string{"connection inventory half", "connection adopt half"} {
		stdout, stderr, code := w.run(strings.Fields(line)...)
		assert.Zero(t, code)
		assert.Contains(t, stdout, "subnet")
		assert.Contains(t, stderr, "Warning: the cloud could not be asked for the kind vpc")
	}
	assert.Len(t, read[[]resource.Resource](w, "connection adopt other"), 2)
	assert.Contains(t, w.do("subnet list -c other"), "s")
	w.do("subnet release s -c other")
	items := read[[]api.InventoryItem](w, "connection inventory other --kind subnet")
	require.Len(t, items, 1)
	assert.Equal(t, api.InCloud, items[0].Where)
	w.do("subnet adopt %s -c other --name mine", items[0].CloudID)
	assert.Contains(t, w.fails(4, "subnet adopt %s -c other", items[0].CloudID), "managed here already")
	w.do("vpc release v -c other")
	assert.Empty(t, w.do("subnet list -c other -o name"), "a VPC goes with its subnets")
	items = read[[]api.InventoryItem](w, "connection inventory other --kind vpc")
	require.Len(t, items, 1)
	w.do("vpc adopt %s -c other --name again", items[0].CloudID)
	assert.Equal(t, "s\n", w.do("subnet list -c other -o name"), "and comes with them")
	assert.Equal(t, "s\n", w.do("subnet list -c mock -o name"), "the other connection is as it was")
}

func TestBadUseIsRefused(t *testing.T) {
	w := newWorld(t, "--dev")
	for code, lines := range map[int][]string{
		2: {
			"vpc create v -c mock --cidr 10.0.0.0/33",
			"vpc create v -c mock",
			"vpc create v --cidr 10.0.0.0/16",
			"vpc create ../etc -c mock --cidr 10.0.0.0/16",
			"vm fly v -c mock",
			"connection create c --cloud moon",
			"connection create c --cloud mock --region mock-seoul --setting latency=soon",
			"vpc list -c mock --filter color=red",
			"connection create c --cloud mock --region atlantis",
		},
		3: {"vm get nothing -c mock", "vpc list -c nowhere", "vm stop nothing -c mock"},
	} {
		for _, line := range lines {
			assert.Contains(t, w.fails(code, "%s", line), "Error:", line)
		}
	}
	w.do("connection create later --cloud mock --region atlantis --no-check")
	w.fails(2, "connection check later")
	w.Token = "wrong"
	status, body, err := w.Do(t.Context(), &http.Client{Timeout: 10 * time.Second}, http.MethodGet, "/v1/vms", "")
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status, "%s", body)
	for _, open := range []string{"/healthz", "/readyz"} {
		status, _, err := w.Do(t.Context(), &http.Client{Timeout: 10 * time.Second}, http.MethodGet, open, "")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status, open)
	}
	assert.Empty(t, read[[]api.Operation](w, "operation list"))
}

func TestAServerGuardsItsDataFolder(t *testing.T) {
	w := newWorld(t)
	_, err := mcic.Start(t.Context(), programs, w.data)
	require.ErrorContains(t, err, "another server uses the data folder")

	open := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.MkdirAll(open, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(open, "token"), []byte("0123456789abcdef0123\n"), 0o644))
	_, err = mcic.Start(t.Context(), programs, open)
	require.ErrorContains(t, err, "chmod 600")
}
