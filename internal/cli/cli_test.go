package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range cmd.Commands() {
		walk(c, visit)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	root := New(Build{}, newShell(t, nil).world())
	count := 0
	walk(root, func(c *cobra.Command) {
		count++
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.NotEmpty(t, c.Example, c.CommandPath())
		assert.False(t, strings.HasSuffix(c.Short, "."), c.CommandPath())
		if c.HasParent() && !c.Parent().HasParent() {
			assert.NotEmpty(t, c.GroupID, c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) { assert.NotEmpty(t, f.Usage, "%s --%s", c.CommandPath(), f.Name) })
	})
	assert.Greater(t, count, 50)
	for _, k := range resource.Kinds() {
		for _, verb := range []string{"create", "list", "get", "delete"} {
			c, _, err := root.Find([]string{k.Name, verb})
			require.NoError(t, err)
			assert.Equal(t, "mcic "+k.Name+" "+verb, c.CommandPath())
		}
		for _, action := range k.Actions {
			c, _, err := root.Find([]string{k.Plural(), action.Name})
			require.NoError(t, err)
			assert.Equal(t, "mcic "+k.Name+" "+action.Name, c.CommandPath())
		}
	}
}

// Every field of every kind can be given on the command line, and the examples that
// are made of the model are accepted up to the point where they need a server.
func TestFlagsOfAllKinds(t *testing.T) {
	root := New(Build{}, newShell(t, nil).world())
	for _, k := range resource.Kinds() {
		create, _, err := root.Find([]string{k.Name, "create"})
		require.NoError(t, err)
		for f := range k.SpecType().Fields() {
			name := f.Tag.Get("flag")
			if name == "" {
				name = kebab(resource.JSONName(f))
			}
			flag := create.Flags().Lookup(name)
			if !writable(f.Type) { // only through --file
				assert.Nil(t, flag, "%s --%s", k.Name, name)
				continue
			}
			require.NotNil(t, flag, "%s --%s", k.Name, name)
			assert.Contains(t, flag.Usage, f.Tag.Get("doc"))
			if enum := f.Tag.Get("enum"); enum != "" {
				assert.Equal(t, strings.ReplaceAll(enum, ",", "|"), flag.Value.Type())
			}
		}
		for _, s := range k.Secrets {
			assert.NotNil(t, create.Flags().Lookup(kebab(s.Name)+"-out"))
		}
	}
	usage := root.UsageString()
	assert.Contains(t, usage, "Resources:")
}

func TestKebab(t *testing.T) {
	for name, want := range map[string]string{
		"cidr": "cidr", "publicKey": "public-key", "rootDiskSizeGiB": "root-disk-size-gib", "memoryMiB": "memory-mib",
		"keypair": "keypair", "fromPort": "from-port", "publicIPAddress": "public-ip-address", "cloudID": "cloud-id", "privateAddress": "private-address",
	} {
		assert.Equal(t, want, kebab(name))
	}
}

func TestFlagValues(t *testing.T) {
	type inner struct{ resource.Rule }
	type spec struct {
		Text   string            `json:"text"`
		Number int               `json:"number,omitempty"`
		Big    uint16            `json:"big,omitempty"`
		Ratio  float64           `json:"ratio,omitempty"`
		On     bool              `json:"on,omitempty"`
		Maybe  *int              `json:"maybe,omitempty"`
		List   []string          `json:"list,omitempty" flag:"item" enum:"a,b"`
		Tags   map[string]string `json:"tags,omitempty"`
		Rules  []*resource.Rule  `json:"rules,omitempty"`
		Rule   resource.Rule     `json:"rule,omitzero"`
		Soft   string            `json:"soft" required:"false"`
		Deep   []inner           `json:"deep,omitempty"`
		Hidden string            `json:"-"`
	}
	a := &app{}
	cmd := &cobra.Command{}
	flags := a.addStructFlags(cmd, "spec", reflect.TypeFor[spec]())
	assert.Nil(t, cmd.Flags().Lookup("rules"), "a list of pointers needs --file")
	assert.Nil(t, cmd.Flags().Lookup("hidden"))
	require.NoError(t, cmd.ParseFlags(strings.Fields("--text x --number -3 --big 9 --ratio 0.5 --on --maybe 0 --item a --item b --tags k=v --tags l=w=x --rule in:tcp:22:0.0.0.0/0")))
	object := map[string]json.RawMessage{}
	require.NoError(t, flags.fill(object))
	raw, err := json.Marshal(object)
	require.NoError(t, err)
	assert.JSONEq(t, `{"text":"x","number":-3,"big":9,"ratio":0.5,"on":true,"maybe":0,"list":["a","b"],"tags":{"k":"v","l":"w=x"},
		"rule":{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}}`, string(raw))
	assert.NoError(t, flags.missing(object))
	assert.ErrorContains(t, flags.missing(nil), "--text: is required")
	assert.NotContains(t, flags.missing(nil).Error(), "--soft")

	for _, bad := range []string{"--number x", "--big -1", "--big 70000", "--ratio x", "--on=perhaps", "--maybe x", "--item c", "--tags k", "--rule in:tcp", "--rule in:tcp:x:y"} {
		assert.Error(t, (&app{}).badFlags(reflect.TypeFor[spec](), bad), bad)
	}
	assert.Equal(t, "--item (number 2)", flags.name("spec.list[1]"))
	assert.Equal(t, "--rule", flags.name("spec.rule.fromPort"))
	assert.Equal(t, "--label a.b", flags.name("labels.a.b"))
	assert.Equal(t, "NAME", flags.name("name"))
	assert.Empty(t, flags.name("spec.other"))
}

func (a *app) badFlags(t reflect.Type, line string) error {
	cmd := &cobra.Command{}
	a.addStructFlags(cmd, "", t)
	return cmd.ParseFlags(strings.Fields(line))
}

type described struct{ Text string }

func (d *described) ParseFlag(text string) error { d.Text = text; return nil }
func (*described) FlagUsage() string             { return "any text, such as hello." }

func TestAStructMaySayHowItIsWritten(t *testing.T) {
	cmd := &cobra.Command{}
	flags := (&app{}).addStructFlags(cmd, "", reflect.TypeFor[struct {
		D []described `json:"d" doc:"Doc."`
	}]())
	assert.Equal(t, "Doc. Written as any text, such as hello.. May be repeated. (required)", cmd.Flags().Lookup("d").Usage)
	assert.Equal(t, " --d hello", flags.example())
}

func TestCreate(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	for _, tc := range []struct{ line, want string }{
		{"vpc create net --cidr 10.0.0.0/16", `POST /connections/mock/vpcs {"name":"net","spec":{"cidr":"10.0.0.0/16"}}`},
		{"vpc create net -c other --cidr 10.0.0.0/16 --label a=b --label c=", `POST /connections/other/vpcs {"labels":{"a":"b","c":""},"name":"net","spec":{"cidr":"10.0.0.0/16"}}`},
		{
			"securitygroup create sg --vpc net --rule in:tcp:22:0.0.0.0/0 --rule out:all::10.0.0.0/8",
			`POST /connections/mock/securitygroups {"name":"sg","spec":{"rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"},{"direction":"out","protocol":"all","cidr":"10.0.0.0/8"}],"vpc":"net"}}`,
		},
		{
			"vm create a --image ami-1 --spec small --subnet net --securitygroup x --securitygroup y --root-disk-size-gib 20",
			`POST /connections/mock/vms {"name":"a","spec":{"image":"ami-1","rootDiskSizeGiB":20,"securitygroups":["x","y"],"spec":"small","subnet":"net"}}`,
		},
	} {
		out := s.ok(tc.line)
		assert.Contains(t, f.seen(), tc.want)
		assert.Contains(t, out, "create queued; follow it with: mcic operation wait op")
	}
}

func TestCreateOnlyChecked(t *testing.T) {
	f := newFake(t)
	f.answers = map[string]any{"connections/mock/vpcs:check": api.CreationCheck{Cloud: true}, "connections/mock/subnets:check": api.CreationCheck{Cloud: true, Warnings: []resource.Warning{{Message: "look out"}}}, "connections/mock/disks:check": api.CreationCheck{Reason: "nobody knows"}}
	s := newShell(t, f)
	assert.Equal(t, "nothing was created; nothing is wrong with it, here and on the cloud\n", s.ok("vpc create net --cidr 10.0.0.0/16 --dry-run"))
	assert.Contains(t, f.seen(), `POST /connections/mock/vpcs:check {"name":"net","spec":{"cidr":"10.0.0.0/16"}}`)
	assert.Contains(t, s.ok("disk create d --size-gib 10 --dry-run"), "the cloud was not asked: nobody knows")
	assert.JSONEq(t, `{"cloud":true}`, s.ok("vpc create net --cidr 10.0.0.0/16 --dry-run -o json"))
}

func TestCreateFromFile(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	s.stdin = "# comment\n---\nname: net\nlabels: {a: b}\nspec:\n  cidr: 10.0.0.0/16\n  new: 1\n"
	s.ok("vpc create --file -")
	s.ok("vpc create other --file - --cidr 10.1.0.0/16 --label c=d")
	s.stdin = "{\n\t\"name\": \"tabs\", \"spec\": {\"cidr\": \"10.0.0.0/16\"}}"
	s.ok("vpc create --file -")
	assert.Equal(t, []string{
		`POST /connections/mock/vpcs {"labels":{"a":"b"},"name":"net","spec":{"cidr":"10.0.0.0/16","new":1}}`,
		`POST /connections/mock/vpcs {"labels":{"a":"b","c":"d"},"name":"other","spec":{"cidr":"10.1.0.0/16","new":1}}`,
		`POST /connections/mock/vpcs {"name":"tabs","spec":{"cidr":"10.0.0.0/16"}}`,
	}, f.seen())
	for stdin, want := range map[string]string{
		"a: 1\n---\nb: 2\n":            "holds several documents",
		"[1]":                          "is not an object",
		"null":                         "is not an object",
		"":                             "is not an object",
		"a: 1\na: 2\n":                 "neither JSON nor YAML",
		"name: x\nspec: 1\n":           "spec is not an object",
		"name: x\nspec: {}\n":          "--cidr: is required",
		"name: x\nspec: {cdir: 1}\n":   "spec.cdir: there is no such field",
		"name: x\nlabels: 1\nspec: {}": "--cidr: is required",
	} {
		s.stdin = stdin
		assert.Equal(t, 2, s.run("vpc create --file -"), stdin)
		assert.Contains(t, s.err.String(), want, stdin)
	}
	assert.Equal(t, 2, s.run("vpc create --file "+s.path("none")))
	assert.Len(t, f.seen(), 3)
}

func TestWhatGetShowsIsCreatedAgain(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	raw, err := yaml.Marshal(resource.Resource{
		Kind: "vpc", Name: "net", Connection: "mock", UID: "u", CloudID: "vpc-1", State: resource.StateAvailable, CloudState: "ok",
		Labels: map[string]string{"a": "b"}, Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`), Effective: json.RawMessage(`{"cidr":"10.0.0.0/15"}`), Status: json.RawMessage(`{"default":true}`),
		Native: json.RawMessage(`{"x":1}`), Operation: "op-1",
	})
	require.NoError(t, err)
	s.stdin = string(raw)
	s.ok("vpc create again -c other --file -")
	assert.Equal(t, []string{`POST /connections/other/vpcs {"labels":{"a":"b"},"name":"again","spec":{"cidr":"10.0.0.0/16"}}`}, f.seen())
}

func TestTextsComeFromFiles(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	path := s.path("setup.sh")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600))
	s.stdin = "#cloud-config\n"
	for given, want := range map[string]string{"@" + path: "#!/bin/sh\n", "@-": "#cloud-config\n", "@@home": "@home", "#!x": "#!x"} {
		s.ok("vm create a --image ami-1 --spec small --subnet net --user-data " + given)
		body, err := json.Marshal(want)
		require.NoError(t, err)
		seen := f.seen()
		assert.Contains(t, seen[len(seen)-1], `"userData":`+string(body), given)
	}
	assert.Equal(t, 2, s.run("vm create a --image ami-1 --spec small --subnet net --user-data @"+s.path("none")))
	assert.Contains(t, s.err.String(), "--user-data: open ")
}

func TestMistakesAreFoundBeforeTheServerIsAsked(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	for line, want := range map[string]string{
		"vpc create net":                                                               "--cidr: is required: IPv4 range",
		"vpc create net --cidr 10.0.0.1/16":                                            "--cidr: 10.0.0.1/16 has bits set beyond its prefix",
		"vpc create -x --cidr 10.0.0.0/16":                                             "unknown shorthand flag",
		"vpc create a!b --cidr 10.0.0.0/16":                                            "  NAME: ",
		"vpc create a b --cidr 10.0.0.0/16":                                            "takes one NAME, but got 2",
		"vpc create --cidr 10.0.0.0/16":                                                "which vpc? Give its NAME: mcic vpc create NAME",
		"vpc create net --cidr 10.0.0.0/16 --label a":                                  `--label: "a" is not key=value`,
		"vpc create net --cidr 10.0.0.0/16 --label a=1 --label a=2":                    "--label: a is given twice",
		"vpc create net --cidr 10.0.0.0/16 --label mcic=1":                             "--label mcic: keys that begin",
		"vpc create net --cidr 10.0.0.0/16 --timeout 5m":                               "--timeout is only for --wait",
		"vpc create net --cidr 10.0.0.0/16 --wait --timeout -5m":                       "not a time to wait",
		"vm create a --image i":                                                        "--spec: is required",
		"securitygroup addrules sg":                                                    "--rule: is required",
		"securitygroup addrules sg --rule in:tcp":                                      "--rule: \"in:tcp\" is not direction:protocol:ports:cidr",
		"securitygroup addrules sg --rule in:tcp:22:1.2.3.4/32 --rule in:x::0.0.0.0/0": "--rule (number 2): ",
		"keypair create k --algorithm dsa":                                             `--algorithm: "dsa" is not one of: rsa, ed25519`,
		"vm list -o xml":                                                               `--output: "xml" is not one of: table, json, yaml, name`,
		"vm list --limit -1":                                                           "--limit: -1",
		"vm list --filter running":                                                     `--filter: "running" is not field=value`,
		"vm list -A -c mock":                                                           "exclude each other",
		"vm list --watch --limit 3":                                                    "exclude each other",
		"vm list x":                                                                    `takes no arguments, but got "x"`,
		"vm list --connectio x":                                                        "has no flag --connectio; did you mean --connection?",
		"vm lst":                                                                       `there is no command "lst" of mcic vm; did you mean list`,
		"vmm":                                                                          `there is no command "vmm" of mcic; did you mean vm`,
		"vm stop":                                                                      "which vm? Give its NAME: mcic vm stop NAME",
		"operation wait":                                                               "which operation? Give its ID",
		"operation wait op1 --timeout 0s":                                              "not a time to wait",
		"credential create k":                                                          "--cloud is required",
		"connection create c":                                                          "--cloud is required",
		"connection create c --cloud x --setting y":                                    "is not key=value",
		"--server x --context y vm list":                                               "give one of them",
		"--context y vm list":                                                          `there is no context "y"`,
		"--server nowhere vm list":                                                     "is not a URL such as",
	} {
		assert.Equal(t, 2, s.run(line), line)
		assert.Contains(t, s.err.String(), want, line)
		assert.Empty(t, s.out.String(), line)
		assert.Contains(t, s.err.String(), "Error: ", line)
		assert.Contains(t, s.err.String(), " --help\n", line)
	}
	s.env["MCIC_CONNECTION"] = ""
	assert.Equal(t, 2, s.run("vm get a"))
	assert.Contains(t, s.err.String(), "which connection? Give it with -c NAME or $MCIC_CONNECTION")
	assert.Empty(t, f.seen())
}

func TestList(t *testing.T) {
	f := newFake(t)
	long := vm("long-name-한글")
	long.Connection, long.State = "other", resource.StateFailed
	long.Effective = json.RawMessage(`{"image":"` + strings.Repeat("x", 50) + `","spec":"evil\u001b[2J\u202e\n","subnet":"n"}`)
	long.Status = json.RawMessage(`{}`)
	f.resources = []resource.Resource{vm("a"), vm("b"), vm("c"), long}
	s := newShell(t, f)

	assert.Equal(t, strings.TrimPrefix(`
NAME  STATE    IMAGE  SPEC   SUBNET  ZONE  PRIVATE-ADDRESS  PUBLIC-ADDRESS  AGE
a     running  ami-1  small  net     z1    10.0.0.4         -               3h0m
b     running  ami-1  small  net     z1    10.0.0.4         -               3h0m
c     running  ami-1  small  net     z1    10.0.0.4         -               3h0m
`, "\n"), s.ok("vm list"))
	assert.Equal(t, []string{"GET /connections/mock/vms?pageSize=1000", "GET /connections/mock/vms?pageSize=1000&pageToken=2"}, f.seen(), "both pages, and no more")

	assert.Equal(t, strings.TrimPrefix(`
NAME            STATE    IMAGE                                     SPEC                 SUBNET  ZONE  PRIVATE-ADDRESS  PUBLIC-ADDRESS  CONNECTION  AGE
a               running  ami-1                                     small                net     z1    10.0.0.4         -               mock        3h0m
b               running  ami-1                                     small                net     z1    10.0.0.4         -               mock        3h0m
c               running  ami-1                                     small                net     z1    10.0.0.4         -               mock        3h0m
long-name-한글  failed   xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  evil\x1b[2J\u202e\n  n       -     -                -               other       3h0m
`, "\n"), s.ok("vm list -A"))

	assert.Equal(t, "a\nb\nc\n", s.ok("vm list -o name"))
	assert.Equal(t, "a\n", s.ok("vm list -o name --limit 1"))
	var items []resource.Resource
	require.NoError(t, json.Unmarshal([]byte(s.ok("vm list -o json")), &items))
	assert.Len(t, items, 3)
	assert.Contains(t, s.ok("vm list -o yaml"), "- cloudId: i-a\n  connection: mock\n")
	assert.Equal(t, "[]\n", s.ok("subnet list -o json"))
	assert.Empty(t, s.ok("subnet list"))
	assert.Equal(t, "there is no subnet in the connection mock\n", s.err.String())
	s.ok("vm list -A --filter state=running --filter name~a --sort -name --limit 3")
	assert.Contains(t, f.seen(), "GET /vms?filter=state%3Drunning&filter=name~a&pageSize=3&sort=-name")
	s.ok("audit list --filter verb=delete --limit 2")
	assert.Contains(t, f.seen(), "GET /audit?filter=verb%3Ddelete&pageSize=2")
	f.answers = map[string]any{"audit:verify": api.AuditProof{Holds: true, Last: 7, Seal: "abc"}}
	assert.Contains(t, s.ok("audit verify -o name"), "abc")
	f.answers["audit:verify"] = api.AuditProof{Broken: "entry number 3 is missing"}
	assert.Equal(t, exitOther, s.run("audit verify"))
	assert.Contains(t, s.err.String(), "entry number 3 is missing")
	s.ok("vm delete a --force")
	assert.Contains(t, f.seen(), "DELETE /connections/mock/vms/a?force=true")
	assert.Equal(t, 2, s.run("vm delete a --force --release-only"))
	s.ok("vm delete b --release-only")
	assert.Contains(t, f.seen(), "POST /connections/mock/vms/b:release")
	s.ok("vm list -A --search 10.0. --fresh")
	assert.Contains(t, f.seen(), "GET /vms?fresh=true&pageSize=1000&q=10.0.")
	assert.Equal(t, "Warning: the cloud of the connection far could not be asked; what it shows may be old: the cloud sleeps\n", s.err.String())
}

func TestColumnsOfAllKinds(t *testing.T) {
	headers := func(kind *resource.Kind) string {
		var names []string
		for _, c := range (&app{}).kindColumns(kind, false) {
			names = append(names, c.header)
		}
		return strings.Join(names, " ")
	}
	assert.Equal(t, "NAME STATE CIDR DEFAULT AGE", headers(resource.VPC.Kind))
	assert.Equal(t, "NAME STATE VPC CIDR ZONE IPV6-CIDR AVAILABLE-ADDRESSES AGE", headers(resource.Subnet.Kind))
	assert.Equal(t, "NAME STATE VPC OTHER-RULE-COUNT AGE", headers(resource.SecurityGroup.Kind))
	assert.Equal(t, "NAME STATE ALGORITHM FINGERPRINT AGE", headers(resource.KeyPair.Kind))
}

func TestGet(t *testing.T) {
	f := newFake(t)
	a := vm("a")
	a.Labels = map[string]string{"team": "x\x1b[31m"}
	a.Error = resource.Errorf(resource.CodeQuota, "too many")
	group := resource.Resource{
		Kind: "securitygroup", Name: "sg", Connection: "mock", UID: "u", State: resource.StateAvailable,
		Spec:      json.RawMessage(`{"vpc":"net","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}]}`),
		Effective: json.RawMessage(`{"vpc":"net","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"},{"direction":"out","protocol":"all","cidr":"0.0.0.0/0"}]}`),
		Status:    json.RawMessage(`{"new":[{"x":1,"y":"z"},{"x":2}]}`),
	}
	f.resources = []resource.Resource{a, group}
	s := newShell(t, f)
	created := start2026().Local().Format("2006-01-02 15:04:05 MST") + " (3h0m ago)"
	assert.Equal(t, strings.ReplaceAll(strings.TrimPrefix(`
kind:       vm
name:       a
connection: mock
uid:        uid-a
cloudId:    i-a
state:      running
labels:
  team: x\x1b[31m
spec:
  image:          ami-1
  spec:           small
  subnet:         net
  securitygroups: a, b
status:
  zone:           z1
  privateAddress: 10.0.0.4
error:
  code:      quota
  message:   too many
  retryable: false
createdAt:  CREATED
updatedAt:  CREATED
`, "\n"), "CREATED", created), s.ok("vm get a"))
	out := s.ok("securitygroup get sg")
	assert.Contains(t, out, "spec:\n  vpc: net\n  rules:\n    in:tcp:22:0.0.0.0/0\n")
	assert.Contains(t, out, "effective:\n  rules:\n    in:tcp:22:0.0.0.0/0\n    out:all::0.0.0.0/0\n", "only what is not as it was asked for")
	assert.Contains(t, out, "  new:\n    - x: 1\n      y: z\n    - x: 2\n")
	assert.Equal(t, "a\n", s.ok("vm get a -o name"))
	var got resource.Resource
	require.NoError(t, json.Unmarshal([]byte(s.ok("vm get a -o json")), &got))
	assert.JSONEq(t, `{"InstanceId":"i-1"}`, string(got.Native))
	assert.Contains(t, s.ok("vm get a -o yaml"), "native:\n  InstanceId: i-1\n")
	assert.Equal(t, 3, s.run("vm get none"))
	assert.Equal(t, "Error: there is no vm none\nHint: see what there is: mcic vm list\n", s.err.String())
}

func TestJSONCannotDriveTheTerminal(t *testing.T) {
	f := newFake(t)
	a := vm("a")
	a.Labels = map[string]string{"a": "\u009b2J \x7f \u202e \U000e0041 <&> 한"}
	f.resources = []resource.Resource{a}
	s := newShell(t, f)
	out := s.ok("vm get a -o json")
	assert.Contains(t, out, `\u009b2J \u007f \u202e \udb40\udc41 <&> 한`)
	var got resource.Resource
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, a.Labels, got.Labels)
}

func TestClean(t *testing.T) {
	assert.Equal(t, `a\x1b[31m\r\n\t\u009b\u202e\xff한글 é`, clean("a\x1b[31m\r\n\t\u009b\u202e\xff한글 é"))
	assert.Equal(t, "a\n\\tb", cleanLines("a\n\tb"))
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 5 * time.Second: "5s", 90 * time.Second: "1m30s", 11 * time.Minute: "11m",
		90 * time.Minute: "1h30m", 30 * time.Hour: "30h", 72 * time.Hour: "3d",
	} {
		assert.Equal(t, want, age(start2026().Add(d), start2026()))
	}
	assert.Empty(t, age(start2026(), time.Time{}))
}

func TestErrorsFromTheCloudAndFields(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	f.status, f.problem = 422, map[string]any{
		"code": "invalid", "detail": "the cloud refuses it",
		"fields": []any{map[string]string{"field": "spec.cidr", "message": "overlaps"}, map[string]string{"field": "spec.unknown", "message": "what?"}},
		"cloud":  map[string]string{"code": "Invalid.Range", "message": "bad\x1b", "requestId": "req-1"},
	}
	assert.Equal(t, 2, s.run("vpc create a --cidr 10.0.0.0/16"))
	assert.Equal(t, strings.TrimPrefix(`
Error: the cloud refuses it
  --cidr: overlaps
  spec.unknown: what?
The cloud's answer: code Invalid.Range, message bad\x1b, request id req-1
Hint: see: mcic vpc create --help
`, "\n"), s.err.String())
	f.problem = map[string]any{"code": "invalid", "detail": "values.key: is required; settings.x: no", "fields": []any{
		map[string]string{"field": "values.key", "message": "is required"}, map[string]string{"field": "settings.x", "message": "no"},
	}}
	assert.Equal(t, 2, s.run("credential create k --cloud mock"))
	assert.Contains(t, s.err.String(), "Error: the request is not valid\n  --set key: is required\n  --setting x: no\n")
}

func TestNoServer(t *testing.T) {
	s := newShell(t, nil)
	s.env["MCIC_SERVER"] = "http://127.0.0.1:1"
	assert.Equal(t, 7, s.run("vm list"))
	assert.Contains(t, s.err.String(), "is the server running? Start it with: mcic server")
}

func TestExtraCommandsAndVersion(t *testing.T) {
	s := newShell(t, nil)
	s.extra = []*cobra.Command{
		{Use: "server", Short: "Serve", RunE: func(*cobra.Command, []string) error { return errors.New("no port") }},
		{Use: "hidden", Hidden: true, Run: func(cmd *cobra.Command, _ []string) { cmd.Println("played") }},
	}
	assert.Contains(t, s.ok("--help"), "server")
	assert.NotContains(t, s.out.String(), "hidden")
	assert.Equal(t, 1, s.run("server"))
	assert.Equal(t, "Error: no port\n", s.err.String())
	s.ok("hidden")
	assert.Equal(t, "mcic 1.2.3\n", s.ok("--version"))
	assert.Equal(t, "1.2.3\n", s.ok("version -o name"))
	assert.Contains(t, s.ok("version"), "version:  1.2.3\ngo:       go")
	var v map[string]string
	require.NoError(t, json.Unmarshal([]byte(s.ok("version -o json")), &v))
	assert.Equal(t, "1.2.3", v["version"])
}

func TestCompletion(t *testing.T) {
	f := newFake(t)
	evil := vm("evil\x1b")
	f.resources = []resource.Resource{vm("a"), vm("b"), evil}
	s := newShell(t, f)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		assert.Contains(t, s.ok("completion "+shell), "mcic", shell)
	}
	offered := func(args ...string) []string {
		require.Zero(t, s.args(append([]string{"__completeNoDesc"}, args...)...))
		lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
		return lines[:len(lines)-1]
	}
	assert.Equal(t, []string{"a", "b"}, offered("vm", "get", ""))
	assert.Equal(t, []string{"b"}, offered("vm", "delete", "a", ""))
	assert.Empty(t, offered("vm", "get", "a", ""))
	assert.Equal(t, []string{"it"}, offered("vm", "list", "-c", ""))
	assert.Equal(t, []string{"it"}, offered("connection", "check", ""))
	assert.Equal(t, []string{"it"}, offered("connection", "create", "x", "--credential", ""))
	assert.Equal(t, []string{"it"}, offered("credential", "create", "x", "--cloud", ""))
	assert.Equal(t, []string{"it"}, offered("credential", "get", ""))
	assert.Equal(t, []string{"rsa", "ed25519"}, offered("keypair", "create", "x", "--algorithm", ""))
	assert.Equal(t, formats(), offered("vm", "list", "-o", ""))
	assert.Contains(t, offered("vm", "st"), "stop")
	s.env["MCIC_CONNECTION"] = ""
	assert.Empty(t, offered("vm", "get", ""))
	assert.Equal(t, []string{"a", "b"}, offered("vm", "get", "-c", "mock", ""))
	f.unhealthy = true
	assert.Empty(t, offered("vm", "list", "-c", ""))
}

func TestOSEnv(t *testing.T) {
	env := OSEnv()
	assert.NotNil(t, env.Stdout)
	ticks, stop := env.Tick(time.Hour)
	assert.NotNil(t, ticks)
	stop()
	assert.Equal(t, os.Getenv("HOME"), env.Getenv("HOME"))
	_, err := io.WriteString(io.Discard, env.Now().String())
	assert.NoError(t, err)
}

func TestSeveralDocuments(t *testing.T) {
	for text, want := range map[string]bool{
		"a: 1\n": false, "---\na: 1\n": false, "# x\n---\na: 1\n...\n# y\n": false, "%YAML 1.2\n---\na: 1\n---\n": false, "--- {a: 1}\n": false,
		"a: |\n  ---\n  x\n": false, "a: 1\n---\nb: 2\n": true, "a: 1\n--- {b: 2}\n": true, "--- {a: 1}\n---\nb: 1\n": true, "a: 1\r\n---\r\nb: 1\r\n": true, "a: 1\n...\nb: 1\n": true,
	} {
		assert.Equal(t, want, severalDocuments([]byte(text)), text)
	}
}

func TestTheHintAfterAConflictFits(t *testing.T) {
	group := &cobra.Command{Use: "subnet"}
	create, label := &cobra.Command{Use: "create NAME"}, &cobra.Command{Use: "label NAME"}
	group.AddCommand(create, label, &cobra.Command{Use: "get NAME"})
	(&cobra.Command{Use: "mcic"}).AddCommand(group)
	overlap := resource.Errorf(resource.CodeConflict, "the range overlaps with that of another subnet")
	overlap.Cloud = &resource.CloudError{Code: "InvalidSubnet.Conflict"}
	a := &app{}
	assert.Empty(t, a.hint(create, overlap, overlap))
	state := resource.Errorf(resource.CodeConflict, "the subnet s does not exist on the cloud: it is failed")
	assert.Equal(t, "see how it is now: mcic subnet get NAME", a.hint(label, state, state))
}
