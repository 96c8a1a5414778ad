package openstack

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// collection is what all kinds have in common, each of which is objects of one service. A is
// the object as the SDK knows it. A kind embeds it and says the rest.
type collection[S, T, A any] struct {
	*Session
	service *gophercloud.ServiceClient
	one     string // what an answer has one of them in; "" if that is the answer itself
	many    string // what an answer has a list of them in
	path    string // where they are
	list    string // where the list is that tells all of them; "" if that is path
	whose   string // the parameter that asks a list for what is the project's; "" if no list has more
	listed  bool   // whether one is asked for in a list, too

	narrow func(driver.Filter) url.Values // asks a list for what a filter does, as far as the service can
	meant  func(shown[A]) bool            // whether a list is to have it; nil if all
	// beside reads page by page what the service tells of its objects only elsewhere, and leaves
	// out what is gone; nil if there is no such thing. query is what the list is narrowed to.
	beside  func(ctx context.Context, query url.Values) func(page []shown[A]) ([]shown[A], error)
	show    func(x shown[A], o *driver.Object[S, T]) // fills in what object does not
	setTags func(ctx context.Context, id string, tags []string) error
}

// byToken asks a list for what was made with the token of a filter, by the parameter for what has
// the token in it behind something.
func byToken(parameter, before string) func(driver.Filter) url.Values {
	return func(f driver.Filter) url.Values {
		if f.Token == "" {
			return nil
		}
		return url.Values{parameter: {before + f.Token}}
	}
}

// List answers the project's objects.
func (c collection[S, T, A]) List(ctx context.Context, f driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	query := c.narrow(f)
	if n := len(f.IDs); len(query) == 0 && f.Token == "" && n > 0 && n <= fewIDs {
		return driver.GetEach(ctx, f.IDs, c.Get)
	}
	return c.objects(ctx, query)
}

// Get answers one object.
func (c collection[S, T, A]) Get(ctx context.Context, id string) (driver.Object[S, T], error) {
	found, err := c.look(ctx, id)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	return driver.One(c.complete(ctx, driver.Listed([]shown[A]{found}), url.Values{"id": {id}}), cmp.Or(c.one, c.many), id)
}

// Complete leaves an object as the one call of its creation has made it.
func (collection[S, T, A]) Complete(_ context.Context, _ driver.Request[S], o driver.Object[S, T]) (driver.Object[S, T], error) {
	return o, nil
}

// CheckLabels refuses labels that are too long for tags; metadata take them all.
func (c collection[S, T, A]) CheckLabels(field string, labels map[string]string) error {
	if c.setTags == nil {
		return nil
	}
	return ours().CheckLabels(field, labels)
}

// Delete removes an object.
func (c collection[S, T, A]) Delete(ctx context.Context, id string) error {
	err := request(ctx, c.service, http.MethodDelete, c.path+"/"+url.PathEscape(id), nil, nil)
	return driver.Except(err, resource.CodeNotFound)
}

// Label changes the tags.
func (c collection[S, T, A]) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := c.look(ctx, id)
	if err != nil {
		return err
	}
	return c.setTags(ctx, id, ours().ChangeTexts(found.Tags, change))
}

// look answers one object as its service shows it.
func (c collection[S, T, A]) look(ctx context.Context, id string) (shown[A], error) {
	if c.listed {
		return driver.One(driver.Items(c.pages(ctx, url.Values{"id": {id}}), func(x shown[A]) shown[A] { return x }), c.one, id)
	}
	return get[A](ctx, c.service, c.one, c.path, url.PathEscape(id))
}

// objects answers the project's objects that a query asks for.
func (c collection[S, T, A]) objects(ctx context.Context, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	return c.complete(ctx, only(c.pages(ctx, query), c.meant), query)
}

// complete answers objects with what is told of them elsewhere.
func (c collection[S, T, A]) complete(ctx context.Context, pages iter.Seq2[[]shown[A], error], query url.Values) iter.Seq2[driver.Object[S, T], error] {
	if c.beside == nil {
		return driver.Items(pages, c.object)
	}
	read := c.beside(ctx, query)
	return driver.Items(func(yield func([]shown[A], error) bool) {
		for page, err := range pages {
			if len(page) > 0 {
				page, err = read(page)
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}, c.object)
}

// bare answers what a query asks for as far as the service itself tells of it, whatever lists leave
// out.
func (c collection[S, T, A]) bare(ctx context.Context, query url.Values) iter.Seq2[driver.Object[S, T], error] {
	return driver.Items(c.pages(ctx, query), c.object)
}

// pages answers them as the service shows them. Administrators see those of all projects unless
// they ask for one.
func (c collection[S, T, A]) pages(ctx context.Context, query url.Values) iter.Seq2[[]shown[A], error] {
	all := url.Values{}
	if c.whose != "" {
		all.Set(c.whose, c.project)
	}
	maps.Copy(all, query)
	return list[A](ctx, c.Session, c.service, cmp.Or(c.list, c.path), c.many, all)
}

// object is a resource as the service shows it.
func (c collection[S, T, A]) object(x shown[A]) driver.Object[S, T] {
	o := driver.Object[S, T]{ID: x.ID, Name: x.Name, Native: x.raw, CreatedAt: x.createdAt()}
	c.show(x, &o)
	return o
}

// made is the answer to a creation.
func (c collection[S, T, A]) made(r gophercloud.Result) (driver.Object[S, T], error) {
	x, err := answer[A](r, c.one)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	return c.object(x), nil
}

// tag completes a new object with its labels and with what the kind keeps in tags.
func (c collection[S, T, A]) tag(ctx context.Context, o driver.Object[S, T], labels map[string]string, own ...string) (driver.Object[S, T], error) {
	tags, err := lacking(o, labels, own...)
	if err == nil && len(tags) > 0 {
		err = c.setTags(ctx, o.ID, tags)
	}
	o.Labels = labels
	return o, err
}

// lacking answers the tags that a new object is to have, those of the kind and its labels
// beside those that it has; none if it has them all.
func lacking[S, T any](o driver.Object[S, T], labels map[string]string, own ...string) ([]string, error) {
	has, err := native[struct{ Tags []string }](o)
	lacks := slices.DeleteFunc(append(own, ours().Texts(labels)...), func(tag string) bool { return slices.Contains(has.Tags, tag) })
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	return append(has.Tags, lacks...), nil
}
