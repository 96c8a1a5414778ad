// Command mcic-driver-aws is the driver of mc-infra-connector for Amazon Web
// Services.
package main

import (
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/aws"
)

func main() { driver.Serve(aws.New()) }
