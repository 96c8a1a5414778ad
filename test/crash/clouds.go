package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// account is one account on the Mock cloud, with the connection of the same name
// that reaches it. Each has troubles of its own.
type account struct {
	name     string
	settings map[string]string
}

const region = "mock-seoul"

// longestLag bounds how long lists lag behind, so that a comparison can wait for it.
const longestLag = 3 * time.Second

// accounts draws the accounts of a run.
func accounts(seed uint64) []account {
	r := generator(seed, "accounts", 0)
	duration := func(least, most time.Duration) string {
		return between(r, least, most).Round(time.Millisecond).String()
	}
	chance := func(least, most float64) string {
		return strconv.FormatFloat(least+(most-least)*r.Float64(), 'f', 3, 64)
	}
	count := func(least, most int) string { return strconv.Itoa(least + r.IntN(most-least+1)) }
	all := []account{
		{"slow", map[string]string{
			"latency": duration(time.Second, 3*time.Second), "callLatency": duration(50*time.Millisecond, 200*time.Millisecond),
			"consistencyDelay": duration(time.Second, longestLag), "crashCreate": chance(0, 0.02), "failPart": chance(0, 0.05),
		}},
		{"flaky", map[string]string{
			"latency": duration(0, time.Second), "callLatency": duration(5*time.Millisecond, 50*time.Millisecond),
			"failCall": chance(0.05, 0.15), "ambiguousCreate": chance(0.2, 0.5), "failCreate": chance(0, 0.05), "failPart": chance(0.05, 0.15),
		}},
		{"stingy", map[string]string{
			"latency": duration(100*time.Millisecond, time.Second), "callLatency": duration(5*time.Millisecond, 20*time.Millisecond),
			"rateLimit": count(15, 40), "pageSize": count(5, 20), "consistencyDelay": duration(0, time.Second),
		}},
		{"crashy", map[string]string{
			"latency": duration(100*time.Millisecond, 2*time.Second), "callLatency": duration(5*time.Millisecond, 100*time.Millisecond),
			"crashCreate": chance(0.02, 0.06), "ambiguousCreate": chance(0.05, 0.2), "failSettle": chance(0.02, 0.1),
			"failCall": chance(0.01, 0.05), "consistencyDelay": duration(0, longestLag), "failPart": chance(0.05, 0.15),
		}},
		{"foggy", map[string]string{
			"latency": duration(0, 500*time.Millisecond), "callLatency": duration(5*time.Millisecond, 20*time.Millisecond),
			"ambiguousCreate": chance(0.6, 1), "consistencyDelay": duration(2*time.Second, longestLag),
		}},
	}
	for i := range all {
		all[i].settings["parts"] = "true"
		all[i].settings["seed"] = strconv.Itoa(r.IntN(1_000_000))
	}
	return all
}

// object is something on a cloud.
type object struct {
	connection string
	kind       string
	driver.Item
}

// onClouds asks the clouds themselves what there is, through connections without
// troubles and a driver of its own. config says where that is found and works.
func onClouds(ctx context.Context, config host.Config, all []account) (objects []object, err error) {
	if err := pause(ctx, longestLag); err != nil { // lists are complete then
		return nil, err
	}
	sockets, err := os.MkdirTemp("", "mcic-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(sockets)) }()
	config.SocketDir = sockets
	drivers := host.New(config)
	defer drivers.Close()
	for _, a := range all {
		session := drivers.Session(host.Target{
			Connection: a.name, Cloud: "mock",
			Config: func(context.Context) (driver.Config, error) {
				return driver.Config{Credential: driver.Values{"account": a.name}, Region: region}, nil
			},
		})
		for _, kind := range resource.Kinds() {
			for item, err := range session.List(ctx, kind.Name, driver.Filter{}) {
				if err != nil {
					return nil, fmt.Errorf("list the %ss of %s: %w", kind.Name, a.name, err)
				}
				objects = append(objects, object{a.name, kind.Name, item})
			}
		}
	}
	return objects, nil
}

// pick draws one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
