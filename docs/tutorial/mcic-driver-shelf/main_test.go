package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// TestLength holds what the tutorial promises.
func TestLength(t *testing.T) {
	lines := 0
	for _, name := range []string{"main.go", "cloud.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(source, []byte("\n"))
	}
	if lines >= 350 {
		t.Errorf("the driver has %d lines; it should have less than 350", lines)
	}
}

// TestExecutable builds the driver and asks it what a person would.
func TestExecutable(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "mcic-driver-shelf")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), exe, "describe").Output()
	if err != nil {
		t.Fatal(err)
	}
	var d driver.Description
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	if d.Name != "shelf" || !d.Offers("vpc", "create") || !d.Offers("vm", "stop") || d.Offers("vm", "reboot") ||
		!slices.Equal(d.Catalogs, []string{"region", "zone", "image", "spec"}) {
		t.Errorf("got %s", out)
	}
	page, err := exec.CommandContext(t.Context(), exe, "doc").Output()
	if err != nil || !bytes.Contains(page, []byte("| `vm` | list, get, create, delete | start, stop, label |")) {
		t.Errorf("got %s, %v", page, err)
	}
	out, err = exec.CommandContext(t.Context(), exe).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("the server starts it by itself")) {
		t.Errorf("started by hand: got %s, %v", out, err)
	}
}

func open(t *testing.T, settings driver.Values) drivertest.Patient {
	t.Helper()
	s, err := shelf(&cloud{}).Connect(t.Context(), driver.Config{
		Credential: driver.Values{"token": "shelf-1"}, Region: "top", Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Patient{Session: s}
}

func create(t *testing.T, s drivertest.Patient, kind, token, spec string) driver.Item {
	t.Helper()
	item, err := s.Create(t.Context(), kind, driver.ItemRequest{
		Token: token, Name: kind + "1", Labels: map[string]string{"team": "books"}, Spec: json.RawMessage(spec),
	})
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func TestConnect(t *testing.T) {
	d := shelf(&cloud{})
	for _, test := range []struct {
		config driver.Config
		code   resource.Code
	}{
		{driver.Config{}, resource.CodeInvalid},
		{driver.Config{Credential: driver.Values{"token": "sofa-1"}}, resource.CodeUnauthenticated},
		{driver.Config{Credential: driver.Values{"token": "shelf-1"}, Region: "middle"}, resource.CodeInvalid},
		{driver.Config{Credential: driver.Values{"token": "shelf-1"}, Settings: driver.Values{"boot": "soon"}}, resource.CodeInvalid},
		{driver.Config{Credential: driver.Values{"token": "shelf-1"}}, ""},
	} {
		if _, err := d.Connect(t.Context(), test.config); resource.CodeOf(err) != test.code {
			t.Errorf("%+v: got %v, want %q", test.config, err, test.code)
		}
	}
}

func TestCatalogs(t *testing.T) {
	s := open(t, nil)
	for _, c := range []*resource.Catalog{resource.Regions.Catalog, resource.Zones.Catalog, resource.Images.Catalog, resource.Specs.Catalog} {
		n := 0
		for entry, err := range s.Catalog(t.Context(), c.Name, nil) {
			if err != nil || !json.Valid(entry) {
				t.Errorf("%s: got %s, %v", c.Name, entry, err)
			}
			n++
		}
		if n == 0 {
			t.Errorf("%s: got nothing", c.Name)
		}
	}
}

func TestLife(t *testing.T) {
	s := open(t, nil)
	vpc := create(t, s, "vpc", "token-1", `{"cidr":"10.0.0.0/16"}`)
	if again := create(t, s, "vpc", "token-1", `{"cidr":"10.0.0.0/16"}`); again.ID != vpc.ID {
		t.Errorf("the same token made %s and %s", vpc.ID, again.ID)
	}
	subnet := create(t, s, "subnet", "token-2", `{"vpc":"`+vpc.ID+`","cidr":"10.0.1.0/24"}`)
	vm := create(t, s, "vm", "token-3", `{"image":"img-debian","spec":"shoebox","subnet":"`+subnet.ID+`"}`)

	if got, err := s.Get(t.Context(), "vm", vm.ID); err != nil || got.State != resource.StateRunning || got.Labels["team"] != "books" || got.Token != "token-3" {
		t.Errorf("got %+v, %v", got, err)
	}
	for item, err := range s.List(t.Context(), "subnet") {
		if err != nil || item.ID != subnet.ID || string(item.Spec) != `{"vpc":"`+vpc.ID+`","cidr":"10.0.1.0/24","zone":"top-left"}` {
			t.Errorf("got %+v, %v", item, err)
		}
	}
	for action, want := range map[string]resource.State{"stop": resource.StateStopped} {
		if err := s.Act(t.Context(), "vm", vm.ID, action, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), "vm", vm.ID); err != nil || got.State != want {
			t.Errorf("after %s: got %+v, %v", action, got, err)
		}
	}

	err := s.Delete(t.Context(), "vpc", vpc.ID)
	if e, ok := errors.AsType[*resource.Error](err); !ok || e.Code != resource.CodeDependency || e.Cloud.Code != "InUse" {
		t.Errorf("deleting what is in use: got %v", err)
	}
	for _, thing := range []struct{ kind, id string }{{"vm", vm.ID}, {"subnet", subnet.ID}, {"vpc", vpc.ID}, {"vpc", vpc.ID}, {"vpc", "never"}} {
		if err := s.Delete(t.Context(), thing.kind, thing.id); err != nil {
			t.Errorf("delete %s %s: %v", thing.kind, thing.id, err)
		}
	}
	if _, err := s.Get(t.Context(), "vpc", vpc.ID); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
	if err := s.Act(t.Context(), "vm", vm.ID, "start", nil); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
}

func TestStates(t *testing.T) {
	s := open(t, driver.Values{"boot": "1h"})
	vpc := create(t, s, "vpc", "token-1", `{"cidr":"10.0.0.0/16"}`)
	subnet := create(t, s, "subnet", "token-2", `{"vpc":"`+vpc.ID+`","cidr":"10.0.1.0/24"}`)
	vm := create(t, s, "vm", "token-3", `{"image":"img-debian","spec":"shoebox","subnet":"`+subnet.ID+`"}`)
	if vpc.State != resource.StateAvailable || vm.State != resource.StateStarting || vm.CloudState != "warming up" {
		t.Errorf("got the VPC %s and the VM %s (%s)", vpc.State, vm.State, vm.CloudState)
	}
	if err := s.Act(t.Context(), "vm", vm.ID, "stop", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "vm", vm.ID); err != nil || got.State != resource.StateStopping {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Create(t.Context(), "vm", driver.ItemRequest{Token: "token-4", Spec: json.RawMessage(`{"subnet":"nowhere"}`)}); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
}
