package openstack

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	tokenKey       = "mcic-uid" // of the token of a creation
	maxTag         = 255        // characters of a tag: https://docs.openstack.org/api-ref/network/v2/#standard-attributes-tag-extension
	maxDescription = 255        // characters: https://docs.openstack.org/api-ref/network/v2/
)

// mark is what the driver keeps with an object of Neutron, at the end of its
// description: that is set by the creation itself, and lists can be asked for it.
// Tags can only be set by a second call. It is written as in
//
//	Web servers [mcic-uid=0193… vpc=8e7c…]
type mark struct {
	text  string // what is before it
	token string
	more  string // what else the kind keeps, as key=value, or ""
}

var marked = regexp.MustCompile(`(?s)^(.*?) ?\[` + tokenKey + `=([^\s\]]+)(?: ([^\[\]]*))?\]$`)

func readMark(description string) mark {
	if parts := marked.FindStringSubmatch(description); parts != nil {
		return mark{text: parts[1], token: parts[2], more: parts[3]}
	}
	return mark{text: description}
}

func (m mark) String() string {
	inside := tokenKey + "=" + m.token
	if m.more != "" {
		inside += " " + m.more
	}
	return strings.TrimPrefix(m.text+" ["+inside+"]", " ")
}

// value answers what the mark keeps under a key.
func (m mark) value(key string) string {
	if found, value, _ := strings.Cut(m.more, "="); found == key {
		return value
	}
	return ""
}

// query asks a list for what has the mark.
func (m mark) query() url.Values { return url.Values{"description": {m.String()}} }

// check refuses a text that does not fit beside the mark.
func (m mark) check() error {
	if room := maxDescription - (utf8.RuneCountInString(m.String()) - utf8.RuneCountInString(m.text)); utf8.RuneCountInString(m.text) > room {
		return resource.Invalid(resource.Problem{Field: "spec.description", Message: "is too long for OpenStack; at most " + strconv.Itoa(room) + " characters fit"})
	}
	return nil
}

// Labels are tags of the form key=value, or key alone for an empty value.

func writeLabels(labels map[string]string) ([]string, error) {
	tags := []string{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		tag := strings.TrimSuffix(key+"="+labels[key], "=")
		if utf8.RuneCountInString(tag) > maxTag {
			return nil, resource.Invalid(resource.Problem{Field: "labels." + key, Message: "is too long for OpenStack; key and value have at most 254 characters together"})
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// readLabels is the way back, without the tags of the connector.
func readLabels(tags []string) map[string]string {
	var labels map[string]string
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		if strings.HasPrefix(key, "mcic") {
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
	}
	return labels
}

// changeLabels answers all tags after a change; those of the connector stay.
func changeLabels(tags []string, change resource.LabelChange) ([]string, error) {
	changed, err := writeLabels(change.Apply(readLabels(tags)))
	if err != nil {
		return nil, err
	}
	for _, tag := range tags {
		if strings.HasPrefix(tag, "mcic") {
			changed = append(changed, tag)
		}
	}
	return changed, nil
}

// neutron is what the kinds have in common that are one object of Neutron each. A is
// the object as the SDK knows it.
type neutron[S, T, A any] struct {
	*session
	one, many string // its name in answers and paths, such as network and networks
	object    func(shown[A]) driver.Object[S, T]
}

// List answers the project's objects.
func (n neutron[S, T, A]) List(ctx context.Context, _ driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	return n.list(ctx, nil)
}

// Get answers one object.
func (n neutron[S, T, A]) Get(ctx context.Context, id string) (driver.Object[S, T], error) {
	found, err := get[A](ctx, n.network, n.one, n.many, id)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	if !n.owns(found) {
		return n.foreign(found), nil
	}
	return n.object(found), nil
}

// list answers the project's objects that the query asks for. Administrators see those
// of all projects unless they ask for one.
func (n neutron[S, T, A]) list(ctx context.Context, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	return driver.Items(n.raw(ctx, query), n.object)
}

func (n neutron[S, T, A]) raw(ctx context.Context, query url.Values) iter.Seq2[[]shown[A], error] {
	mine := url.Values{"project_id": {n.project}}
	maps.Copy(mine, query)
	return n.pages(ctx, mine)
}

func (n neutron[S, T, A]) pages(ctx context.Context, query url.Values) iter.Seq2[[]shown[A], error] {
	return list[A](ctx, n.session, n.network, n.many, strings.ReplaceAll(n.many, "-", "_"), query)
}

// withShared answers the project's objects that the query asks for, and those that other
// projects share with it: VMs can be in them. Those have no token here, because it is the
// other project's.
func (n neutron[S, T, A]) withShared(ctx context.Context, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		for o, err := range n.list(ctx, query) {
			if !yield(o, err) || err != nil {
				return
			}
		}
		for page, err := range n.pages(ctx, url.Values{"shared": {"true"}}) {
			if err != nil {
				yield(driver.Object[S, T]{}, err)
				return
			}
			for _, x := range page {
				if n.owns(x) {
					continue // and shares it with others
				}
				if !yield(n.foreign(x), nil) {
					return
				}
			}
		}
	}
}

// own answers an object that the project may delete. Administrators could delete those of
// others too.
func (n neutron[S, T, A]) own(ctx context.Context, id string) (driver.Object[S, T], error) {
	found, err := get[A](ctx, n.network, n.one, n.many, id)
	switch {
	case err != nil:
		return driver.Object[S, T]{}, err
	case !n.owns(found):
		return driver.Object[S, T]{}, resource.Errorf(resource.CodeDenied, "the %s %s belongs to another project, which shares it; only that one can delete it", n.one, id)
	}
	return n.object(found), nil
}

// owns reports whether an object is the project's.
func (n neutron[S, T, A]) owns(x shown[A]) bool {
	var of struct {
		Project string `json:"project_id"`
		Tenant  string `json:"tenant_id"` // as it was called before
	}
	_ = unmarshal(x.raw, &of) // it has been read before
	return cmp.Or(of.Project, of.Tenant, n.project) == n.project
}

// foreign shows an object of another project.
func (n neutron[S, T, A]) foreign(x shown[A]) driver.Object[S, T] {
	o := n.object(x)
	o.Token = ""
	return o
}

// create makes an object with a mark, and gives it its labels.
func (n neutron[S, T, A]) create(ctx context.Context, m mark, labels map[string]string, create func() gophercloud.Result, remove func(context.Context, string) error) (o driver.Object[S, T], created bool, err error) {
	tags, err := writeLabels(labels)
	if err != nil {
		return o, false, err
	}
	if err := m.check(); err != nil {
		return o, false, err
	}
	o, created, err = ensure(ctx,
		func() iter.Seq2[driver.Object[S, T], error] { return n.list(ctx, m.query()) },
		func() (driver.Object[S, T], error) {
			made, err := made[A](create(), n.one)
			if err != nil {
				return driver.Object[S, T]{}, err
			}
			return n.object(made), nil
		}, remove)
	if err != nil || maps.Equal(o.Labels, labels) {
		return o, created, err
	}
	err = put(ctx, n.network, map[string]any{"tags": tags}, n.many, o.ID, "tags")
	o.Labels = labels
	return o, created, driver.Completed(ctx, err, created, func(ctx context.Context) error { return remove(ctx, o.ID) })
}

func (n neutron[S, T, A]) delete(ctx context.Context, id string) error {
	return driver.Except(request(ctx, n.network, http.MethodDelete, n.many+"/"+id, nil, nil), resource.CodeNotFound)
}

// Label changes the tags.
func (n neutron[S, T, A]) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := get[struct{ Tags []string }](ctx, n.network, n.one, n.many, id)
	if err != nil {
		return err
	}
	tags, err := changeLabels(found.is.Tags, change)
	if err != nil {
		return err
	}
	return put(ctx, n.network, map[string]any{"tags": tags}, n.many, id, "tags")
}
