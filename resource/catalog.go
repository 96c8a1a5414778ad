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

	DiskTypes = defineCatalog[DiskType](Catalog{Name: "disktype", Title: "Disk type", Doc: "A type of disk: how fast, how large."})
	Prices    = defineCatalog[Price](Catalog{Name: "price", Title: "Price", Doc: "What something costs, as the cloud publishes it: without discounts, taxes and free tiers."})
	Quotas    = defineCatalog[Quota](Catalog{Name: "quota", Title: "Quota", Doc: "How much of something the account may have, and has."})

	DBEngines   = defineCatalog[DBEngine](Catalog{Name: "dbengine", Title: "Database engine", Doc: "A version of a database engine."})
	DBSpecs     = defineCatalog[DBSpec](Catalog{Name: "dbspec", Title: "Database spec", Doc: "A type of machine for databases."})
	K8sVersions = defineCatalog[K8sVersion](Catalog{Name: "k8sversion", Title: "Kubernetes version", Doc: "A version of Kubernetes that clusters can run."})
)

// Catalogs returns every catalog.
func Catalogs() []*Catalog {
	return []*Catalog{
		Regions.Catalog, Zones.Catalog, Images.Catalog, Specs.Catalog, DiskTypes.Catalog, Prices.Catalog, Quotas.Catalog,
		DBEngines.Catalog, DBSpecs.Catalog, K8sVersions.Catalog,
	}
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
	Title     string `json:"title,omitempty" doc:"What it is called for people, where that is another name."`
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
	ClockGHz      float64  `json:"clockGHz,omitempty" doc:"Clock of the processors in GHz, where that is known."`
	Architectures []string `json:"architectures,omitempty" doc:"Processor architectures that it runs: x86_64, arm64."`
	GPUs          int      `json:"gpus,omitempty" doc:"Number of graphics processors."`
	GPUModel      string   `json:"gpuModel,omitempty" doc:"Model of the graphics processors."`
	GPUMemoryMiB  int      `json:"gpuMemoryMiB,omitempty" doc:"Memory of all graphics processors together, in MiB."`
	DiskSizeGiB   int      `json:"diskSizeGiB,omitempty" doc:"Local disk that comes with it, in GiB. Lost when the VM is stopped on most clouds."`
}

// DiskType is a type of disk.
type DiskType struct {
	Name       string `json:"name" doc:"The cloud's name, to be given as a disk's type."`
	Title      string `json:"title,omitempty" doc:"What it is, for people."`
	MinSizeGiB int    `json:"minSizeGiB,omitempty" doc:"Least size in GiB."`
	MaxSizeGiB int    `json:"maxSizeGiB,omitempty" doc:"Largest size in GiB."`
	RootDisk   bool   `json:"rootDisk" doc:"Whether a VM can boot from it."`
}

// Price is what one product costs under one kind of contract.
type Price struct {
	ID        string     `json:"id" doc:"The cloud's id of the price."`
	Product   string     `json:"product" doc:"What is priced: vm, disk or what the cloud calls it."`
	Spec      string     `json:"spec,omitempty" doc:"Machine type, for VMs; see the catalog's specs."`
	DiskType  string     `json:"diskType,omitempty" doc:"Type of disk, for disks; see the catalog's disktypes."`
	OS        string     `json:"os,omitempty" doc:"Operating system whose licence is in the price, such as linux or windows."`
	Zone      string     `json:"zone,omitempty" doc:"Zone that the price is for. Empty: the whole region."`
	Contract  string     `json:"contract" doc:"onDemand: by use; reserved: for a term; spot: may be taken back at any time." enum:"onDemand,reserved,spot"`
	Term      string     `json:"term,omitempty" doc:"Length and payment of a reserved contract, in the cloud's own words, such as 1yr, no upfront."`
	Currency  string     `json:"currency" doc:"ISO 4217 code, such as USD."`
	Amount    string     `json:"amount" doc:"Price of one unit, as a decimal number: exact, unlike a floating-point number."`
	Unit      string     `json:"unit" doc:"What is charged for, such as hour, or GiB-month."`
	ValidFrom *time.Time `json:"validFrom,omitempty" doc:"When the price came into force."`
	Doc       string     `json:"doc,omitempty" doc:"The cloud's own description."`
}

// Quota is how much of something an account may have.
type Quota struct {
	ID         string   `json:"id" doc:"The cloud's id, such as L-1216C47A on AWS."`
	Name       string   `json:"name" doc:"What is limited, in the cloud's words."`
	Service    string   `json:"service,omitempty" doc:"Service of the cloud that sets the limit, such as ec2."`
	Kind       string   `json:"kind,omitempty" doc:"Kind of resource that it limits, such as vm, if it is one of ours."`
	Limit      float64  `json:"limit" doc:"How much is allowed; -1 for as much as you like."`
	Used       *float64 `json:"used,omitempty" doc:"How much is used, where that is known."`
	Unit       string   `json:"unit,omitempty" doc:"Unit of the limit, such as GiB. Empty: a number of things."`
	Adjustable bool     `json:"adjustable,omitempty" doc:"Whether the cloud raises it on request."`
}

// DBEngine is a version of a database engine.
type DBEngine struct {
	ID       string   `json:"id" doc:"Engine and version, such as mysql-8.4."`
	Engine   string   `json:"engine" doc:"The engine, to be given as a database's engine: mysql, mariadb, postgresql, sqlserver or what the cloud calls it."`
	Version  string   `json:"version" doc:"The cloud's version, to be given as a database's version."`
	Title    string   `json:"title,omitempty" doc:"What it is called for people."`
	Default  bool     `json:"default,omitempty" doc:"Whether a database that asks for no version gets it."`
	Upgrades []string `json:"upgrades,omitempty" doc:"Versions that a database with it can be brought to." nullable:"false"`
}

// DBSpec is a type of machine for databases.
type DBSpec struct {
	Name      string   `json:"name" doc:"The cloud's name, to be given as a database's spec."`
	VCPUs     int      `json:"vcpus" doc:"Number of virtual processors."`
	MemoryMiB int      `json:"memoryMiB" doc:"Memory in MiB."`
	Engines   []string `json:"engines,omitempty" doc:"Engines that it runs. Absent: all of them." nullable:"false"`
}

// K8sVersion is a version of Kubernetes.
type K8sVersion struct {
	Name         string     `json:"name" doc:"The cloud's version, to be given as a cluster's version, such as 1.33."`
	Default      bool       `json:"default,omitempty" doc:"Whether a cluster that asks for no version gets it."`
	EndOfSupport *time.Time `json:"endOfSupport,omitempty" doc:"When the cloud ends its standard support, where it tells."`
	Upgrades     []string   `json:"upgrades,omitempty" doc:"Versions that a cluster with it can be brought to." nullable:"false"`
}
