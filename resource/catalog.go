package resource

import (
	"reflect"
	"time"
)

// Catalog describes one type of thing that a connection offers and users choose
// from: it can only be listed.
type Catalog struct {
	Name  string // "image"
	Title string // "Image"
	Doc   string

	entry reflect.Type
}

// Plural is the catalog's path segment in the API.
func (c *Catalog) Plural() string { return c.Name + "s" }

// EntryType is the Go type of an entry.
func (c *Catalog) EntryType() reflect.Type { return c.entry }

// CatalogOf is a catalog together with its Go type.
type CatalogOf[E any] struct{ *Catalog }

func defineCatalog[E any](c Catalog) CatalogOf[E] {
	c.entry = reflect.TypeFor[E]()
	return CatalogOf[E]{&c}
}

// The catalogs.
var (
	Regions = defineCatalog[Region](Catalog{Name: "region", Title: "Region", Doc: "A place where the cloud runs resources."})
	Zones   = defineCatalog[Zone](Catalog{Name: "zone", Title: "Zone", Doc: "A part of a region that fails independently of the others."})
	Images  = defineCatalog[Image](Catalog{Name: "image", Title: "Image", Doc: "A disk that VMs boot from."})
	Specs   = defineCatalog[Spec](Catalog{Name: "spec", Title: "Spec", Doc: "A type of machine: processors, memory, accelerators."})
)

// Catalogs returns every catalog.
func Catalogs() []*Catalog {
	return []*Catalog{Regions.Catalog, Zones.Catalog, Images.Catalog, Specs.Catalog}
}

// CatalogNamed returns the catalog of that name.
func CatalogNamed(name string) (*Catalog, error) {
	for _, c := range Catalogs() {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, Errorf(CodeNotFound, "there is no catalog %q; the catalogs are: %s", name, joinNames(Catalogs(), func(c *Catalog) string { return c.Name }))
}

// Region is a place where the cloud runs resources.
type Region struct {
	Name  string `json:"name" doc:"The cloud's name of the region, such as ap-northeast-2."`
	Title string `json:"title,omitempty" doc:"Where it is, for people, such as Asia Pacific (Seoul)."`
}

// Zone is a part of a region that fails independently.
type Zone struct {
	Name      string `json:"name" doc:"The cloud's name of the zone, such as ap-northeast-2a."`
	Region    string `json:"region" doc:"Region that it is part of."`
	Available bool   `json:"available" doc:"Whether the cloud takes new resources there."`
}

// Image is a disk that VMs boot from.
type Image struct {
	ID           string     `json:"id" doc:"The cloud's id, to be given as a VM's image."`
	Name         string     `json:"name" doc:"The cloud's name."`
	Description  string     `json:"description,omitempty" doc:"The cloud's description."`
	OS           string     `json:"os,omitempty" doc:"Distribution in lower case, such as ubuntu, debian, rocky or windows. Empty if it cannot be told."`
	OSVersion    string     `json:"osVersion,omitempty" doc:"Version of the distribution, such as 24.04."`
	Architecture string     `json:"architecture,omitempty" doc:"Processor architecture: x86_64 or arm64." enum:"x86_64,arm64"`
	DiskSizeGiB  int        `json:"diskSizeGiB,omitempty" doc:"Smallest root disk that it fits on, in GiB."`
	Owner        string     `json:"owner,omitempty" doc:"Who publishes it, in the cloud's own terms."`
	CreatedAt    *time.Time `json:"createdAt,omitempty" doc:"When it was published."`
}

// Spec is a type of machine.
type Spec struct {
	Name          string   `json:"name" doc:"The cloud's name, to be given as a VM's spec."`
	VCPUs         int      `json:"vcpus" doc:"Number of virtual processors."`
	MemoryMiB     int      `json:"memoryMiB" doc:"Memory in MiB."`
	Architectures []string `json:"architectures,omitempty" doc:"Processor architectures that it runs: x86_64, arm64."`
	GPUs          int      `json:"gpus,omitempty" doc:"Number of graphics processors."`
	GPUModel      string   `json:"gpuModel,omitempty" doc:"Model of the graphics processors."`
	GPUMemoryMiB  int      `json:"gpuMemoryMiB,omitempty" doc:"Memory of all graphics processors together, in MiB."`
	DiskSizeGiB   int      `json:"diskSizeGiB,omitempty" doc:"Local disk that comes with it, in GiB. Lost when the VM is stopped on most clouds."`
}
