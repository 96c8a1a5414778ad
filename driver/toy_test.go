package driver

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"

	"github.com/m-cmp/mc-infra-connector/resource"
)

const toySecret = "hunter2-and-more"

// toy is a driver whose calls do what the test says.
type toy struct {
	list    func(ctx context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error]
	get     func(ctx context.Context, id string) (Object[resource.VPCSpec, resource.VPCStatus], error)
	create  func(ctx context.Context, r Request[resource.VPCSpec]) (Object[resource.VPCSpec, resource.VPCStatus], error)
	delete  func(ctx context.Context, id string) error
	label   func(ctx context.Context, id string, change resource.LabelChange) error
	start   func(ctx context.Context, id string) error
	images  func(ctx context.Context, q Query) iter.Seq2[resource.Image, error]
	connect func(ctx context.Context, c Config) error
	close   func() error
	missing map[string]string
	closed  atomic.Int32
}

func (t *toy) Close() error {
	t.closed.Add(1)
	if t.close != nil {
		return t.close()
	}
	return nil
}

type toyVPCs struct{ *toy }

func (v toyVPCs) List(ctx context.Context, _ Filter) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
	return v.list(ctx)
}

func (v toyVPCs) Get(ctx context.Context, id string) (Object[resource.VPCSpec, resource.VPCStatus], error) {
	return v.get(ctx, id)
}

func (v toyVPCs) Make(ctx context.Context, r Request[resource.VPCSpec]) (Object[resource.VPCSpec, resource.VPCStatus], error) {
	return v.create(ctx, r)
}
func (v toyVPCs) Delete(ctx context.Context, id string) error { return v.delete(ctx, id) }

func (v toyVPCs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return v.label(ctx, id, change)
}

// toyVMs can be found and started, and neither created nor deleted.
type toyVMAbilities interface {
	Collection[resource.VMSpec, resource.VMStatus]
	resource.Starter
	resource.ConsoleReader
}

type toyVMs struct{ *toy }

func (v toyVMs) List(context.Context, Filter) iter.Seq2[Object[resource.VMSpec, resource.VMStatus], error] {
	return func(func(Object[resource.VMSpec, resource.VMStatus], error) bool) {}
}

func (v toyVMs) Get(_ context.Context, id string) (Object[resource.VMSpec, resource.VMStatus], error) {
	return Object[resource.VMSpec, resource.VMStatus]{}, resource.Errorf(resource.CodeNotFound, "there is no VM %s", id)
}
func (v toyVMs) Start(ctx context.Context, id string) error { return v.start(ctx, id) }

type toyImages struct{ *toy }

func (i toyImages) List(ctx context.Context, q Query) iter.Seq2[resource.Image, error] {
	return i.images(ctx, q)
}

func (t *toy) driver() *Driver {
	return New(
		About{
			Name: "toy", Title: "Toy", Version: "1.2.3", Doc: "A cloud for tests.",
			Credential: []Field{
				{Name: "user", Title: "User", Doc: "Who asks.", Type: TypeString, Required: true},
				{Name: "password", Title: "Password", Doc: "Only they know it.", Where: "Ask them.", Type: TypeLines, Secret: true, Required: true},
				{Name: "pin", Title: "PIN", Doc: "Beginning of the password.", Type: TypeString, Secret: true},
			},
			Settings: []Field{
				{Name: "debug", Doc: "Say more. Default: false.", Type: TypeBool},
				{Name: "pageSize", Doc: "Objects in a page. Default: 100.", Type: TypeInt},
				{Name: "failRate", Doc: "Part of the calls that fail.", Type: TypeNumber},
				{Name: "latency", Doc: "How long a call takes.", Type: TypeDuration},
				{Name: "mode", Doc: "How it behaves.", Type: TypeString, Enum: []string{"good", "bad"}},
			},
			Permissions: []string{"toy:Play"},
			Missing:     t.missing,
		},
		func(ctx context.Context, c Config) (*toy, error) {
			if t.connect != nil {
				if err := t.connect(ctx, c); err != nil {
					return nil, err
				}
			}
			return t, nil
		},
		Catalog(resource.Images, func(t *toy) toyImages { return toyImages{t} }),
		Kind(resource.VPC, func(t *toy) Labelled[resource.VPCSpec, resource.VPCStatus] { return toyVPCs{t} }, ByToken),
		Kind(resource.VM, func(t *toy) toyVMAbilities { return toyVMs{t} }),
	)
}

func toyConfig() Config {
	return Config{
		Credential: Values{"user": "me", "password": toySecret, "pin": "hunter2"},
		Region:     "here",
		Settings:   Values{"latency": "1s"},
		Logger:     slog.New(slog.DiscardHandler),
	}
}

func toyVPC(i int) Object[resource.VPCSpec, resource.VPCStatus] {
	return Object[resource.VPCSpec, resource.VPCStatus]{
		ID: fmt.Sprintf("vpc-%d", i), Name: fmt.Sprintf("name-%d", i), State: resource.StateAvailable, CloudState: "ok",
		Labels: map[string]string{"n": fmt.Sprint(i)}, Spec: resource.VPCSpec{CIDR: "10.0.0.0/16"}, Status: resource.VPCStatus{Default: i == 0},
		Native: map[string]any{"index": i},
	}
}
