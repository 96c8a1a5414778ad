package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ListOptions says which part of a list is wanted, and in which order.
type ListOptions struct {
	Filter   []string // field=value, field!=value or field~text; all must hold
	Sort     string   // a field, with a leading - for descending
	PageSize int      // 0 for the server's default; every page is fetched either way

	// Of lists of resources only:
	Search string            // words that all must be in a resource's names, ids, labels or addresses
	Fresh  bool              // have the server ask the clouds first
	Stale  func([]api.Stale) // with Fresh: called with the connections that could not be asked, if there are any
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	for _, f := range o.Filter {
		q.Add("filter", f)
	}
	if o.Sort != "" {
		q.Set("sort", o.Sort)
	}
	if o.PageSize > 0 {
		q.Set("pageSize", strconv.Itoa(o.PageSize))
	}
	if o.Search != "" {
		q.Set("q", o.Search)
	}
	if o.Fresh {
		q.Set("fresh", "true")
	}
	return q
}

// pages iterates over the items of all pages. The next page is fetched only when
// the caller gets there.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, err error) iter.Seq2[T, error] {
	return pagesOf[T](ctx, c, path, query, nil, err)
}

// pagesOf is pages that hands on what lists of resources say beside their items.
func pagesOf[T any](ctx context.Context, c *Client, path string, query url.Values, stale func([]api.Stale), err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err != nil {
			yield(zero, err)
			return
		}
		for {
			var page struct {
				Items         []T         `json:"items"`
				NextPageToken string      `json:"nextPageToken"`
				Stale         []api.Stale `json:"stale"`
			}
			if err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, &page); err != nil {
				yield(zero, err)
				return
			}
			if len(page.Stale) > 0 && stale != nil {
				stale(page.Stale)
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.NextPageToken == "" {
				return
			}
			if page.NextPageToken == query.Get("pageToken") {
				yield(zero, resource.Errorf(resource.CodeInternal, "the server at %s answers the same page of the list again and again", c.Server()))
				return
			}
			query.Set("pageToken", page.NextPageToken)
		}
	}
}

// Collect reads a list to its end.
func Collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// List iterates over the resources of a kind in a connection, or in all of them when
// connection is empty.
func (c *Client) List(ctx context.Context, kind, connection string, o ListOptions) iter.Seq2[resource.Resource, error] {
	path, err := kindPath(kind, connection)
	return pagesOf[resource.Resource](ctx, c, path, o.query(), o.Stale, err)
}

// Get returns one resource.
func (c *Client) Get(ctx context.Context, kind, connection, name string) (*resource.Resource, error) {
	return one[resource.Resource](ctx, c, http.MethodGet, nil)(kindPath(kind, connection, name))
}

// Create asks for a resource and returns the operation that makes it. Secrets, such
// as a private key, are in the operation and are never answered again.
func (c *Client) Create(ctx context.Context, kind, connection string, request resource.CreateRequest[any]) (*api.Operation, error) {
	return once[api.Operation](ctx, c, request)(kindPath(kind, connection))
}

// CreateJSON does the same with a request that is JSON already.
func (c *Client) CreateJSON(ctx context.Context, kind, connection string, request json.RawMessage) (*api.Operation, error) {
	return once[api.Operation](ctx, c, request)(kindPath(kind, connection))
}

// CheckCreation asks whether a creation would be refused. Nothing is made.
func (c *Client) CheckCreation(ctx context.Context, kind, connection string, request json.RawMessage) (*api.CreationCheck, error) {
	p, err := kindPath(kind, connection)
	return one[api.CreationCheck](ctx, c, http.MethodPost, request)(p+":check", err)
}

// Delete removes a resource and returns the operation that does it.
func (c *Client) Delete(ctx context.Context, kind, connection, name string) (*api.Operation, error) {
	return one[api.Operation](ctx, c, http.MethodDelete, nil)(kindPath(kind, connection, name))
}

// ForceDelete does the same, and has the resource forgotten even if the cloud refuses or
// cannot be asked. The operation's warnings then say what may be left there.
func (c *Client) ForceDelete(ctx context.Context, kind, connection, name string) (*api.Operation, error) {
	p, err := kindPath(kind, connection, name)
	if err != nil {
		return nil, err
	}
	op := &api.Operation{}
	return op, c.do(ctx, call{method: http.MethodDelete, path: p, query: url.Values{"force": {"true"}}}, op)
}

// VerifyAudit answers whether the audit trail is what was written.
func (c *Client) VerifyAudit(ctx context.Context) (*api.AuditProof, error) {
	proof := &api.AuditProof{}
	return proof, c.do(ctx, call{method: http.MethodGet, path: "/audit:verify"}, proof)
}

// Audit iterates over who did what, the newest first.
func (c *Client) Audit(ctx context.Context, o ListOptions) iter.Seq2[api.AuditEntry, error] {
	return pages[api.AuditEntry](ctx, c, "/audit", o.query(), nil)
}

// Recent iterates over what was chosen for resources of a kind that were created, the
// latest first.
func (c *Client) Recent(ctx context.Context, kind string, o ListOptions) iter.Seq2[api.Recent, error] {
	return pages[api.Recent](ctx, c, "/"+kind+"s:recent", o.query(), nil)
}

// ForgetRecent forgets one of those choices.
func (c *Client) ForgetRecent(ctx context.Context, kind, id string) error {
	target, err := path(kind+"s:recent", id)
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: target}, nil)
}

// Act starts an action of a resource. params is nil for an action without parameters.
func (c *Client) Act(ctx context.Context, kind, connection, name, action string, params any) (*api.Operation, error) {
	return once[api.Operation](ctx, c, params)(kindPath(kind, connection, name+":"+action))
}

// ChangeMany deletes several resources of a kind, or does the same action with them; without a
// connection they are of any. It returns the operation for all, whose parts have it as parent.
func (c *Client) ChangeMany(ctx context.Context, kind, connection, verb string, request api.ManyRequest) (*api.Operation, error) {
	p, err := kindPath(kind, connection)
	return once[api.Operation](ctx, c, request)(p+":"+verb, err)
}

// View asks the cloud for a view of a resource, such as a cluster's kubeconfig, with the
// view's parameters, nil for none. The answer is JSON of the view's type.
func (c *Client) View(ctx context.Context, kind, connection, name, view string, params url.Values) (json.RawMessage, error) {
	found, err := answered[json.RawMessage](ctx, c, call{method: http.MethodGet, query: params})(kindPath(kind, connection, name, view))
	if err != nil {
		return nil, err
	}
	return *found, nil
}

// Data does something with what a resource holds, such as the messages of a queue. It is done
// once; whether an answer that is lost meant that it was is not known. The answer is JSON of
// the call's type.
func (c *Client) Data(ctx context.Context, kind, connection, name, dataCall string, params json.RawMessage) (json.RawMessage, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	d, err := k.DataCall(dataCall)
	if err != nil {
		return nil, err
	}
	r := call{method: d.Method}
	if d.Method == http.MethodGet {
		if r.query, err = d.QueryOf(params); err != nil {
			return nil, err
		}
	} else {
		r.body = params
	}
	at, err := kindPath(kind, connection, name)
	answer, err := answered[json.RawMessage](ctx, c, r)(at+"/"+d.Path, err)
	if err != nil {
		return nil, err
	}
	return *answer, nil
}

// Capabilities returns what a connection offers.
func (c *Client) Capabilities(ctx context.Context, connection string) (*driver.Capabilities, error) {
	return one[driver.Capabilities](ctx, c, http.MethodGet, nil)(path("connections", connection, "capabilities"))
}

// Permissions returns the permissions that a connection's driver needs, with whether its
// credential has them.
func (c *Client) Permissions(ctx context.Context, connection string) ([]driver.Permission, error) {
	p, err := path("connections", connection, "permissions")
	return Collect(pages[driver.Permission](ctx, c, p, url.Values{}, err))
}

// Extend runs an operation that only the connection's driver has. The input is what
// the capabilities say, and so is the answer, as JSON.
func (c *Client) Extend(ctx context.Context, connection, extension string, input any) (json.RawMessage, error) {
	answer, err := one[json.RawMessage](ctx, c, http.MethodPost, input)(path("connections", connection, "extensions", extension))
	if err != nil {
		return nil, err
	}
	return *answer, nil
}

// Native passes a request to the cloud's own API. What the cloud answers is no error,
// whatever its status.
func (c *Client) Native(ctx context.Context, connection string, request driver.NativeRequest) (*driver.NativeResponse, error) {
	return one[driver.NativeResponse](ctx, c, http.MethodPost, request)(path("connections", connection, "native"))
}

// Catalog iterates over what a connection offers to choose from, such as images. The entries are JSON of the catalog's entry type.
func (c *Client) Catalog(ctx context.Context, catalog, connection string, o ListOptions) iter.Seq2[json.RawMessage, error] {
	query := o.query()
	query.Set("connection", connection)
	cat, err := resource.CatalogNamed(catalog)
	if err != nil {
		return pages[json.RawMessage](ctx, c, "", nil, err)
	}
	return pages[json.RawMessage](ctx, c, "/catalog/"+cat.Plural(), query, nil)
}

// Drivers iterates over the drivers that the server has.
func (c *Client) Drivers(ctx context.Context) iter.Seq2[driver.Description, error] {
	return pages[driver.Description](ctx, c, "/drivers", url.Values{}, nil)
}

// Driver returns one driver.
func (c *Client) Driver(ctx context.Context, name string) (*driver.Description, error) {
	return one[driver.Description](ctx, c, http.MethodGet, nil)(path("drivers", name))
}

// DriverCapabilities iterates over what there can be on a cloud: every verb of every
// kind, and every catalog, with what the driver offers and what it was tested against.
func (c *Client) DriverCapabilities(ctx context.Context, name string) iter.Seq2[driver.Capability, error] {
	p, err := path("drivers", name, "capabilities")
	return pages[driver.Capability](ctx, c, p, url.Values{}, err)
}

// SearchDrivers returns the drivers that repositories have and that contain all words
// of a text, of one repository or, with "", of all; and of all which ones could not be
// searched.
func (c *Client) SearchDrivers(ctx context.Context, text, repository string) ([]api.DriverRelease, []api.RepositoryProblem, error) {
	query := url.Values{}
	if text != "" {
		query.Set("text", text)
	}
	if repository != "" {
		query.Set("repository", repository)
	}
	type releases struct {
		Items    []api.DriverRelease     `json:"items"`
		Problems []api.RepositoryProblem `json:"problems"`
	}
	found, err := one[releases](ctx, c, http.MethodGet, nil)("/drivers:search?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	return found.Items, found.Problems, nil
}

// InstallDriver installs a driver from a repository.
func (c *Client) InstallDriver(ctx context.Context, request api.DriverRequest) (*driver.Description, error) {
	return one[driver.Description](ctx, c, http.MethodPost, request)(path("drivers"))
}

// UpgradeDriver moves an installed driver to a newer version.
func (c *Client) UpgradeDriver(ctx context.Context, name string, change api.DriverChange) (*driver.Description, error) {
	return one[driver.Description](ctx, c, http.MethodPost, change)(path("drivers", name+":upgrade"))
}

// DowngradeDriver moves an installed driver to an older version.
func (c *Client) DowngradeDriver(ctx context.Context, name string, change api.DriverChange) (*driver.Description, error) {
	return one[driver.Description](ctx, c, http.MethodPost, change)(path("drivers", name+":downgrade"))
}

// VerifyDriver checks the files of an installed driver and the signature of its package.
func (c *Client) VerifyDriver(ctx context.Context, name string) (*api.DriverVerification, error) {
	return one[api.DriverVerification](ctx, c, http.MethodPost, nil)(path("drivers", name+":verify"))
}

// RemoveDriver removes an installed driver.
func (c *Client) RemoveDriver(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("drivers", name))
}

// Repositories iterates over the repositories of drivers.
func (c *Client) Repositories(ctx context.Context) iter.Seq2[api.Repository, error] {
	return pages[api.Repository](ctx, c, "/repositories", url.Values{}, nil)
}

// Repository returns one repository.
func (c *Client) Repository(ctx context.Context, name string) (*api.Repository, error) {
	return one[api.Repository](ctx, c, http.MethodGet, nil)(path("repositories", name))
}

// CreateRepository registers a repository.
func (c *Client) CreateRepository(ctx context.Context, request api.RepositoryRequest) (*api.Repository, error) {
	return one[api.Repository](ctx, c, http.MethodPost, request)(path("repositories"))
}

// UpdateRepository changes a repository.
func (c *Client) UpdateRepository(ctx context.Context, name string, change api.RepositoryChange) (*api.Repository, error) {
	return one[api.Repository](ctx, c, http.MethodPatch, change)(path("repositories", name))
}

// RepositoryDriver returns what a driver in a repository is and offers, of the newest
// version unless one is given.
func (c *Client) RepositoryDriver(ctx context.Context, repository, name, version string) (*driver.Description, error) {
	p, err := path("repositories", repository, "drivers", name)
	if version != "" {
		p += "?" + url.Values{"version": {version}}.Encode()
	}
	return one[driver.Description](ctx, c, http.MethodGet, nil)(p, err)
}

// DeleteRepository forgets a repository.
func (c *Client) DeleteRepository(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("repositories", name))
}

// Credentials iterates over the credentials. Their values are never answered.
func (c *Client) Credentials(ctx context.Context) iter.Seq2[api.Credential, error] {
	return pages[api.Credential](ctx, c, "/credentials", url.Values{}, nil)
}

// Credential returns one credential.
func (c *Client) Credential(ctx context.Context, name string) (*api.Credential, error) {
	return one[api.Credential](ctx, c, http.MethodGet, nil)(path("credentials", name))
}

// CreateCredential records a credential.
func (c *Client) CreateCredential(ctx context.Context, request api.CredentialRequest) (*api.Credential, error) {
	return one[api.Credential](ctx, c, http.MethodPost, request)(path("credentials"))
}

// UpdateCredential replaces values of a credential. With check they are tried on the cloud
// first, in all connections that use it.
func (c *Client) UpdateCredential(ctx context.Context, name string, change api.CredentialChange, check bool) (*api.Credential, error) {
	return answered[api.Credential](ctx, c, call{method: http.MethodPatch, query: checked(check), body: change})(path("credentials", name))
}

// DeleteCredential forgets a credential.
func (c *Client) DeleteCredential(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("credentials", name))
}

// Connections iterates over the connections.
func (c *Client) Connections(ctx context.Context, filter ...string) iter.Seq2[api.Connection, error] {
	return pages[api.Connection](ctx, c, "/connections", ListOptions{Filter: filter}.query(), nil)
}

// Connection returns one connection.
func (c *Client) Connection(ctx context.Context, name string) (*api.Connection, error) {
	return one[api.Connection](ctx, c, http.MethodGet, nil)(path("connections", name))
}

// CreateConnection records a connection, after its cloud has been asked whether the
// credential works; without check it is recorded as it is.
func (c *Client) CreateConnection(ctx context.Context, request api.ConnectionRequest, check bool) (*api.Connection, error) {
	return answered[api.Connection](ctx, c, call{method: http.MethodPost, query: checked(check), body: request})("/connections", nil)
}

// checked is the query of what is tried on the cloud first, unless that is not wanted.
func checked(check bool) url.Values {
	if check {
		return nil
	}
	return url.Values{"check": {"false"}}
}

// UpdateConnection changes a connection. With check it is tried on the cloud first.
func (c *Client) UpdateConnection(ctx context.Context, name string, change api.ConnectionChange, check bool) (*api.Connection, error) {
	return answered[api.Connection](ctx, c, call{method: http.MethodPatch, query: checked(check), body: change})(path("connections", name))
}

// DeleteConnection forgets a connection.
func (c *Client) DeleteConnection(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("connections", name))
}

// CheckConnection asks the connection's cloud whether the credential works.
func (c *Client) CheckConnection(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodPost)(path("connections", name+":check"))
}

// Operations iterates over the operations.
func (c *Client) Operations(ctx context.Context, o ListOptions) iter.Seq2[api.Operation, error] {
	return pages[api.Operation](ctx, c, "/operations", o.query(), nil)
}

// Adopt records a resource that exists on the cloud.
func (c *Client) Adopt(ctx context.Context, kind, connection string, request api.AdoptRequest) (*resource.Resource, error) {
	p, err := kindPath(kind, connection)
	return one[resource.Resource](ctx, c, http.MethodPost, request)(p+":adopt", err)
}

// Spider makes a call of CB-Spider's API, whose path is below /spider, and decodes the
// answer into out, unless that is nil. It waits as long as the server does.
func (c *Client) Spider(ctx context.Context, method, path string, body, out any) error {
	return c.do(ctx, call{method: method, path: path, spider: true, body: body, wait: 30 * time.Minute}, out)
}

// Destroy deletes everything that is recorded of a connection, on the cloud, too. It
// answers what that is and the operation that does it; with dryRun nothing is done.
func (c *Client) Destroy(ctx context.Context, connection string, dryRun bool) (*api.Destruction, error) {
	return once[api.Destruction](ctx, c, api.DestroyRequest{DryRun: dryRun})(path("connections", connection+":destroy"))
}

// AdoptAll records everything that exists in a connection and is not managed yet. Its
// answer says which kinds the cloud could not be asked for.
func (c *Client) AdoptAll(ctx context.Context, connection string) (*api.Adoption, error) {
	return one[api.Adoption](ctx, c, http.MethodPost, nil)(path("connections", connection+":adopt"))
}

// Inventory compares what a cloud has with what is recorded, of one kind or, with "",
// of all.
func (c *Client) Inventory(ctx context.Context, connection, kind string) (*api.Inventory, error) {
	p, err := path("connections", connection, "inventory")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if kind != "" {
		query.Set("kind", kind)
	}
	answer := &api.Inventory{}
	return answer, c.do(ctx, call{method: http.MethodGet, path: p, query: query}, answer)
}

// CancelOperation ends an operation that the cloud has not accepted yet. With
// thenDelete, what an accepted creation makes is deleted as soon as it has ended.
func (c *Client) CancelOperation(ctx context.Context, id string, thenDelete bool) (*api.Operation, error) {
	return one[api.Operation](ctx, c, http.MethodPost, map[string]bool{"thenDelete": thenDelete})(path("operations", id+":cancel"))
}

// RetryOperation does again, as a new operation, what a failed or cancelled one did
// not do.
func (c *Client) RetryOperation(ctx context.Context, id string) (*api.Operation, error) {
	return once[api.Operation](ctx, c, nil)(path("operations", id+":retry"))
}

// Operation returns one operation. With a wait the server answers when it has ended,
// or when the time is over.
func (c *Client) Operation(ctx context.Context, id string, wait time.Duration) (*api.Operation, error) {
	p, err := path("operations", id)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	op := &api.Operation{}
	if err := c.do(ctx, call{method: http.MethodGet, path: p, query: query, wait: wait}, op); err != nil {
		return nil, err
	}
	return op, nil
}

// pollWait is how long the server holds one answer back while an operation runs; the
// first times less, because the states before the end come then.
const pollWait = 10 * time.Second

// lostAnswers is how often in a row WaitOperation finds no server before it gives
// up: about half a minute, enough for a server to be started anew.
const lostAnswers = 8

// WaitOperation waits until the operation has ended and returns it. When it failed,
// its error is returned with it; an error without an operation means that the end
// is not known, and that the operation may still go on. onProgress, unless nil, is
// given the operation each time that something is heard of it.
func (c *Client) WaitOperation(ctx context.Context, id string, onProgress func(*api.Operation)) (*api.Operation, error) {
	lost, early := 0, 0
	for wait := time.Second; ; wait = min(2*wait, pollWait) {
		asked := time.Now()
		op, err := c.Operation(ctx, id, wait)
		switch {
		case err != nil:
			lost++
			if ctx.Err() != nil || !resource.AsError(err).Retryable || lost == lostAnswers {
				return nil, err
			}
			if c.pause(ctx, lost) != nil {
				return nil, err
			}
			continue
		case onProgress != nil:
			onProgress(op)
		}
		lost = 0
		switch {
		case op.State == api.OperationSucceeded:
			return op, nil
		case op.State.Ended() && op.Error != nil:
			return op, op.Error
		case op.State.Ended():
			return op, resource.Errorf(resource.CodeInternal, "%s of %s %s failed, and the server does not say why", op.Verb, op.Kind, op.Name)
		case op.Items != nil:
			wait = time.Second / 2 // its parts end one by one, which is worth seeing
		}
		if time.Since(asked) < wait/2 { // the server does not hold answers back: do not pester it
			if err := c.pause(ctx, min(early, 3)); err != nil {
				return nil, resource.Errorf(resource.CodeUnavailable, "stopped waiting for the operation %s: %w", id, err)
			}
			early++
		}
	}
}

// one makes a call that answers one thing. It takes the path with its error, so that
// a call reads as one line.
func one[T any](ctx context.Context, c *Client, method string, body any) func(string, error) (*T, error) {
	return answered[T](ctx, c, call{method: method, body: body})
}

// once makes a call that records an operation. It is sent again if its answer is lost,
// and done once all the same.
func once[T any](ctx context.Context, c *Client, body any) func(string, error) (*T, error) {
	return answered[T](ctx, c, call{method: http.MethodPost, body: body, once: true})
}

func answered[T any](ctx context.Context, c *Client, r call) func(string, error) (*T, error) {
	return func(path string, err error) (*T, error) {
		if err != nil {
			return nil, err
		}
		r.path = path
		out := new(T)
		if err := c.do(ctx, r, out); err != nil {
			return nil, err
		}
		return out, nil
	}
}

func none(ctx context.Context, c *Client, method string) func(string, error) error {
	return func(path string, err error) error {
		if err != nil {
			return err
		}
		return c.do(ctx, call{method: method, path: path}, nil)
	}
}
