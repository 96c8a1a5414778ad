// Package repository finds, packs, signs, verifies, fetches and keeps packages of
// drivers. A package is an OCI artifact, so that any OCI registry can hold it, and so
// can a folder. docs/driver-package.md describes the format.
package repository

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/mod/semver"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Media types of a package.
const (
	ArtifactType  = "application/vnd.mcic.driver.v1"                  // of the index and of the manifests in it
	ConfigType    = "application/vnd.mcic.driver.description.v1+json" // what the driver answers to Describe
	ArchiveType   = "application/vnd.mcic.driver.archive.v1.tar+gzip" // the one layer
	SignatureType = "application/vnd.dev.sigstore.bundle.v0.3+json"   // the signature, which refers to the index
)

// Annotations of a package beside those of the OCI specification.
const (
	AnnotationCloud    = "io.github.m-cmp.mcic.driver.cloud"
	AnnotationProtocol = "io.github.m-cmp.mcic.driver.protocol" // versions of the driver protocol, such as 1,2
)

// Limits of what is read into memory or unpacked, so that a repository cannot fill
// either.
const (
	maxManifest   = 4 << 20 // bytes; also of a description and of a signature
	maxUnpacked   = 2 << 30 // bytes of an archive's files together
	maxFiles      = 10_000
	maxSignatures = 20
)

// prefix begins the name of every driver's executable; the cloud's name follows.
const prefix = "mcic-driver-"

// Release is one version of a driver in a repository.
type Release struct {
	Repository  string              // its name
	Digest      string              // of the index, which everything else follows from
	Description *driver.Description //
	Platforms   []string            // such as linux/amd64
	Source      string              // where the source code is
	Licenses    string              // SPDX expression

	index    ocispec.Descriptor
	manifest []ocispec.Descriptor
}

// cloudName is what a driver can be called.
var cloudName = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)

// CheckName refuses what is no name of a driver.
func CheckName(name string) error {
	if !cloudName.MatchString(name) {
		return resource.Errorf(resource.CodeInvalid, "%.64q is no name of a driver; it is written in lower-case letters and digits, begins with a letter and has at most 32", name)
	}
	return nil
}

// CheckVersion refuses what is no semantic version. A tag has no v before it, and no
// build metadata: a tag of OCI cannot have a plus sign.
func CheckVersion(version string) error {
	if v := "v" + version; !semver.IsValid(v) || semver.Canonical(v) != v {
		return resource.Errorf(resource.CodeInvalid, "%.64q is not a semantic version such as 1.2.0 or 1.3.0-rc.1 (without build metadata)", version)
	}
	return nil
}

// CompareVersions orders two semantic versions: -1, 0 or 1.
func CompareVersions(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// Stable reports whether a version is no pre-release.
func Stable(version string) bool { return semver.Prerelease("v"+version) == "" }

// Compatible reports whether a driver speaks one of some versions of the protocol.
func Compatible(d *driver.Description, protocols []int) bool {
	return slices.ContainsFunc(d.ProtocolVersions, func(v int) bool { return slices.Contains(protocols, v) })
}

// Platform is that of this program, as it is written in a package.
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

func platformOf(p *ocispec.Platform) string {
	if p == nil {
		return ""
	}
	return p.OS + "/" + p.Architecture
}

func parsePlatform(text string) (*ocispec.Platform, error) {
	system, arch, ok := strings.Cut(text, "/")
	if !ok || system == "" || arch == "" || strings.Contains(arch, "/") {
		return nil, resource.Errorf(resource.CodeInvalid, "%.64q is not a platform such as linux/amd64", text)
	}
	return &ocispec.Platform{OS: system, Architecture: arch}, nil
}

// manifestFor returns the manifest of a platform.
func (r *Release) manifestFor(platform string) (ocispec.Descriptor, error) {
	for _, m := range r.manifest {
		if platformOf(m.Platform) == platform {
			return m, nil
		}
	}
	return ocispec.Descriptor{}, resource.Errorf(resource.CodeUnsupported, "%s is not built for %s, only for: %s; ask its publisher for a build", r.label(), platform, strings.Join(r.Platforms, ", "))
}

// label is the release for people.
func (r *Release) label() string {
	return fmt.Sprintf("the driver %s %s in the repository %s", r.Description.Name, r.Description.Version, r.Repository)
}

// annotations tell the most of a package without its description.
func annotations(d *driver.Description, source, licenses string) map[string]string {
	protocols := make([]string, len(d.ProtocolVersions))
	for i, v := range d.ProtocolVersions {
		protocols[i] = strconv.Itoa(v)
	}
	a := map[string]string{
		ocispec.AnnotationTitle: d.Title, ocispec.AnnotationVersion: d.Version, ocispec.AnnotationDescription: d.Doc,
		ocispec.AnnotationSource: source, ocispec.AnnotationLicenses: licenses,
		AnnotationCloud: d.Name, AnnotationProtocol: strings.Join(protocols, ","),
	}
	maps.DeleteFunc(a, func(_, value string) bool { return value == "" })
	return a
}

// readIndex reads an index and checks that it is a package of a driver under the
// name and version that it was asked for.
func readIndex(raw []byte, name, version string) (*ocispec.Index, error) {
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil || index.ArtifactType != ArtifactType {
		return nil, resource.Errorf(resource.CodeInvalid, "%s:%s is not a package of a driver (its type is %.100q, that of a driver %s)", name, version, index.ArtifactType, ArtifactType)
	}
	// The signature covers the index, and so the name and the version in it: a package
	// that is shown as another one, or as a newer one, is found out here.
	if is := index.Annotations[AnnotationCloud] + ":" + index.Annotations[ocispec.AnnotationVersion]; is != name+":"+version {
		return nil, resource.Errorf(resource.CodeInvalid, "the package at %s:%s says that it is %.100s; it is refused", name, version, is)
	}
	return &index, nil
}

// readDescription reads a description and checks it against the index that it is
// part of.
func readDescription(raw []byte, name, version string) (*driver.Description, error) {
	d := &driver.Description{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "the description in the package %s:%s is broken: %w", name, version, err)
	}
	if d.Name != name || d.Version != version {
		return nil, resource.Errorf(resource.CodeInvalid, "the driver in the package %s:%s describes itself as %.64s %.64s; it is refused", name, version, d.Name, d.Version)
	}
	return d, nil
}
