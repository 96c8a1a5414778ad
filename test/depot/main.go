// Command depot is the driver of a cloud that is a folder: its VPCs are files in the
// driver's working folder. Tests build it in several versions and moods.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Set by the build.
var (
	version = "1.0.0"
	mood    = "good" // or: silent, dies
	state   = "yes"  // whether it says that it keeps state in its folder
)

func main() {
	if mood == "silent" && len(os.Args) == 1 {
		_, _ = io.Copy(io.Discard, os.Stdin) // never shakes hands
		return
	}
	about := driver.About{Name: "depot", Title: "The Depot", Version: version, Doc: "A cloud that is a folder.", LocalState: state == "yes"}
	driver.Serve(driver.New(about, func(context.Context, driver.Config) (string, error) { return "vpcs", mayDie() },
		driver.Catalog(resource.Regions, func(string) regions { return nil }),
		driver.Kind(resource.VPC, func(dir string) driver.Managed[resource.VPCSpec, resource.VPCStatus] { return vpcs(dir) }, driver.ByToken)))
}

// mayDie ends the process now and then, if that is its mood.
func mayDie() error {
	if mood == "dies" && rand.N(4) == 0 {
		os.Exit(3)
	}
	return nil
}

type regions []resource.Region

func (regions) List(context.Context, driver.Query) iter.Seq2[resource.Region, error] {
	return func(yield func(resource.Region, error) bool) { yield(resource.Region{Name: "here"}, nil) }
}

type (
	vpcs string // a folder
	vpc  = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (c vpcs) List(ctx context.Context, _ driver.Filter) iter.Seq2[vpc, error] {
	return func(yield func(vpc, error) bool) {
		if err := mayDie(); err != nil {
			return
		}
		files, err := filepath.Glob(filepath.Join(string(c), "*.json"))
		if err != nil {
			yield(vpc{}, err)
			return
		}
		for _, file := range files {
			o, err := c.Get(ctx, strings.TrimSuffix(filepath.Base(file), ".json"))
			if resource.CodeOf(err) == resource.CodeNotFound {
				continue
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

func (c vpcs) path(id string) string { return filepath.Join(string(c), filepath.Base(id)+".json") }

func (c vpcs) Get(_ context.Context, id string) (vpc, error) {
	raw, err := os.ReadFile(c.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return vpc{}, resource.Errorf(resource.CodeNotFound, "there is no VPC %s", id)
	}
	if err != nil {
		return vpc{}, err
	}
	var o vpc
	return o, json.Unmarshal(raw, &o)
}

func (c vpcs) Make(ctx context.Context, r driver.Request[resource.VPCSpec]) (vpc, error) {
	if err := mayDie(); err != nil {
		return vpc{}, err
	}
	id := "vpc-" + r.Token
	if o, err := c.Get(ctx, id); err == nil {
		return o, nil
	}
	o := vpc{
		ID: id, Token: r.Token, Name: r.Name, Labels: r.Labels, State: resource.StateAvailable, CloudState: "by " + version,
		Spec: r.Spec,
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return vpc{}, err
	}
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return vpc{}, err
	}
	if err := os.WriteFile(c.path(id)+".new", raw, 0o600); err != nil {
		return vpc{}, err
	}
	return o, os.Rename(c.path(id)+".new", c.path(id))
}

func (c vpcs) Delete(_ context.Context, id string) error {
	if err := os.Remove(c.path(id)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
