package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Spec says where a repository is, how to get in, and whom to trust.
type Spec struct {
	Name               string
	URL                string // oci://host/namespace or file:///folder
	PlainHTTP          bool
	Insecure           bool
	Keys               []api.TrustedKey
	Username, Password string // without them, Docker's configuration is asked
}

// Repository is a place with packages.
type Repository struct {
	spec Spec
	keys []boundKey

	dir string // of a folder

	registry  *remote.Registry // of a registry
	namespace string
}

type boundKey struct {
	*PublicKey
	prefix string
}

// target is where the packages of one driver are.
type target interface {
	oras.GraphTarget
	registry.TagLister
}

// Open prepares a repository. It does not look whether it is there.
func Open(spec Spec) (*Repository, error) {
	r := &Repository{spec: spec}
	for i, k := range spec.Keys {
		key, err := ParsePublicKey(k.Key)
		if err != nil {
			return nil, resource.Invalid(resource.Problem{Field: fmt.Sprintf("keys[%d].key", i), Message: err.Error()})
		}
		r.keys = append(r.keys, boundKey{key, k.Prefix})
	}
	bad := func(format string, args ...any) error {
		return resource.Invalid(resource.Problem{Field: "url", Message: fmt.Sprintf(format, args...)})
	}
	u, err := url.Parse(spec.URL)
	if err != nil {
		return nil, bad("%.200q is not a URL such as oci://registry.example.com/drivers or file:///srv/drivers", spec.URL)
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, bad("has more than a host and a path; give a login as username and password")
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && path.IsAbs(u.Path):
		r.dir = filepath.FromSlash(path.Clean(u.Path))
	case u.Scheme == "oci" && u.Host != "":
		r.namespace = strings.Trim(u.Path, "/")
		if r.registry, err = remote.NewRegistry(u.Host); err != nil {
			return nil, bad("%.200q has no host that could be a registry: %v", spec.URL, err)
		}
		r.registry.PlainHTTP = spec.PlainHTTP
		r.registry.Client = r.client(u.Host)
		if _, err := r.registry.Repository(context.Background(), path.Join(r.namespace, "x")); err != nil {
			return nil, bad("%.200q is not a namespace of a registry: lower-case letters, digits, and . _ - / between", r.namespace)
		}
	default:
		return nil, bad("%.200q is neither oci://host/namespace nor file:///folder", spec.URL)
	}
	return r, nil
}

// client speaks to a registry: it tries again what may pass, and logs in.
func (r *Repository) client(host string) *auth.Client {
	transport := retry.NewTransport(&http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second,
	})
	c := &auth.Client{Client: &http.Client{Transport: transport}, Cache: auth.NewCache()}
	c.SetUserAgent("mc-infra-connector")
	if r.spec.Username != "" || r.spec.Password != "" {
		user := r.spec.Username
		if user == "" {
			user = "token" // Basic needs one
		}
		c.Credential = auth.StaticCredential(host, auth.Credential{Username: user, Password: r.spec.Password})
		return c
	}
	if docker, err := credentials.NewStoreFromDocker(credentials.StoreOptions{}); err == nil { // there is no home, and so no login
		c.Credential = credentials.Credential(docker)
	}
	return c
}

// Name is the repository's name.
func (r *Repository) Name() string { return r.spec.Name }

// Insecure reports whether packages need no signature.
func (r *Repository) Insecure() bool { return r.spec.Insecure }

// TrustedKeys are the keys that signatures are verified with, with their fingerprints.
func (r *Repository) TrustedKeys() []api.TrustedKey {
	keys := make([]api.TrustedKey, len(r.keys))
	for i, k := range r.keys {
		keys[i] = api.TrustedKey{Key: r.spec.Keys[i].Key, Prefix: k.prefix, Fingerprint: k.Fingerprint()}
	}
	return keys
}

// target opens the place of one driver's packages.
func (r *Repository) target(ctx context.Context, name string, create bool) (target, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if r.registry == nil {
		return openLayout(filepath.Join(r.dir, name), create)
	}
	at, err := r.registry.Repository(ctx, path.Join(r.namespace, name))
	if err != nil {
		return nil, err
	}
	return at.(*remote.Repository), nil
}

// Names answers which drivers the repository has.
func (r *Repository) Names(ctx context.Context) ([]string, error) {
	var names []string
	if r.registry == nil {
		marks, err := filepath.Glob(filepath.Join(r.dir, "*", ocispec.ImageLayoutFile))
		if err != nil {
			return nil, r.failure(err, "list")
		}
		if _, err := os.Stat(r.dir); err != nil {
			return nil, r.failure(err, "list")
		}
		for _, mark := range marks {
			names = append(names, filepath.Base(filepath.Dir(mark)))
		}
	} else {
		below := ""
		if r.namespace != "" {
			below = r.namespace + "/"
		}
		err := r.registry.Repositories(ctx, "", func(found []string) error {
			for _, f := range found {
				if name, ok := strings.CutPrefix(f, below); ok {
					names = append(names, name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, r.failure(err, "list the drivers (not every registry can: name the driver then)")
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return CheckName(n) != nil })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Versions answers the versions of a driver, the newest first; none if the
// repository does not have it.
func (r *Repository) Versions(ctx context.Context, name string) ([]string, error) {
	at, err := r.target(ctx, name, false)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var versions []string
	err = at.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			if CheckVersion(tag) == nil {
				versions = append(versions, tag)
			}
		}
		return nil
	})
	if isUnknown(err) {
		return nil, nil
	}
	slices.SortFunc(versions, func(a, b string) int { return CompareVersions(b, a) })
	return versions, r.failure(err, "list the versions of "+name)
}

// Release reads what a version of a driver is, without its program.
func (r *Repository) Release(ctx context.Context, name, version string) (*Release, error) {
	if err := CheckVersion(version); err != nil {
		return nil, err
	}
	return r.release(ctx, name, version, version)
}

// ReleaseByDigest is Release for exactly the package that has a digest.
func (r *Repository) ReleaseByDigest(ctx context.Context, name, version, digest string) (*Release, error) {
	return r.release(ctx, name, version, digest)
}

func (r *Repository) release(ctx context.Context, name, version, reference string) (*Release, error) {
	at, err := r.target(ctx, name, false)
	if err != nil {
		return nil, r.unknown(err, name, version)
	}
	d, err := at.Resolve(ctx, reference)
	if err != nil {
		return nil, r.unknown(err, name, version)
	}
	raw, err := fetch(ctx, at, d)
	if err != nil {
		return nil, r.failure(err, "read "+name+":"+version)
	}
	index, err := readIndex(raw, name, version)
	if err != nil {
		return nil, err
	}
	release := &Release{
		Repository: r.spec.Name, Digest: d.Digest.String(), index: d, manifest: index.Manifests,
		Source: index.Annotations[ocispec.AnnotationSource], Licenses: index.Annotations[ocispec.AnnotationLicenses],
	}
	if len(index.Manifests) == 0 {
		return nil, resource.Errorf(resource.CodeInvalid, "the package %s:%s is built for no platform at all", name, version)
	}
	for _, m := range index.Manifests {
		release.Platforms = append(release.Platforms, platformOf(m.Platform))
	}
	manifest, err := r.manifest(ctx, at, index.Manifests[0])
	if err != nil {
		return nil, err
	}
	if raw, err = fetch(ctx, at, manifest.Config); err != nil {
		return nil, r.failure(err, "read the description of "+name+":"+version)
	}
	release.Description, err = readDescription(raw, name, version)
	return release, err
}

func (r *Repository) manifest(ctx context.Context, at target, d ocispec.Descriptor) (*ocispec.Manifest, error) {
	raw, err := fetch(ctx, at, d)
	if err != nil {
		return nil, r.failure(err, "read a package")
	}
	m := &ocispec.Manifest{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "a manifest in the repository %s is broken: %w", r.spec.Name, err)
	}
	if m.ArtifactType != ArtifactType || m.Config.MediaType != ConfigType || len(m.Layers) != 1 || m.Layers[0].MediaType != ArchiveType {
		return nil, resource.Errorf(resource.CodeInvalid, "a manifest in the repository %s is not of a driver: it needs a description and exactly one archive", r.spec.Name)
	}
	return m, nil
}

// fetch reads a small blob whole. Its size and digest are checked.
func fetch(ctx context.Context, at content.Fetcher, d ocispec.Descriptor) ([]byte, error) {
	if d.Size > maxManifest {
		return nil, resource.Errorf(resource.CodeInvalid, "%s has %d bytes, and more than %d MiB are not read", d.Digest, d.Size, maxManifest>>20)
	}
	return content.FetchAll(ctx, at, d)
}

// Verify finds a signature of a release by a key that is trusted for its name.
func (r *Repository) Verify(ctx context.Context, release *Release) (*PublicKey, error) {
	name := release.Description.Name
	var keys []*PublicKey
	for _, k := range r.keys {
		if strings.HasPrefix(name, k.prefix) {
			keys = append(keys, k.PublicKey)
		}
	}
	if len(keys) == 0 {
		return nil, resource.Errorf(resource.CodeDenied, "no key is trusted for the driver %s in the repository %s; register the repository with the public key of its publisher", name, r.spec.Name)
	}
	at, err := r.target(ctx, name, false)
	if err != nil {
		return nil, err
	}
	signed, err := fetch(ctx, at, release.index)
	if err != nil {
		return nil, r.failure(err, "read "+release.label())
	}
	signatures, err := registry.Referrers(ctx, at, release.index, SignatureType)
	if err != nil {
		return nil, r.failure(err, "read the signatures of "+release.label())
	}
	signatures = slices.DeleteFunc(signatures, func(d ocispec.Descriptor) bool { return d.ArtifactType != SignatureType })
	if len(signatures) == 0 {
		return nil, resource.Errorf(resource.CodeDenied, "%s is not signed, and is refused; have its publisher sign it, with: mcic driver publish --key", release.label())
	}
	var reasons []string
	for _, d := range signatures[:min(len(signatures), maxSignatures)] {
		key, err := r.verifySignature(ctx, at, d, signed, keys)
		if err == nil {
			return key, nil
		}
		reasons = append(reasons, err.Error())
	}
	return nil, resource.Errorf(resource.CodeDenied, "%s has no valid signature by a trusted key (%s), and is refused: %s", release.label(), fingerprints(keys), strings.Join(reasons, "; "))
}

func (r *Repository) verifySignature(ctx context.Context, at target, d ocispec.Descriptor, signed []byte, keys []*PublicKey) (*PublicKey, error) {
	raw, err := fetch(ctx, at, d)
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(raw, &m); err != nil || len(m.Layers) != 1 {
		return nil, errors.New("a signature is broken")
	}
	if raw, err = fetch(ctx, at, m.Layers[0]); err != nil {
		return nil, err
	}
	return verifyBundle(raw, signed, keys)
}

// Pull fetches the archive of a release for a platform and unpacks it into an empty
// folder. What is not exactly what the release says is refused before it is unpacked.
func (r *Repository) Pull(ctx context.Context, release *Release, platform, dir string, tell Tell) error {
	d, err := release.manifestFor(platform)
	if err != nil {
		return err
	}
	name := release.Description.Name
	at, err := r.target(ctx, name, false)
	if err != nil {
		return err
	}
	manifest, err := r.manifest(ctx, at, d)
	if err != nil {
		return err
	}
	archive, err := os.CreateTemp(filepath.Dir(dir), ".archive-*")
	if err != nil {
		return fmt.Errorf("fetch %s: %w", release.label(), err)
	}
	defer func() { _, _ = archive.Close(), os.Remove(archive.Name()) }()
	if err := copyBlob(ctx, &counted{Writer: archive, total: manifest.Layers[0].Size, tell: tell}, at, manifest.Layers[0]); err != nil {
		return r.failure(err, "fetch "+release.label())
	}
	tell(api.DriverUnpack, 0, 0)
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := readArchive(archive, dir); err != nil {
		return fmt.Errorf("unpack %s: %w", release.label(), err)
	}
	program := filepath.Join(dir, prefix+name)
	info, err := os.Stat(program)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o100 == 0 {
		return resource.Errorf(resource.CodeInvalid, "%s has no executable %s%s in its archive", release.label(), prefix, name)
	}
	return nil
}

// Tell is told how far the fetching of a driver is: the step, and of a download how many
// bytes of how many are there. It must not wait.
type Tell func(step api.DriverStep, done, total int64)

// downloadSteps is how often a download is told of at most.
const downloadSteps = 20

// counted tells how much has been written.
type counted struct {
	io.Writer

	done, told, total int64
	tell              Tell
}

func (c *counted) Write(p []byte) (int, error) {
	if c.done == 0 {
		c.tell(api.DriverDownload, 0, c.total)
	}
	n, err := c.Writer.Write(p)
	c.done += int64(n)
	if c.done == c.total || c.done-c.told > c.total/downloadSteps {
		c.told = c.done
		c.tell(api.DriverDownload, c.done, c.total)
	}
	return n, err
}

func copyBlob(ctx context.Context, w io.Writer, at content.Fetcher, d ocispec.Descriptor) error {
	if d.Size > maxUnpacked {
		return resource.Errorf(resource.CodeInvalid, "the archive has more than %d GiB", maxUnpacked>>30)
	}
	blob, err := at.Fetch(ctx, d)
	if err != nil {
		return err
	}
	defer func() { _ = blob.Close() }()
	checked := content.NewVerifyReader(blob, d)
	if _, err := io.Copy(w, checked); err != nil {
		return err
	}
	return checked.Verify()
}

// Publish copies a package from a folder, signs it, and only then gives it its tag,
// so that nobody finds it without a signature. Without a key it is not signed. A
// version that is there with other contents is refused unless replace is set.
func (r *Repository) Publish(ctx context.Context, from *Repository, name, version string, key *PrivateKey, replace bool) (*Release, error) {
	release, err := from.Release(ctx, name, version)
	if err != nil {
		return nil, err
	}
	source, err := from.target(ctx, name, false)
	if err != nil {
		return nil, err
	}
	at, err := r.target(ctx, name, true)
	if err != nil {
		return nil, r.failure(err, "open the repository")
	}
	there, err := at.Resolve(ctx, version) // nothing, if it is not there
	switch {
	case err == nil && there.Digest != release.index.Digest && !replace:
		return nil, resource.Errorf(resource.CodeAlreadyExists, "the repository has a driver %s %s already, with other contents; a version never changes: publish a new one, or replace it with --replace", name, version)
	case err != nil && !isUnknown(err):
		return nil, r.failure(err, "look for "+name+":"+version)
	}
	if err := oras.CopyGraph(ctx, source, at, release.index, oras.DefaultCopyGraphOptions); err != nil {
		return nil, r.failure(err, "copy "+name+":"+version)
	}
	if key != nil {
		if err := r.sign(ctx, at, release.index, key); err != nil {
			return nil, r.failure(err, "sign "+name+":"+version)
		}
	}
	if there.Digest != release.index.Digest {
		if err := at.Tag(ctx, release.index, version); err != nil {
			return nil, r.failure(err, "tag "+name+":"+version)
		}
	}
	release.Repository = r.spec.Name
	return release, nil
}

// sign attaches a signature to an index, as a referrer.
func (r *Repository) sign(ctx context.Context, at target, index ocispec.Descriptor, key *PrivateKey) error {
	raw, err := fetch(ctx, at, index)
	if err != nil {
		return err
	}
	signed, err := signBundle(raw, key)
	if err != nil {
		return err
	}
	layer, err := pushBytes(ctx, at, SignatureType, "", signed)
	if err != nil {
		return err
	}
	config, err := pushBytes(ctx, at, ocispec.MediaTypeEmptyJSON, "", ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: SignatureType,
		Config: config, Layers: []ocispec.Descriptor{layer}, Subject: &index,
		Annotations: map[string]string{ocispec.AnnotationCreated: time.Now().UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	_, err = pushBytes(ctx, at, ocispec.MediaTypeImageManifest, SignatureType, manifest)
	return err
}

// isUnknown reports whether a repository said that it does not have something.
func isUnknown(err error) bool {
	if errors.Is(err, errdef.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return true
	}
	answer, ok := errors.AsType[*errcode.ErrorResponse](err)
	return ok && answer.StatusCode == http.StatusNotFound
}

func (r *Repository) unknown(err error, name, version string) error {
	if isUnknown(err) {
		return resource.Errorf(resource.CodeNotFound, "the repository %s has no driver %s %s; see what there is with: mcic driver search", r.spec.Name, name, version)
	}
	return r.failure(err, "look for "+name+":"+version)
}

// failure gives an error of a registry or a folder its code.
func (r *Repository) failure(err error, doing string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*resource.Error](err); ok {
		return e
	}
	code := resource.CodeUnavailable
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return resource.Errorf(resource.CodeUnauthenticated, "%s in the repository %s (%s): it wants a login, and there is none; give a username and a password, or log in with a tool that writes Docker's configuration", doing, r.spec.Name, r.spec.URL)
	}
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		switch answer.StatusCode {
		case http.StatusUnauthorized:
			code = resource.CodeUnauthenticated
		case http.StatusForbidden:
			code = resource.CodeDenied
		case http.StatusNotFound:
			code = resource.CodeNotFound
		case http.StatusTooManyRequests:
			code = resource.CodeThrottled
		}
	}
	switch {
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, io.ErrUnexpectedEOF):
		return resource.Errorf(resource.CodeInvalid, "%s from the repository %s: what came is not what was signed; it was altered or damaged on the way, and is refused: %w", doing, r.spec.Name, err)
	case errors.Is(err, os.ErrNotExist), isUnknown(err):
		code = resource.CodeNotFound
	}
	return resource.Errorf(code, "%s in the repository %s (%s): %w", doing, r.spec.Name, r.spec.URL, err)
}
