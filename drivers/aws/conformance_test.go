package aws

import (
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/test/moto"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	stage := moto.Start(t, moto.AnyRate)
	endpoint := stage.URL
	other := config(endpoint, tokyo)
	drivertest.Run(t, drivertest.Target{
		Driver: New, Config: config(endpoint, seoul), Other: &other, Endpoint: settingEndpoint,
		Against: "moto 5.2.5", Type: driver.TestedEmulator,
		Image: anImage(t, open(t, config(endpoint, seoul))), Machine: "t3.micro", OtherMachine: "t3.small",
		Extensions: map[string]any{"getRegionInfo": struct{}{}},
		Native:     []driver.NativeRequest{{Service: "ec2", Query: map[string][]string{"Action": {"DescribeVpcs"}, "Version": {"2016-11-15"}}}},
		Parallel:   4,
		Deviations: "testdata/deviations.yaml", Budget: "testdata/calls.json", Report: "conformance.json",
	})
	assertPermitted(t, stage)
}
