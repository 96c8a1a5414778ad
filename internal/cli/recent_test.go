package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/api"
)

func TestRecentChoices(t *testing.T) {
	f := newFake(t)
	f.answers = map[string]any{"vms:recent": map[string]any{"items": []api.Recent{{
		ID: "id-1", Kind: "vm", Cloud: "aws", Region: "us-east-1", Choice: map[string]string{"image": "ami-1", "spec": "t3.micro"}, Count: 3, AverageSeconds: 12.34, LastAt: start2026(),
	}}}, "vms:recent/id-1": map[string]any{}}
	s := newShell(t, f)
	out := s.ok("vm recent --filter cloud=aws --limit 5")
	for _, part := range []string{"CUSTOMIMAGE", "us-east-1", "ami-1", "t3.micro", "3", "12.3s", "id-1"} {
		assert.Contains(t, out, part)
	}
	assert.Contains(t, f.requests[len(f.requests)-1], "GET /vms:recent?filter=cloud%3Daws&pageSize=5")
	s.ok("vm recent --forget id-1")
	assert.Equal(t, "DELETE /vms:recent/id-1", f.requests[len(f.requests)-1])
	assert.Equal(t, exitUsage, s.run("vm recent name"))
}
