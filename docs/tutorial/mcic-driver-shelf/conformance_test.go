package main

import (
	"testing"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
)

// The suite that every driver runs, here on the upper board.
func TestConformance(t *testing.T) {
	c := &cloud{}
	config := driver.Config{Region: "top", Credential: driver.Values{"token": "shelf-1"}, Settings: driver.Values{"boot": "10ms"}}
	other := config
	other.Region = "bottom"
	drivertest.Run(t, drivertest.Target{
		Driver: func() *driver.Driver { return shelf(c) },
		Config: config, Other: &other,
		Against: "a shelf in memory", Type: driver.TestedSimulator,
		Image: debian, Machine: shoebox,
	})
}
