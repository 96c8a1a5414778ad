package registry

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Drivers describes every driver that is there. One that cannot be started is left
// out and logged.
func (r *Registry) Drivers(ctx context.Context) []*driver.Description {
	var found []*driver.Description
	for _, cloud := range r.host.Clouds() {
		d, err := r.host.Describe(ctx, cloud)
		if err != nil {
			r.logger.Warn("a driver cannot be described", "driver", cloud, "error", err)
			continue
		}
		found = append(found, d)
	}
	return found
}

// Driver describes the driver of a cloud.
func (r *Registry) Driver(ctx context.Context, cloud string) (*driver.Description, error) {
	return r.host.Describe(ctx, cloud)
}

// driverOf is the driver of the cloud that a request names.
func (r *Registry) driverOf(ctx context.Context, cloud string) (*driver.Description, error) {
	d, err := r.host.Describe(ctx, cloud)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, resource.Invalid(resource.Problem{Field: "cloud", Message: err.Error(), Rule: resource.RuleMissing, Limit: "driver " + cloud})
	}
	return d, err
}

// Offers refuses what the connection's driver does not have.
func (r *Registry) Offers(ctx context.Context, connection, kind, verb string) (*store.Connection, error) {
	c, err := r.store.Read().Connection(ctx, connection)
	if err != nil {
		return nil, err
	}
	d, err := r.host.Describe(ctx, c.Cloud)
	if err != nil {
		return nil, err
	}
	if !d.Offers(kind, verb) {
		why := d.WhyNot(kind, verb)
		if why != "" {
			why = ": " + why
		}
		return nil, resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer %s for the kind %s%s; what it offers: mcic driver capabilities %s", c.Cloud, verb, kind, why, c.Cloud)
	}
	return c, nil
}

// Has refuses a verb of a kind that the connection's driver offers, but the cloud does
// not have there, as far as that is known. A deletion is not refused: what is recorded
// may not be on the cloud.
func (r *Registry) Has(ctx context.Context, connection, kind, verb string) error {
	c, err := r.Offers(ctx, connection, kind, verb)
	if err != nil {
		return err
	}
	if why, lacks := c.Lacks[kind]; lacks {
		return resource.Errorf(resource.CodeUnsupported, "the connection %s has no %s: %s; use a connection that has it. If it has one by now: mcic connection check %s", connection, kind, why, connection)
	}
	return nil
}
