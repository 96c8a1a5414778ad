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
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	tokenKey = "mcic-uid"     // of the token of a creation
	tokenTag = tokenKey + "=" // begins the tag with it, where tags come with the creation
	maxTag   = 255            // characters of a tag: https://docs.openstack.org/api-ref/network/v2/#standard-attributes-tag-extension
)

// mark is what the driver keeps with an object of Neutron in its description: that is set
// by the creation itself, and lists can be asked for it as a whole. What else a kind keeps is
// in tags, which only a second call can set. It is written as in
//
//	[mcic-uid=0193… of=vm]
//
// The comment of a public key ends with one, too.
type mark struct {
	text  string // what is before it
	token string
	more  string // what the object is a part of, or ""
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

// query asks a list for what has the mark.
func (m mark) query() url.Values { return url.Values{"description": {m.String()}} }

// ours says which metadata and tags are no labels.
func ours() driver.Tags { return driver.Tags{Token: tokenKey, Longest: maxTag} }

// readLabels reads those of an object whose tags are texts.
func readLabels(tags []string) map[string]string {
	_, _, labels := ours().ReadTexts(tags)
	return labels
}

// tagOf reads what is behind the beginning of a tag.
func tagOf(tags []string, begin string) string {
	for _, tag := range tags {
		if value, ok := strings.CutPrefix(tag, begin); ok {
			return value
		}
	}
	return ""
}

// complete answers the tags that a new object is to have, those of the kind and its labels
// beside those that it has; none if it has them all.
func complete[S, T any](o driver.Object[S, T], labels map[string]string, own ...string) ([]string, error) {
	wanted, err := ours().Texts(labels)
	if err != nil {
		return nil, err
	}
	has, err := native[struct{ Tags []string }](o)
	lacks := slices.DeleteFunc(append(own, wanted...), func(tag string) bool { return slices.Contains(has.Tags, tag) })
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	return append(has.Tags, lacks...), nil
}

// neutron is what the kinds have in common that are one object of Neutron each. A is
// the object as the SDK knows it.
type neutron[S, T, A any] struct {
	*Session
	one, many string // its name in answers and paths, such as network and networks
	object    func(shown[A]) driver.Object[S, T]
}

func neutronOf[S, T, A any](s *Session, one, many string, object func(shown[A]) driver.Object[S, T]) neutron[S, T, A] {
	return neutron[S, T, A]{s, one, many, object}
}

// narrow asks a list of Neutron for what a filter does.
func narrow(f driver.Filter) url.Values {
	query := url.Values{}
	if f.Token != "" {
		query = mark{token: f.Token}.query()
	}
	if n := len(f.IDs); n > 0 && n <= mostIDs {
		query["id"] = f.IDs
	}
	return query
}

// look answers one object as the cloud shows it.
func (n neutron[S, T, A]) look(ctx context.Context, id string) (shown[A], error) {
	return get[A](ctx, n.network, n.one, n.many, id)
}

// get answers one object.
func (n neutron[S, T, A]) get(ctx context.Context, id string) (driver.Object[S, T], error) {
	found, err := n.look(ctx, id)
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
	return list[A](ctx, n.Session, n.network, n.many, strings.ReplaceAll(n.many, "-", "_"), query)
}

// withShared answers the project's objects that filter and query ask for, and those that
// other projects share with it: VMs can be in them. Those have no token here, because it is
// the other project's.
func (n neutron[S, T, A]) withShared(ctx context.Context, f driver.Filter, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		mine := narrow(f)
		maps.Copy(mine, query)
		for o, err := range n.list(ctx, mine) {
			if !yield(o, err) || err != nil {
				return
			}
		}
		if f.Token != "" {
			return
		}
		theirs := narrow(f)
		theirs.Set("shared", "true")
		notOwn := only(n.pages(ctx, theirs), func(x shown[A]) bool { return !n.owns(x) }) // which it may share with others
		for o, err := range driver.Items(notOwn, n.foreign) {
			if !yield(o, err) {
				return
			}
		}
	}
}

// own answers an object that the project may delete. Administrators could delete those of
// others too.
func (n neutron[S, T, A]) own(ctx context.Context, id string) (driver.Object[S, T], error) {
	found, err := n.look(ctx, id)
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

// create makes an object that can be given its labels afterwards.
func (n neutron[S, T, A]) create(labels map[string]string, create func() gophercloud.Result) (driver.Object[S, T], error) {
	if _, err := ours().Texts(labels); err != nil {
		return driver.Object[S, T]{}, err
	}
	made, err := made[A](create(), n.one)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	return n.object(made), nil
}

// tag completes a new object with its labels and with what the kind keeps in tags.
func (n neutron[S, T, A]) tag(ctx context.Context, o driver.Object[S, T], labels map[string]string, own ...string) (driver.Object[S, T], error) {
	tags, err := complete(o, labels, own...)
	if err == nil && len(tags) > 0 {
		err = n.setTags(ctx, o.ID, tags)
	}
	o.Labels = labels
	return o, err
}

func (n neutron[S, T, A]) delete(ctx context.Context, id string) error {
	return driver.Except(request(ctx, n.network, http.MethodDelete, n.many+"/"+id, nil, nil), resource.CodeNotFound)
}

// label changes the tags.
func (n neutron[S, T, A]) label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := get[struct{ Tags []string }](ctx, n.network, n.one, n.many, id)
	if err != nil {
		return err
	}
	tags, err := ours().ChangeTexts(found.is.Tags, change)
	if err != nil {
		return err
	}
	return n.setTags(ctx, id, tags)
}

func (n neutron[S, T, A]) setTags(ctx context.Context, id string, tags []string) error {
	return put(ctx, n.network, map[string]any{"tags": tags}, n.many, id, "tags")
}
