package drivertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// Target is a driver with a cloud to run it against. Driver or Command, Config,
// Image and Machine are needed; the rest has defaults, or what needs it is skipped.
//
// In a target file the fields are written in lower case.
type Target struct {
	// Driver makes the driver in this process. It is called once more for each
	// restart, and must then find the cloud as it was.
	Driver func() *driver.Driver `yaml:"-"`
	// Command is an executable with its arguments, instead of Driver: it runs as the
	// server runs it, and is killed where a check wants a crash.
	Command []string

	Config driver.Config  // how to connect
	Other  *driver.Config // another account, region or both, whose objects are never those of Config but for what both sessions say that they share

	Against string // what stands for the cloud, with its version: "moto 5.2"
	Type    string // service (the real one), emulator (written by others) or simulator (our own)

	Image        string // image that VMs boot; without it the kind vm is not tested unless Specs has it
	Machine      string // machine type
	OtherMachine string // another one, to resize to

	// Specs are specifications by kind, beside the suite's own, of which references to
	// kinds are left out that the driver cannot make. Each is a struct of
	// package resource, or a map with its JSON names. A reference is the name of a
	// kind; the suite makes one of that kind first. In texts, {n} is a small number
	// that differs from object to object. A key such as subnet:b is another
	// specification of the kind, to refer to as subnet:b.
	Specs map[string]any
	// Params are parameters of actions and views by kind/action, written in the same way. {n} is
	// the same for all actions of a check.
	Params map[string]any
	// Invalid are specifications by kind that the cloud must refuse, beside those that
	// the suite makes up.
	Invalid map[string][]any
	// Feeds are filters of feeds by feed, written in the same way. {n} is 0.
	Feeds map[string]any
	// Extensions are inputs by extension. An extension without is not called.
	Extensions map[string]any
	// Native are requests to the cloud's own API that must be answered with 2xx.
	Native []driver.NativeRequest
	// Refused are configurations that must not connect, each with the code of its error.
	Refused []Refused

	// Lacking is a connection whose credential lacks some permissions.
	Lacking *Lacking

	// Changing are by catalog what changes it without the driver, each answering how to take
	// that back.
	Changing map[string]func(ctx context.Context) (undo func(context.Context) error, err error) `yaml:"-"`
	// Warning is a connection in which everything that is changed is warned of.
	Warning *driver.Config

	Objects  int           // objects of a kind that lists are tested with; default 3
	Settle   time.Duration // how long anything may take to settle; default 1m
	Timeout  time.Duration // how long one call may take; default 30s
	Parallel int           // checks at once; default 1

	PageSize string                   // setting with the number of objects in a page
	Endpoint string                   // setting with the cloud's URL, into which the suite puts its fault-injecting proxy
	Proxy    string                   // setting with the URL of an HTTP proxy, instead of Endpoint where the cloud has many URLs
	Faults   map[string]driver.Values // settings by fault, for a cloud that rehearses faults itself; see [Faults]
	Trouble  []string                 // kinds that are checked with the cloud in trouble, which takes as long again; default all
	Quota    map[string]driver.Config // by kind, connections with a quota of at most a few objects

	// Calls answers how many calls the cloud has been sent, where no proxy can count.
	Calls func() int `yaml:"-"`
	// Outside makes an object without the driver, as people do in a cloud's console,
	// and answers its id and how to remove it. An empty id skips the kind.
	Outside func(ctx context.Context, kind string) (id string, remove func(context.Context) error, err error) `yaml:"-"`

	Deviations string // file of deviations
	Budget     string // golden file of the cloud calls that each verb costs: calls.json, with calls-reasons.yaml beside it for why some cost more than others may
	Report     string // file of the report that travels with the driver
	Update     bool   `yaml:"-"` // writes Budget and Report instead of comparing; see [EnvUpdate]
}

// Refused is a configuration that must not connect.
type Refused struct {
	Name   string        // what is wrong, in the form of a check's name: bad-region
	Config driver.Config // complete
	Codes  []string      // codes of which the error must have one
}

// ReadTarget reads a target file: YAML with the fields of [Target]. Paths in it are
// relative to it. In values of credentials ${NAME} is a variable of the environment.
func ReadTarget(path string) (Target, error) {
	var t Target
	if err := readYAML(path, &t); err != nil {
		return Target{}, fmt.Errorf("read the target: %w", err)
	}
	for _, c := range t.configs() {
		for name, value := range c.Credential {
			c.Credential[name] = os.Expand(value, os.Getenv)
		}
	}
	for _, file := range []*string{&t.Deviations, &t.Budget, &t.Report} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(path), *file)
		}
	}
	return t, nil
}

// configs are all configurations of the target.
func (t *Target) configs() []*driver.Config {
	configs := []*driver.Config{&t.Config}
	if t.Other != nil {
		configs = append(configs, t.Other)
	}
	if t.Warning != nil {
		configs = append(configs, t.Warning)
	}
	if t.Lacking != nil {
		configs = append(configs, &t.Lacking.Config)
	}
	for i := range t.Refused {
		configs = append(configs, &t.Refused[i].Config)
	}
	for _, kind := range slices.Sorted(maps.Keys(t.Quota)) {
		c := t.Quota[kind]
		configs = append(configs, &c) // shares its maps
	}
	return configs
}

// complete checks the target and fills what was left out.
func (t *Target) complete() error {
	if (t.Driver == nil) == (len(t.Command) == 0) {
		return fmt.Errorf("the target needs either a driver or a command")
	}
	if !slices.Contains([]string{driver.TestedService, driver.TestedEmulator, driver.TestedSimulator}, t.Type) {
		return fmt.Errorf("the target's type is %q; it is service, emulator or simulator", t.Type)
	}
	if t.Against == "" {
		return fmt.Errorf("the target does not say what it runs against")
	}
	if unknown := unknownFaults(t.Faults); len(unknown) > 0 {
		return fmt.Errorf("there are no faults %v; there are: %v", unknown, slices.Sorted(maps.Keys(Faults())))
	}
	set := func(value *int, to int) {
		if *value == 0 {
			*value = to
		}
	}
	set(&t.Objects, 3)
	set(&t.Parallel, 1)
	if t.Settle == 0 {
		t.Settle = time.Minute
	}
	if t.Timeout == 0 {
		t.Timeout = 30 * time.Second
	}
	for _, file := range []*string{&t.Deviations, &t.Budget, &t.Report} { // a test may change its folder
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file)
		if err != nil {
			return err
		}
		*file = path
	}
	t.Params = merged(t.defaultParams(), t.Params)
	return nil
}

func merged(defaults, own map[string]any) map[string]any {
	maps.Copy(defaults, own)
	return defaults
}

// with is a configuration with some settings changed.
func with(c driver.Config, settings driver.Values) driver.Config {
	changed := driver.Values{}
	maps.Copy(changed, c.Settings)
	maps.Copy(changed, settings)
	c.Settings = changed
	return c
}

// readYAML reads a file strictly: what is unknown is an error.
func readYAML(path string, into any) error {
	raw, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// written is a specification of the target as JSON, with {n} replaced.
func written(spec any, n int) (json.RawMessage, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(strings.ReplaceAll(string(raw), "{n}", fmt.Sprint(n))), nil
}
