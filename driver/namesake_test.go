package driver

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What is meant by an id that is a name is not what has the name by then.
func TestANamesakeIsNotTouched(t *testing.T) {
	cloud := &shelf{}
	s := cloud.process(t, ByToken, ReusedIDs)
	first, err := create(t, s, "t-1")
	require.NoError(t, err)
	require.NoError(t, second(s.Delete(WithToken(t.Context(), "t-1"), "vpc", first.ID)))
	namesake, err := create(t, s, "t-2")
	require.NoError(t, err)
	require.Equal(t, first.ID, namesake.ID, "a namesake")

	ctx, warned := collect(t.Context())
	require.NoError(t, second(s.Delete(WithToken(ctx, "t-1"), "vpc", first.ID)), "the one that is meant is gone")
	assert.Len(t, cloud.objects, 1)
	if assert.Len(t, warned.all(), 1) {
		assert.Equal(t, resource.WarnLeft, warned.all()[0].Rule)
	}
	require.NoError(t, second(s.Delete(t.Context(), "vpc", first.ID)), "what others have made is meant by the id alone")
	assert.Empty(t, cloud.objects)
	require.NoError(t, second(s.Delete(WithToken(t.Context(), "t-2"), "vpc", first.ID)), "again")

	// What cannot be completed is removed, and not what has its name by then.
	cloud.objects["vpc-1"] = vpcObject{ID: "vpc-1", Token: "t-4", State: resource.StateAvailable}
	r := wanted("t-3", "vpc-1")
	r.Failed = resource.Errorf(resource.CodeQuota, "too many")
	_, _, err = s.Create(t.Context(), "vpc", r)
	assert.Equal(t, resource.CodeQuota, resource.CodeOf(err))
	assert.Len(t, cloud.objects, 1)

	// One that keeps its ids to itself is not looked at first.
	plain := cloud.process(t, ByToken)
	require.NoError(t, second(plain.Delete(WithToken(t.Context(), "t-1"), "vpc", "vpc-1")))
	assert.Empty(t, cloud.objects)
}

// listener hears which object is meant.
type listener struct {
	driverv1.UnimplementedDriverServiceServer
	tokens map[string]string
}

func (l listener) Connect(context.Context, *driverv1.ConnectRequest) (*driverv1.ConnectResponse, error) {
	return &driverv1.ConnectResponse{}, nil
}

func (l listener) Delete(_ context.Context, r *driverv1.DeleteRequest) (*driverv1.DeleteResponse, error) {
	l.tokens["delete"] = r.GetToken()
	return &driverv1.DeleteResponse{}, nil
}

func (l listener) Act(_ context.Context, r *driverv1.ActRequest) (*driverv1.ActResponse, error) {
	l.tokens["act"] = r.GetToken()
	return &driverv1.ActResponse{}, nil
}

func (l listener) View(_ context.Context, r *driverv1.ViewRequest) (*driverv1.ViewResponse, error) {
	l.tokens["view"] = r.GetToken()
	return &driverv1.ViewResponse{Answer: []byte("{}")}, nil
}

func (l listener) Batch(_ context.Context, r *driverv1.BatchRequest) (*driverv1.BatchResponse, error) {
	l.tokens["batch"] = r.GetMembers()[0].GetToken()
	return &driverv1.BatchResponse{Answers: []*driverv1.Answer{{}}}, nil
}

func (l listener) Data(_ context.Context, r *driverv1.DataRequest) (*driverv1.DataResponse, error) {
	l.tokens["data"] = r.GetToken()
	return &driverv1.DataResponse{Answer: []byte(`{"messages":[]}`)}, nil
}

func (l listener) Sign(_ context.Context, r *driverv1.SignRequest) (*driverv1.SignResponse, error) {
	l.tokens["sign"] = r.GetToken()
	return nil, errors.New("not here")
}

func TestWhatIsMeantIsToldToTheDriver(t *testing.T) {
	heard := listener{tokens: map[string]string{}}
	s, ctx := connect(t, dial(t, heard)), WithToken(t.Context(), "t-1")
	require.NoError(t, second(s.Delete(ctx, "vpc", "x")))
	require.NoError(t, second(s.Act(ctx, "vpc", "x", "label", nil)))
	require.NoError(t, second(s.View(ctx, "nlb", "x", "health", nil)))
	require.NoError(t, second(s.Batch(ctx, "vpc", "delete", []Member{{ID: "x", Token: "t-2"}}, nil)))
	_, err := s.Data(ctx, "queue", "x", "receive", nil)
	require.NoError(t, err)
	_, err = s.Sign(ctx, "bucket", "x", resource.SignRequest{})
	require.Error(t, err)
	assert.Equal(t, map[string]string{"data": "t-1", "sign": "t-1", "delete": "t-1", "act": "t-1", "view": "t-1", "batch": "t-2"}, heard.tokens)
}
