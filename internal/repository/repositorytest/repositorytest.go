// Package repositorytest makes packages for tests, among them such as no honest
// publisher would make.
package repositorytest

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
)

// Script is a folder with a shell script as a driver.
func Script(t testing.TB, name, script string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mcic-driver-"+name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return dir
}

// Publish puts a package with any archive into a repository, signed with the key.
func Publish(t testing.TB, url string, d *driver.Description, key *repository.PrivateKey, write func(io.Writer)) {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	store, err := oci.New(filepath.Join(dir, d.Name)) // not our own code, so that the format is seen from outside
	require.NoError(t, err)
	var archive bytes.Buffer
	write(&archive)
	push := func(mediaType string, value any) ocispec.Descriptor {
		raw, ok := value.([]byte)
		if !ok {
			raw, err = json.Marshal(value)
			require.NoError(t, err)
		}
		pushed, err := oras.PushBytes(ctx, store, mediaType, raw)
		require.NoError(t, err)
		return pushed
	}
	manifest := push(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: repository.ArtifactType,
		Config: push(repository.ConfigType, d), Layers: []ocispec.Descriptor{push(repository.ArchiveType, archive.Bytes())},
	})
	system, arch, _ := bytes.Cut([]byte(repository.Platform()), []byte("/"))
	manifest.Platform = &ocispec.Platform{OS: string(system), Architecture: string(arch)}
	index := push(ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, ArtifactType: repository.ArtifactType,
		Manifests:   []ocispec.Descriptor{manifest},
		Annotations: map[string]string{repository.AnnotationCloud: d.Name, ocispec.AnnotationVersion: d.Version},
	})
	require.NoError(t, store.Tag(ctx, index, d.Version))

	from, err := repository.Open(repository.Spec{Name: "made", URL: "file://" + dir})
	require.NoError(t, err)
	to, err := repository.Open(repository.Spec{Name: "test", URL: url})
	require.NoError(t, err)
	_, err = to.Publish(ctx, from, d.Name, d.Version, key, false)
	require.NoError(t, err)
}
