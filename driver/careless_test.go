package driver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// careless is a driver in another language whose author was careless.
type careless struct {
	driverv1.UnimplementedDriverServiceServer
	create  *driverv1.CreateResponse
	batch   *driverv1.BatchResponse
	delete  *driverv1.DeleteResponse
	reading []*driverv1.CatalogResponse
}

func (careless) Connect(context.Context, *driverv1.ConnectRequest) (*driverv1.ConnectResponse, error) {
	return &driverv1.ConnectResponse{Session: "s", Lacks: map[string]string{"nlb": "no\x00ne"}}, nil
}

func (o careless) Create(context.Context, *driverv1.CreateRequest) (*driverv1.CreateResponse, error) {
	return o.create, nil
}

func (o careless) Batch(context.Context, *driverv1.BatchRequest) (*driverv1.BatchResponse, error) {
	return o.batch, nil
}

func (o careless) Delete(context.Context, *driverv1.DeleteRequest) (*driverv1.DeleteResponse, error) {
	return o.delete, nil
}

func (o careless) Catalog(_ *driverv1.CatalogRequest, stream grpc.ServerStreamingServer[driverv1.CatalogResponse]) error {
	for _, m := range o.reading {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func key(id, more string) []byte {
	return []byte(`{"id":"` + id + `","state":"available","spec":{},"status":{}` + more + `}`)
}

func TestOddCreationsAreRefused(t *testing.T) {
	for name, answer := range map[string]*driverv1.CreateResponse{
		"nothing at all":                 {},
		"an object of another token":     {Object: key("k", `,"token":"t-2"`)},
		"one that is pending":            {Object: key("k", `,"token":"t-2"`), Pending: &driverv1.Pending{Reason: "wait"}},
		"a secret that the kind has not": {Object: key("k", ""), Secrets: map[string]string{"password": "x"}},
	} {
		item, pending, err := connect(t, dial(t, careless{create: answer})).Create(t.Context(), "keypair", ItemRequest{Token: "t-1", Spec: []byte("{}")})
		assert.Equal(t, resource.CodeInternal, resource.CodeOf(err), name)
		require.ErrorContains(t, err, "defect of the driver", name)
		assert.Empty(t, item.ID, name)
		assert.Nil(t, pending, name)
	}
}

func TestAnswersOfABatchAreOfItsMembers(t *testing.T) {
	s := connect(t, dial(t, careless{batch: &driverv1.BatchResponse{Answers: []*driverv1.Answer{{Object: key("b", "")}, {Object: key("a", "")}, {Object: key("c", "")}}}}))
	answers, err := s.Batch(t.Context(), "keypair", VerbGet, []Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}, nil)
	require.NoError(t, err)
	for i, code := range []resource.Code{resource.CodeInternal, resource.CodeInternal, ""} {
		assert.Equal(t, code, resource.CodeOf(answers[i].Err), i)
	}
	assert.Empty(t, answers[0].Item.ID)
	_, err = s.Batch(t.Context(), "keypair", VerbGet, []Member{{ID: "a"}}, nil)
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err), "another number")
}

func TestOddTimesToComeBack(t *testing.T) {
	for ms, after := range map[int64]time.Duration{0: 0, -5: 0, 7: 7 * time.Millisecond, 1 << 62: time.Hour, -1 << 63: 0} {
		p, err := connect(t, dial(t, careless{delete: &driverv1.DeleteResponse{Pending: &driverv1.Pending{Reason: "wa\x00it", AfterMs: ms}}})).Delete(t.Context(), "vpc", "x")
		require.NoError(t, err)
		assert.Equal(t, after, p.After, ms)
		assert.Equal(t, "wa�it", p.Reason)
	}
}

func TestOddReadings(t *testing.T) {
	entry := func(r *driverv1.Reading) *driverv1.CatalogResponse {
		return &driverv1.CatalogResponse{Reading: r, Entries: [][]byte{[]byte(`{}`)}}
	}
	for name, test := range map[string]struct {
		since    string
		messages []*driverv1.CatalogResponse
		code     resource.Code
	}{
		"changes without a cursor":   {"1", []*driverv1.CatalogResponse{entry(&driverv1.Reading{Changes: true})}, resource.CodeInternal},
		"changes of no reading":      {"", []*driverv1.CatalogResponse{entry(&driverv1.Reading{Changes: true, Cursor: "2"})}, resource.CodeInternal},
		"gone of a whole one":        {"1", []*driverv1.CatalogResponse{entry(&driverv1.Reading{Cursor: "2", Gone: []string{"x"}})}, resource.CodeInternal},
		"passes over since":          {"1", []*driverv1.CatalogResponse{entry(nil)}, ""},
		"nothing at all":             {"1", nil, ""},
		"what is gone comes at last": {"1", []*driverv1.CatalogResponse{entry(&driverv1.Reading{Cursor: "2", Changes: true}), {Reading: &driverv1.Reading{Gone: []string{"x"}}}}, ""},
	} {
		head, all, err := read(t, connect(t, dial(t, careless{reading: test.messages})), test.since)
		assert.Equal(t, test.code, resource.CodeOf(err), "%s: %v, %v, %v", name, head, all, err)
	}
}

// A driver need not have calls for what it does not describe.
func TestACallThatADriverDoesNotHaveIsUnsupported(t *testing.T) {
	s := connect(t, dial(t, careless{}))
	_, permissions := s.Permissions(t.Context())
	for name, err := range map[string]error{
		"get": second(s.Get(t.Context(), "vpc", "x")), "list": last(s.List(t.Context(), "vpc", Filter{})), "permissions": permissions,
		"native": second(s.Native(t.Context(), NativeRequest{})), "check": s.Check(t.Context(), "vpc", ItemRequest{Spec: []byte("{}")}),
	} {
		assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err), name)
		assert.NotErrorIs(t, err, ErrGone, name)
	}
}

// No text of a driver can be one that databases refuse.
func TestTextsCanBeStored(t *testing.T) {
	for raw, name := range map[string]string{
		`\u0000a\u0000`: "�a�", `\\u0000`: `\u0000`, `\\\u0000`: `\�`, `\u0000`: "�", `plain`: "plain", `\\`: `\`,
	} {
		s := connect(t, dial(t, liar{answer: key("k", `,"name":"`+raw+`"`)}))
		item, err := s.Get(t.Context(), "keypair", "k")
		require.NoError(t, err)
		assert.Equal(t, name, item.Name)
	}
	place, err := connect(t, dial(t, careless{})).Place(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "no�ne", place.Lacks["nlb"])
}
