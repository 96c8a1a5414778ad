package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Build is a driver for one platform.
type Build struct {
	Platform string // such as linux/amd64
	Dir      string // folder with the executable mcic-driver-<cloud> and whatever it needs beside it
}

// Pack makes a package in a repository, which must be a folder, under the driver's
// version. The same builds make the same package, with the same digest.
func (r *Repository) Pack(ctx context.Context, d *driver.Description, builds []Build, source, licenses string) (*Release, error) {
	if err := errors.Join(CheckName(d.Name), CheckVersion(d.Version)); err != nil {
		return nil, err
	}
	if r.registry != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "a package is made in a folder, and published from there")
	}
	if len(builds) == 0 {
		return nil, resource.Errorf(resource.CodeInvalid, "there is nothing to pack: no build")
	}
	at, err := r.target(ctx, d.Name, true)
	if err != nil {
		return nil, err
	}
	description, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	config, err := pushBytes(ctx, at, ConfigType, "", description)
	if err != nil {
		return nil, fmt.Errorf("write the package: %w", err)
	}
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, ArtifactType: ArtifactType,
		Annotations: annotations(d, source, licenses),
	}
	slices.SortFunc(builds, func(a, b Build) int { return strings.Compare(a.Platform, b.Platform) })
	for _, b := range builds {
		manifest, err := pushBuild(ctx, at, d.Name, b, config, index.Annotations)
		if err != nil {
			return nil, fmt.Errorf("pack %s for %s: %w", d.Name, b.Platform, err)
		}
		index.Manifests = append(index.Manifests, manifest)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	packed, err := pushBytes(ctx, at, ocispec.MediaTypeImageIndex, ArtifactType, raw)
	if err == nil {
		err = at.Tag(ctx, packed, d.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("write the package: %w", err)
	}
	return r.Release(ctx, d.Name, d.Version)
}

func pushBuild(ctx context.Context, at target, name string, b Build, config ocispec.Descriptor, annotations map[string]string) (ocispec.Descriptor, error) {
	platform, err := parsePlatform(b.Platform)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if info, err := os.Stat(filepath.Join(b.Dir, prefix+name)); err != nil || info.Mode()&0o111 == 0 {
		return ocispec.Descriptor{}, resource.Errorf(resource.CodeInvalid, "%s has no executable %s%s", b.Dir, prefix, name)
	}
	layer, err := pushArchive(ctx, at, b.Dir)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
		Config: config, Layers: []ocispec.Descriptor{layer}, Annotations: annotations,
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	d, err := pushBytes(ctx, at, ocispec.MediaTypeImageManifest, ArtifactType, raw)
	d.Platform = platform
	return d, err
}

// pushArchive writes the archive to a file first: its digest is needed beforehand.
func pushArchive(ctx context.Context, at target, dir string) (ocispec.Descriptor, error) {
	f, err := os.CreateTemp("", "mcic-archive-*")
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	hash := digest.Canonical.Digester()
	if err := writeArchive(io.MultiWriter(f, hash.Hash()), dir); err != nil {
		return ocispec.Descriptor{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ocispec.Descriptor{}, err
	}
	d := ocispec.Descriptor{MediaType: ArchiveType, Digest: hash.Digest(), Size: size}
	return d, at.Push(ctx, d, f)
}
