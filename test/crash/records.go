package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// records is what the server's database says, read past the server.
type records struct {
	resources  map[string]*store.Resource // by uid, also deleted ones
	operations []store.Operation
}

// read reads the database while no server uses it. known are uids beyond those that
// an operation is about.
func read(ctx context.Context, open func(context.Context) (*store.Store, error), known []string) (_ *records, err error) {
	s, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	const page = 1000
	q, r := s.Read(), &records{resources: map[string]*store.Resource{}}
	for query := (store.Query{Limit: page}); ; {
		rows, next, err := q.ListOperations(ctx, query)
		if err != nil {
			return nil, err
		}
		if r.operations = append(r.operations, rows...); next == "" {
			break
		}
		query.Token = next
	}
	for _, kind := range resource.Kinds() {
		for query := (store.Query{Limit: page}); ; {
			rows, next, err := q.ListResources(ctx, "", kind.Name, query)
			if err != nil {
				return nil, err
			}
			for i := range rows {
				r.resources[rows[i].UID] = &rows[i]
			}
			if next == "" {
				break
			}
			query.Token = next
		}
	}
	for _, op := range r.operations {
		known = append(known, op.UID)
	}
	for _, uid := range known { // those that are deleted
		if uid == "" || r.resources[uid] != nil {
			continue
		}
		row, err := q.ResourceByUID(ctx, uid)
		if err != nil && resource.CodeOf(err) != resource.CodeNotFound {
			return nil, err
		}
		if err == nil {
			r.resources[uid] = row
		}
	}
	return r, nil
}

// ended are the uids of those on which an operation of that verb has succeeded.
func (r *records) ended(verb string) map[string]bool {
	uids := map[string]bool{}
	for i := range r.operations {
		if op := &r.operations[i]; op.Verb == verb && op.State == api.OperationSucceeded {
			uids[op.UID] = true
		}
	}
	return uids
}

// live are the resources that are not deleted, the oldest first: a uid begins with its
// time.
func (r *records) live() []*store.Resource {
	var rows []*store.Resource
	for _, row := range r.resources {
		if row.DeletedAt == 0 {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b *store.Resource) int { return cmp.Compare(a.UID, b.UID) })
	return rows
}
