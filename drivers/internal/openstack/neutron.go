package openstack

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"strings"

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

// neutron is a kind that is one object of Neutron each. Its mark has the token, its tags are the
// labels.
type neutron[S, T, A any] struct{ collection[S, T, A] }

func neutronOf[S, T, A any](s *Session, one, path string, show func(shown[A], *driver.Object[S, T])) neutron[S, T, A] {
	return neutron[S, T, A]{collection[S, T, A]{
		Session: s, service: s.network, one: one, many: strings.ReplaceAll(path, "-", "_"), path: path, whose: "project_id", narrow: byMark,
		show: func(x shown[A], o *driver.Object[S, T]) {
			if s.owns(x.common) {
				o.Token = readMark(x.Description).token
			}
			o.Labels = readLabels(x.Tags)
			o.State, o.CloudState = networkState(x.Status)
			show(x, o)
		},
		setTags: func(ctx context.Context, id string, tags []string) error {
			return put(ctx, s.network, map[string]any{"tags": tags}, path, id, "tags")
		},
	}}
}

// byMark asks a list of Neutron for what a filter does.
func byMark(f driver.Filter) url.Values {
	query := url.Values{}
	if f.Token != "" {
		query = mark{token: f.Token}.query()
	}
	if n := len(f.IDs); n > 0 && n <= mostIDs {
		query["id"] = f.IDs
	}
	return query
}

// Complete gives an object its labels.
func (n neutron[S, T, A]) Complete(ctx context.Context, r driver.Request[S], o driver.Object[S, T]) (driver.Object[S, T], error) {
	return n.tag(ctx, o, r.Labels)
}

// withShared answers the project's objects that filter and query ask for, and those that
// other projects share with it: VMs can be in them. Those have no token here, because it is
// the other project's.
func (n neutron[S, T, A]) withShared(ctx context.Context, f driver.Filter, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	mine, theirs := byMark(f), byMark(f)
	maps.Copy(mine, query)
	theirs.Set("shared", "true")
	shared := n.collection
	shared.whose, shared.meant = "", func(x shown[A]) bool { return !n.owns(x.common) } // which it may share with others
	return func(yield func(driver.Object[S, T], error) bool) {
		for o, err := range n.objects(ctx, mine) {
			if !yield(o, err) || err != nil {
				return
			}
		}
		if f.Token == "" {
			shared.objects(ctx, theirs)(yield)
		}
	}
}

// own answers an object that the project may delete. Administrators could delete those of
// others too.
func (n neutron[S, T, A]) own(ctx context.Context, id string) (shown[A], error) {
	found, err := n.look(ctx, id)
	if err == nil && !n.owns(found.common) {
		err = resource.Errorf(resource.CodeDenied, "the %s %s belongs to another project, which shares it; only that one can delete it", n.one, id)
	}
	return found, err
}

// owns reports whether an object is the project's.
func (s *Session) owns(of common) bool {
	return cmp.Or(of.Project, of.Tenant, s.project) == s.project
}

// networkState translates the states of Neutron's objects. DOWN says that they are not
// connected, which new networks, routers and ports are for as long as nothing uses them.
func networkState(word string) (resource.State, string) {
	return driver.StateOf(word, map[string]resource.State{
		"ACTIVE": resource.StateAvailable,
		"DOWN":   resource.StateAvailable,
		"BUILD":  resource.StateCreating,
		"N/A":    resource.StateAvailable,
		"ERROR":  resource.StateFailed,
	})
}
