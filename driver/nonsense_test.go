package driver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// liar answers what no driver should.
type liar struct {
	driverv1.UnimplementedDriverServiceServer
	answer []byte
	err    error
}

func (l liar) Describe(context.Context, *driverv1.DescribeRequest) (*driverv1.DescribeResponse, error) {
	return &driverv1.DescribeResponse{Description: l.answer}, l.err
}

func (l liar) Connect(context.Context, *driverv1.ConnectRequest) (*driverv1.ConnectResponse, error) {
	return &driverv1.ConnectResponse{Session: "s"}, nil
}

func (l liar) Get(context.Context, *driverv1.GetRequest) (*driverv1.GetResponse, error) {
	return &driverv1.GetResponse{Object: l.answer}, l.err
}

func (l liar) List(_ *driverv1.ListRequest, stream grpc.ServerStreamingServer[driverv1.ListResponse]) error {
	return errors.Join(stream.Send(&driverv1.ListResponse{Objects: [][]byte{l.answer}}), l.err)
}

func (l liar) Catalog(_ *driverv1.CatalogRequest, stream grpc.ServerStreamingServer[driverv1.CatalogResponse]) error {
	return stream.Send(&driverv1.CatalogResponse{Entries: [][]byte{l.answer}})
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, answer := range []string{
		``, `nonsense`, `null`, `[]`, `"x"`, `{}`, `{"id":1}`,
		`{"id":"vpc-1","spec":{},"status":{}}`,
		`{"id":"vpc-1","state":"shiny","spec":{},"status":{}}`,
		`{"id":"vpc-1","state":"failed","code":"bad luck","spec":{},"status":{}}`,
		`{"state":"available","spec":{},"status":{}}`,
		`{"id":"vpc-1","state":"available"}`,
		`{"id":"vpc-1","state":"available","spec":null,"status":{}}`,
		`{"id":"vpc-1","state":"available","spec":{"cidr":1},"status":{}}`,
		`{"id":"vpc-1","state":"available","spec":{},"status":[]}`,
	} {
		s := connect(t, dial(t, liar{answer: []byte(answer)}))
		for verb, err := range map[string]error{"get": second(s.Get(t.Context(), "vpc", "vpc-1")), "list": last(s.List(t.Context(), "vpc", Filter{}))} {
			if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "defect of the driver") {
				t.Errorf("%s %s: got %v, want internal", verb, answer, err)
			}
		}
	}
	good := connect(t, dial(t, liar{answer: []byte(`{"id":"vpc-1","state":"available","spec":{"later":1},"status":{},"later":1}`)}))
	if _, err := good.Get(t.Context(), "vpc", "vpc-1"); err != nil {
		t.Errorf("fields that a newer driver may add: %v", err)
	}
	if _, err := good.Get(t.Context(), "teapot", "x"); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
	bad := connect(t, dial(t, liar{answer: []byte(`{"id":`)}))
	if err := last(bad.Catalog(t.Context(), "image", nil)); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("catalog: got %v, want internal", err)
	}
	if _, err := dial(t, liar{answer: []byte(`[]`)}).Describe(t.Context()); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("describe: got %v, want internal", err)
	}
	if _, _, err := good.Create(t.Context(), "vpc", ItemRequest{Spec: json.RawMessage(`{`)}); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("a request that cannot be written: got %v, want internal", err)
	}
}

func TestErrorsThatAreNoneOfOurs(t *testing.T) {
	odd, err := status.New(codes.Unknown, "odd").WithDetails(&driverv1.Failure{Code: "teapot", Message: "short and stout"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		err     error
		code    resource.Code
		message string
		gone    bool
	}{
		{odd.Err(), resource.CodeInternal, "short and stout", false},
		{status.Error(codes.Unavailable, "connection refused"), resource.CodeUnavailable, "gone", true},
		{status.Error(codes.Internal, "stream broken"), resource.CodeInternal, "the driver failed: stream broken", false},
		{status.Error(codes.ResourceExhausted, "too large"), resource.CodeInternal, "too large", false},
		{io.ErrUnexpectedEOF, resource.CodeInternal, "unexpected EOF", false},
	} {
		s := connect(t, dial(t, liar{err: test.err}))
		_, err := s.Get(t.Context(), "vpc", "x")
		if resource.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.message) || errors.Is(err, ErrGone) != test.gone {
			t.Errorf("%v: got %v (%s)", test.err, err, resource.CodeOf(err))
		}
	}
	if err := last(connect(t, dial(t, liar{})).Catalog(t.Context(), "image", nil)); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("an empty entry: got %v, want internal", err)
	}
}
