package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// hasData reports whether all of some data calls are offered.
func hasData(offer driver.KindOffer, calls ...string) bool {
	return !slices.ContainsFunc(calls, func(call string) bool { return !slices.Contains(offer.Data, call) })
}

// dataChecks are those of a kind's data calls.
func (s *suite) dataChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	var checks []check
	for _, c := range kind.Data {
		if !hasData(offer, c.Name) {
			continue
		}
		checks = append(checks,
			check{kind.Name, c.Name, "wrong-params", false, func(t *try) { checkDataWrongParams(t, &c) }},
			check{kind.Name, c.Name, "calls", s.target.Calls != nil, func(t *try) { checkDataCalls(t, &c) }})
		if !c.Signs() { // which need not ask the cloud
			checks = append(checks, check{kind.Name, c.Name, "unknown", false, func(t *try) { checkDataUnknown(t, &c) }})
		}
	}
	return slices.Concat(checks, s.objectChecks(kind, offer), s.messageChecks(kind, offer))
}

// data makes a data call. params and answer are the call's own types.
func (c *conn) data(ctx context.Context, kind, id, call string, params, answer any) error {
	given, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return c.call(ctx, kind+"/"+call, func(ctx context.Context) error {
		raw, err := c.open.Data(ctx, kind, id, call, given)
		if err != nil {
			return err
		}
		c.suite.search("what "+kind+"/"+call+" shows", string(raw))
		return json.Unmarshal(raw, answer)
	})
}

// ask makes a data call of the check's kind while the cloud says that a repetition can help,
// and ends the check if it fails.
func (h holder) ask(call string, params, answer any) {
	err := h.t.again(func() error { return h.t.session().data(h.t.ctx, h.t.kind, h.id, call, params, answer) })
	if err != nil {
		h.t.Fatalf("%s with %s: %v", call, compact(params), said(err))
	}
}

// holder is an object whose data a check is about.
type holder struct {
	t    *try
	item driver.Item
	id   string
}

// holder makes one of the check's own.
func (t *try) holder() holder {
	item := t.makeBeside(t.root)
	return holder{t, item, item.ID}
}

// wait lets time pass.
func (t *try) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
		t.Fatalf("the suite was ended")
	}
}

// leastParams are parameters of data calls for what need not be there.
func leastParams(call string) map[string]any {
	type object = map[string]any
	const key, receipt = "mcic-no-such-key", "bWNpYy1uby1zdWNoLXJlY2VpcHQ"
	return map[string]object{
		"sign": {"do": "get", "key": key}, "listobjects": {}, "lookupobject": {"key": key}, "copyobject": {"key": key, "toKey": key + "-2"},
		"deleteobjects": {"objects": []object{{"key": key}}}, "beginupload": {"key": key}, "listuploads": {}, "listparts": {"key": key, "upload": wrongValue},
		"completeupload": {"key": key, "upload": wrongValue, "parts": []object{{"part": 1, "size": 1}}}, "abortupload": {"key": key, "upload": wrongValue},
		"send": {"messages": []object{{"body": "hello"}}}, "receive": {}, "deletemessages": {"receipts": []string{receipt}},
		"setvisibility": {"receipts": []string{receipt}, "visibilitySeconds": 1},
	}[call]
}

// checkDataUnknown: who names the wrong one wants to know.
func checkDataUnknown(t *try, call *resource.DataCall) {
	var answer any
	err := t.session().data(t.ctx, t.kind, wrongValue, call.Name, leastParams(call.Name), &answer)
	if code := resource.CodeOf(err); code != resource.CodeNotFound && code != resource.CodeInvalid {
		t.Errorf("got %v, %s; want not_found or invalid", compact(answer), said(err))
	}
}

// checkDataWrongParams: a misspelt parameter must not count as left out.
func checkDataWrongParams(t *try, call *resource.DataCall) {
	var err error
	if call.Signs() {
		_, err = t.session().sign(t.ctx, t.kind, wrongValue, resource.SignRequest{Do: "mcic-no-such-thing", Key: "k"})
	} else {
		err = t.session().data(t.ctx, t.kind, wrongValue, call.Name, map[string]any{"mcicNoSuchField": 1}, new(any))
	}
	if resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("got %s; want invalid", said(err))
	}
}

// checkDataCalls: people wait for each of them, and some come in thousands.
func checkDataCalls(t *try, call *resource.DataCall) {
	h := t.holder()
	if t.description.Offers(t.kind, "listobjects") {
		t.Cleanup(h.drain)
	}
	params := leastParams(call.Name)
	switch call.Name {
	case "lookupobject", "copyobject":
		h.put(fmt.Sprint(params["key"]), "hello")
	case "listparts", "completeupload", "abortupload":
		var begun resource.BegunUpload
		h.ask("beginupload", leastParams("beginupload"), &begun)
		params["upload"] = begun.Upload
		part := h.putPart(fmt.Sprint(params["key"]), begun.Upload, 1, "h")
		if call.Name == "completeupload" {
			params["parts"] = []resource.UploadPart{part}
		}
	case "deletemessages", "setvisibility":
		params["receipts"] = []resource.Receipt{h.sent("hello").Receipt}
	}
	c, calls := t.counted()
	t.count(c, calls, func() func() error {
		return func() error {
			if call.Signs() {
				_, err := c.sign(t.ctx, t.kind, h.id, resource.SignRequest{Do: resource.SignGet, Key: "k"})
				return err
			}
			return c.data(t.ctx, t.kind, h.id, call.Name, params, new(any))
		}
	})
}
