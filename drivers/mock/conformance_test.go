package mock

import (
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
)

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	account := func(name, password string) driver.Config {
		return driver.Config{
			Credential: driver.Values{"account": name, "password": password}, Region: "mock-seoul",
			Settings: driver.Values{"latency": "2ms"}, // so that everything is on its way for a while
		}
	}
	var last *cloud // the driver that was started last; it alone is used
	other := account("two", "sesame-close")
	drivertest.Run(t, drivertest.Target{
		Driver: func() *driver.Driver {
			last = newCloud(dir)
			return newDriver(last)
		},
		Config:  account("one", "open-sesame"),
		Other:   &other,
		Refused: []drivertest.Refused{{Name: "wrong-login", Config: account("one", "wrong"), Codes: []string{"unauthenticated"}}},
		Against: "the Mock cloud", Type: driver.TestedSimulator,
		Image: imageID("ubuntu-24.04-x86_64"), Machine: "std3.large", OtherMachine: "std3.xlarge",
		PageSize:   "pageSize",
		Calls:      func() int { return int(last.calls.Load()) },
		Budget:     "testdata/calls.json",
		Deviations: "deviations.yaml",
	})
}
