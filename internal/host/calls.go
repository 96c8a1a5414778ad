package host

import (
	"context"
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/driver"
)

func (s *session) Permissions(ctx context.Context) (permissions []driver.Permission, err error) {
	err = s.do(ctx, "permissions", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) (err error) {
		permissions, err = open.Permissions(ctx)
		return err
	})
	return permissions, err
}

func (s *session) Changes(ctx context.Context, catalog, since string) (reading driver.Reading[json.RawMessage], err error) {
	err = s.do(ctx, "catalog", s.host.config.ListTimeout, func(ctx context.Context, open driver.Session) (err error) {
		reading, err = open.Changes(ctx, catalog, since)
		return err
	})
	return reading, err
}

func (s *session) Check(ctx context.Context, kind string, r driver.ItemRequest) error {
	return s.do(ctx, "check", s.host.config.CallTimeout, func(ctx context.Context, open driver.Session) error {
		return open.Check(ctx, kind, r)
	})
}
