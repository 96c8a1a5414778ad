// Command mcic-driver-openstack is the driver of mc-infra-connector for OpenStack.
package main

import (
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/openstack"
)

func main() { driver.Serve(openstack.New()) }
