package digest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest/digest"
)

// project is a small project with one driver, its tests, and a counterpart.
func project(t *testing.T) (write func(files map[string]string) digest.Digest) {
	t.Helper()
	dir := t.TempDir()
	return func(files map[string]string) digest.Digest {
		for name, text := range files {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		d, err := digest.Of(t.Context(), filepath.Join(dir, "drivers", "cloud"), []string{"vm", "disk", "disktype", "nic"})
		require.NoError(t, err)
		return d
	}
}

// source is what such a project begins with.
func source() map[string]string {
	return map[string]string{
		"go.mod":                             "module example.org/project\n\ngo 1.24\n",
		"test/stage/stage.go":                "package stage\n\nfunc Start() {}\n",
		"test/stage/versions.txt":            "1.0\n",
		"drivers/cloud/cloud.go":             "package cloud\n\nimport _ \"embed\"\n\n//go:embed conformance.json\nvar report []byte\n\ntype session struct{}\n\nfunc New() { _, _, _ = vms{}, disks{}, report }\n",
		"drivers/cloud/vms.go":               "package cloud\n\ntype vms struct{ *session }\n\nfunc (v vms) size() int { disk := 1; return disk }\n",
		"drivers/cloud/disks.go":             "package cloud\n\ntype disks struct{ *session }\n\nfunc fits(n int) bool { return n > 0 }\n",
		"drivers/cloud/disktypes.go":         "package cloud\n\ntype disktypes struct{ *session }\n",
		"drivers/cloud/conformance.json":     "{}",
		"drivers/cloud/conformance_test.go":  "package cloud\n\nimport (\n\t\"testing\"\n\n\t\"example.org/project/test/stage\"\n)\n\nfunc TestConformance(*testing.T) { stage.Start(); helper() }\n",
		"drivers/cloud/helper_test.go":       "package cloud\n\nfunc helper() {}\n",
		"drivers/cloud/other_test.go":        "package cloud\n\nimport \"testing\"\n\nfunc TestOther(*testing.T) {}\n",
		"drivers/cloud/testdata/known.yaml":  "vm/create/life: it is slow\n",
		"drivers/cloud/testdata/calls.json":  "{}",
		"drivers/cloud/testdata/unknown.txt": "",
	}
}

// What has changed tells which kinds have to be tried again.
func TestChangesOfTheSource(t *testing.T) {
	for name, change := range map[string]struct {
		files map[string]string
		base  bool
		own   []string
	}{
		"nothing":                 {},
		"a comment":               {files: map[string]string{"drivers/cloud/vms.go": "package cloud\n\n// vms are machines.\n\ntype vms struct{ *session }\n\n// size is one.\nfunc (v vms) size() int { disk := 1; return disk }\n"}},
		"another test":            {files: map[string]string{"drivers/cloud/other_test.go": "package cloud\n"}},
		"what a run writes":       {files: map[string]string{"drivers/cloud/conformance.json": "[]", "drivers/cloud/testdata/calls.json": "[]"}},
		"a kind":                  {files: map[string]string{"drivers/cloud/vms.go": "package cloud\n\ntype vms struct{ *session }\n\nfunc (v vms) size() int { return 2 }\n"}, own: []string{"vm"}},
		"a catalog":               {files: map[string]string{"drivers/cloud/disktypes.go": "package cloud\n\ntype disktypes struct{}\n"}, own: []string{"disktype"}},
		"a kind that uses others": {files: map[string]string{"drivers/cloud/vms.go": "package cloud\n\ntype vms struct{ *session }\n\nfunc (v vms) size() bool { return fits(2) }\n"}, own: []string{"vm"}},
		"a new file of a kind":    {files: map[string]string{"drivers/cloud/nics.go": "package cloud\n\nvar _ = vms{}\n"}, own: []string{"nic"}},
		"what all use":            {files: map[string]string{"drivers/cloud/cloud.go": source()["drivers/cloud/cloud.go"] + "\nvar limit = 3\n"}, base: true},
		"the test":                {files: map[string]string{"drivers/cloud/conformance_test.go": source()["drivers/cloud/conformance_test.go"] + "\nvar limit = 3\n"}, base: true},
		"what the test uses":      {files: map[string]string{"drivers/cloud/helper_test.go": "package cloud\n\nfunc helper() { panic(1) }\n"}, base: true},
		"what is known":           {files: map[string]string{"drivers/cloud/testdata/known.yaml": ""}, base: true},
		"the counterpart":         {files: map[string]string{"test/stage/versions.txt": "1.1\n"}, base: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			write := project(t)
			before := write(source())
			after := write(change.files)
			assert.Equal(t, change.base, before.Base != after.Base, "what is under all")
			var own []string
			for kind, sum := range after.Own {
				if sum != before.Own[kind] {
					own = append(own, kind)
				}
			}
			assert.ElementsMatch(t, change.own, own)
		})
	}
}

func TestWhatAKindUsesCountsForIt(t *testing.T) {
	write := project(t)
	files := source()
	files["drivers/cloud/vms.go"] = "package cloud\n\ntype vms struct{ *session }\n\nfunc (v vms) size() bool { return fits(2) }\n"
	before := write(files)
	after := write(map[string]string{"drivers/cloud/disks.go": "package cloud\n\ntype disks struct{ *session }\n\nfunc fits(n int) bool { return n > 1 }\n"})
	assert.Equal(t, before.Base, after.Base)
	assert.NotEqual(t, before.Own["vm"], after.Own["vm"])
	assert.NotEqual(t, before.Own["disk"], after.Own["disk"])
	assert.Equal(t, before.Own["disktype"], after.Own["disktype"])
}

func TestSourceThatCannotBeRead(t *testing.T) {
	_, err := digest.Of(t.Context(), t.TempDir(), nil)
	assert.ErrorContains(t, err, "find what the driver is made of")
}
