package v1

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// FilterParams are the parameters of what is about a part of a list.
type FilterParams struct {
	Filter []string `query:"filter,explode" doc:"Keeps what fits all of: field=value, field!=value, field~text (contains, ignoring case). Give the parameter several times to combine." maxItems:"20" maxLength:"1024"`
}

func (p FilterParams) filters() ([]store.Filter, error) {
	var filters []store.Filter
	for _, text := range p.Filter {
		f, err := store.ParseFilter(text)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// SearchParams are the parameters of what is about resources that are searched for.
type SearchParams struct {
	Search string `query:"q" doc:"Keeps what has all of these words, or parts of words, in its names, ids, labels (as key=value) or addresses, ignoring case." maxLength:"256" example:"web 10.0.1."`
}

// ListParams are the parameters of every list.
type ListParams struct {
	FilterParams
	Sort      string `query:"sort" doc:"Field to sort by, with a leading - for descending." maxLength:"64"`
	PageSize  int    `query:"pageSize" doc:"How many items at most." minimum:"1" maximum:"1000" default:"100"`
	PageToken string `query:"pageToken" doc:"nextPageToken of the page before." maxLength:"4096"`
}

func (p ListParams) query(ctx context.Context) (store.Query, error) {
	filters, err := p.filters()
	return store.Query{Filters: filters, Sort: p.Sort, Limit: p.PageSize, Token: p.PageToken, Sees: seen(ctx)}, err
}

// ResourceListParams are the parameters of the lists of resources.
type ResourceListParams struct {
	ListParams
	SearchParams
	Fresh bool `query:"fresh" doc:"Ask the clouds first, at the same time and not for longer than a deadline, and answer in stale which could not be asked. Otherwise the answer is what was last recorded; syncedAt of each item says when the cloud showed it so. With a pageToken nothing is asked again." default:"false"`
}

// list is the body of every list.
type list[T any] struct {
	Items         []T    `json:"items" nullable:"false" doc:"The items of this page."`
	NextPageToken string `json:"nextPageToken,omitempty" doc:"Token of the next page; absent on the last."`
}

// resourceList is the body of the lists of resources, without the items.
type resourceList struct {
	NextPageToken string      `json:"nextPageToken,omitempty"`
	Stale         []api.Stale `json:"stale,omitempty"`
}

// with puts the items into the body as they are.
func (l resourceList) with(items []store.Document) ([]byte, error) {
	var rest bytes.Buffer
	if err := huma.DefaultJSONFormat.Marshal(&rest, l); err != nil {
		return nil, err
	}
	const begin = `{"items":[`
	size := len(begin) + len("],") + rest.Len()
	for _, item := range items {
		size += item.Size()
	}
	b := append(make([]byte, 0, size), begin...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item.Append(b)
	}
	b = append(b, ']')
	if rest.Len() > len("{}\n") {
		b = append(b, ',')
	}
	return append(b, rest.Bytes()[1:]...), nil
}

// body wraps an answer's body.
type body[T any] struct{ Body T }

// maxWait is the longest time that a request may wait for an operation.
const maxWait = 30 * time.Minute

// WaitParam is the parameter of everything that starts or shows an operation.
type WaitParam struct {
	Wait string `query:"wait" doc:"How long to wait for the operation's end, such as 30s, at most 30m. Default: not at all." example:"30s" maxLength:"16" pattern:"^([0-9]+([.][0-9]+)?(ms|s|m|h))*$" patternDescription:"a duration between 0s and 30m, such as 30s or 5m"`
}

// KeyParam is a header that bufferBody reads; it is here to be documented.
type KeyParam struct {
	Key string `header:"Idempotency-Key" doc:"A key of the client's own, such as a new UUID. Sent again with the same key, the same request answers the same operation, for as long as operations are kept; another request with it is refused with 422." minLength:"1" maxLength:"255" pattern:"^(\"[!#-\\[\\]-~]+\"|[!#-\\[\\]-~]+)$" patternDescription:"letters, digits and marks without spaces"`
}

// ChangeKeyParam is the same header on what records no operation.
type ChangeKeyParam struct {
	Key string `header:"Idempotency-Key" doc:"A key of the client's own, such as a new UUID. Sent again with the same key, the same request is not done again and answers what it has made, for as long as operations are kept; another request with it is refused with 422." minLength:"1" maxLength:"255" pattern:"^(\"[!#-\\[\\]-~]+\"|[!#-\\[\\]-~]+)$" patternDescription:"letters, digits and marks without spaces"`
}

func (p WaitParam) duration() (time.Duration, error) {
	if p.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(strings.TrimSpace(p.Wait))
	if err != nil || d < 0 || d > maxWait {
		return 0, resource.Invalid(resource.Problem{Field: "wait", Message: "is not a duration between 0s and 30m, such as 30s or 5m"})
	}
	return d, nil
}
