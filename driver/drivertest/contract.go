package drivertest

import (
	"slices"
	"sync"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// checkTwoProcesses: for a moment two servers may work on one creation. Whatever both of
// them have made, one object stays, and both answer that.
func checkTwoProcesses(t *try) {
	if t.description.LocalState {
		t.Skipf("of a driver with state in its working folder never two processes are at work")
	}
	client, end, err := t.target.start(t.dir, t.ear)
	if err != nil {
		t.Fatalf("start a second process: %v", err)
	}
	t.Cleanup(end)
	conns := []*conn{t.session(), t.connected(client, t.target.Config)}
	r := t.askBeside(t.root, nil)
	var (
		work  sync.WaitGroup
		begin = make(chan struct{})
		ids   = make([]string, len(conns))
	)
	for i, c := range conns {
		work.Go(func() {
			<-begin
			item, err := t.persist(c, t.kind, r)
			if err != nil {
				t.Errorf("create in the process %d: %v", i+1, said(err))
			}
			ids[i] = item.ID
		})
	}
	close(begin)
	work.Wait()
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		t.disposeOf(t.kind, id)
	}
	if ids[0] != ids[1] {
		t.Errorf("two processes with one token answer %s and %s", ids[0], ids[1])
	}
	t.onlyOne(conns[0], r.Token, ids[0])
}

// checkNarrowList: a list that is asked for less answers that, and all of it.
func checkNarrowList(t *try) {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	other := t.make(t.root, t.kind)
	for _, test := range []struct {
		asks   string
		filter driver.Filter
		wants  []string
	}{
		{"one id", driver.Filter{IDs: []string{item.ID}}, []string{item.ID}},
		{"two ids", driver.Filter{IDs: []string{item.ID, other.ID}}, []string{item.ID, other.ID}},
		{"an id that there is not", driver.Filter{IDs: []string{wrongValue}}, nil},
		{"a token", driver.Filter{Token: other.Token}, []string{other.ID}},
		{"a token that has made nothing", driver.Filter{Token: t.token()}, nil},
	} {
		slices.Sort(test.wants)
		var ids []string
		err := t.until(func() (bool, error) { // lists may lag behind
			items, err := t.session().listOf(t.ctx, t.kind, test.filter)
			ids = nil
			for _, found := range items {
				ids = append(ids, found.ID)
			}
			slices.Sort(ids)
			return err == nil && slices.Equal(ids, test.wants), err
		})
		if err != nil || !slices.Equal(ids, test.wants) {
			t.Errorf("a list that is asked for %s answers %v instead of %v, %s", test.asks, ids, test.wants, said(err))
		}
	}
}

// checkLastLabel: no labels are told from labels that are not kept.
func checkLastLabel(t *try) {
	item := t.make(t.root, t.kind)
	for _, params := range []string{`{"set":{"team":"infra"}}`, `{"remove":["team"]}`} {
		err := t.again(func() error {
			return t.session().act(t.ctx, t.kind, item.ID, resource.ActionLabel, []byte(params))
		})
		if err != nil {
			t.Fatalf("label with %s: %v", params, said(err))
		}
	}
	err := t.until(func() (bool, error) {
		now, err := t.session().get(t.ctx, t.kind, item.ID)
		item.Labels = now.Labels
		return err == nil && item.Labels != nil && len(item.Labels) == 0, err
	})
	if err != nil || item.Labels == nil || len(item.Labels) > 0 {
		t.Errorf("after its last label is removed it shows %#v, %s; want an empty map", item.Labels, said(err))
	}
}
