package mock

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	account := func(name, password string) driver.Config {
		return driver.Config{
			Credential: driver.Values{"account": name, "password": password}, Region: "mock-seoul",
			Settings: driver.Values{"latency": "2ms", "accountWide": "keypair"}, // so that everything is on its way for a while
		}
	}
	stingy := map[string]driver.Config{}
	for _, k := range resource.Kinds() {
		c := account("one", "open-sesame")
		c.Settings["quotas"] = k.Name + "=2"
		stingy[k.Name] = c
	}
	reader := account("one", "open-sesame")
	reader.Credential["denied"] = "vm:write,disk:read"
	warning := account("one", "open-sesame")
	warning.Settings["warn"] = "adapted"
	type object = map[string]any
	var last *cloud                         // the driver that was started last; it alone is used
	other := account("one", "sesame-close") // of which other tests try accounts
	other.Region = "mock-tokyo"
	drivertest.Run(t, drivertest.Target{
		Driver: func() *driver.Driver {
			last = newCloud(dir)
			last.exit = func(int) { runtime.Goexit() } // the call is never answered
			return newDriver(last)
		},
		Config:  account("one", "open-sesame"),
		Other:   &other,
		Refused: []drivertest.Refused{{Name: "wrong-login", Config: account("one", "wrong"), Codes: []string{"unauthenticated"}}},
		Lacking: &drivertest.Lacking{Config: reader, Permissions: []string{"vm:write", "disk:read"}},
		Warning: &warning,
		Changing: map[string]func(context.Context) (func(context.Context) error, error){"quota": func(ctx context.Context) (func(context.Context) error, error) {
			s, err := newDriver(last).Connect(ctx, account("one", "open-sesame"))
			if err != nil {
				return nil, err
			}
			vpc, _, err := s.Create(ctx, "vpc", driver.ItemRequest{Token: "changing", Name: "changing", Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)})
			return func(ctx context.Context) error {
				_, err := s.Delete(ctx, "vpc", vpc.ID)
				return err
			}, err
		}},
		Against: "the Mock cloud", Type: driver.TestedSimulator,
		Image: imageID("ubuntu-24.04-x86_64"), Machine: "std3.large", OtherMachine: "std3.xlarge",
		Specs: object{
			"vm": object{
				"image": imageID("ubuntu-24.04-x86_64"), "spec": "std3.large", "subnet": "subnet", "securitygroups": []string{"securitygroup"}, "keypair": "keypair",
				"adminPassword": "Only-written-1",
			},
			"cluster": object{
				"vpc": "vpc", "subnets": []string{"subnet"}, "version": "1.33",
				"nodeGroups": []object{{"name": "first", "spec": "std3.large", "keypair": "keypair"}},
			},
			"database": databaseOfConformance(), "broker": brokerOfConformance(),
		},
		Params: object{
			"cluster/upgrade":  object{"version": "1.34"},
			"database/upgrade": object{"version": "18"},
		},
		PageSize: "pageSize",
		Faults: map[string]driver.Values{
			"no-answer": {"callLatency": "1h"}, "unavailable": {"failCall": "1"}, "lost-answer": {"ambiguousCreate": "1"},
			"lost-answer-and-crash": {"crashCreate": "1"},
		},
		Extensions: object{"countAll": object{"rsType": "vpc"}, "echo": object{"text": "hello"}},
		Native:     []driver.NativeRequest{{Service: "mock", Path: "/vms"}},
		Quota:      stingy,
		Calls:      func() int { return int(last.calls.Load()) },
		Budget:     "testdata/calls.json",
		Report:     "conformance.json",
		Deviations: "testdata/deviations.yaml",
	})
}

func databaseOfConformance() map[string]any {
	return map[string]any{"engine": "postgresql", "spec": "db-burst.micro", "vpc": "vpc", "subnets": []string{"subnet"}, "securitygroups": []string{"securitygroup"}}
}

func brokerOfConformance() map[string]any {
	return map[string]any{"engine": "rabbitmq", "spec": "std3.large", "vpc": "vpc", "subnets": []string{"subnet"}, "securitygroups": []string{"securitygroup"}}
}
