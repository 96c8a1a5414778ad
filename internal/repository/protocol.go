package repository

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"cuelabs.dev/go/oci/ociregistry"
	"cuelabs.dev/go/oci/ociregistry/ociref"
	"github.com/opencontainers/go-digest"
)

// protocol does what the OCI distribution protocol has beyond the library that
// speaks most of it: manifests under digests other than SHA-256, mounting a blob that
// is not there, the last bytes of a blob, chunks that come in the wrong order, and
// uploads that are cancelled.
func (f *folderRegistry) protocol(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, what, reference := splitPath(r.URL.Path)
		query := r.URL.Query()
		switch {
		case r.Method == http.MethodPut && what == "manifests":
			if err := f.putManifest(w, r, repo, reference); err != nil {
				_ = ociregistry.WriteError(w, err) // the client is gone if this fails
			}
			return
		case r.Method == http.MethodDelete && strings.HasPrefix(reference, uploadPath):
			if err := f.cancel(repo, strings.TrimPrefix(reference, uploadPath)); err != nil {
				_ = ociregistry.WriteError(w, err) // the client is gone if this fails
				return
			}
			w.WriteHeader(http.StatusNoContent)
			return
		case r.Method == http.MethodPost && query.Has("mount"):
			if _, err := f.ResolveBlob(r.Context(), query.Get("from"), digest.Digest(query.Get("mount"))); err != nil {
				r.URL.RawQuery = "" // an upload begins instead
			}
		case r.Method == http.MethodGet && what == "blobs":
			if last, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=-"); ok {
				f.lastBytes(r, repo, reference, last)
			}
		case r.Header.Get("Content-Range") != "":
			r = r.WithContext(context.WithValue(r.Context(), rangeKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

// rangeKey is in the context of a request that says where its bytes belong.
type rangeKey struct{}

// uploadPath begins the reference of an upload among those of blobs.
const uploadPath = "uploads/"

// splitPath takes /v2/NAME/manifests/REFERENCE apart.
func splitPath(path string) (repo, what, reference string) {
	for _, what := range []string{"manifests", "blobs"} {
		if before, after, ok := strings.Cut(strings.TrimPrefix(path, "/v2/"), "/"+what+"/"); ok && !strings.Contains(strings.TrimPrefix(after, uploadPath), "/") {
			return before, what, after
		}
	}
	return "", "", ""
}

// cancel forgets an upload. The library writes its id in base64 into the URL.
func (f *folderRegistry) cancel(repo, encoded string) error {
	if _, err := f.layout(repo); err != nil {
		return err
	}
	id, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return ociregistry.ErrBlobUploadUnknown
	}
	u, err := f.upload(context.Background(), repo, string(id), 0, 0)
	if err != nil {
		return err
	}
	return u.Cancel()
}

// lastBytes turns a range that counts from the end into one that counts from the start.
func (f *folderRegistry) lastBytes(r *http.Request, repo, reference, last string) {
	var n int64
	blob, err := f.ResolveBlob(r.Context(), repo, digest.Digest(reference))
	if _, scanErr := fmt.Sscanf(last, "%d", &n); err != nil || scanErr != nil || n <= 0 {
		return // answered as what it is
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", max(blob.Size-n, 0), blob.Size-1))
}

func (f *folderRegistry) putManifest(w http.ResponseWriter, r *http.Request, repo, reference string) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		return fmt.Errorf("%w: %w", ociregistry.ErrManifestInvalid, err)
	}
	algorithm, tag := digest.Canonical, reference
	if strings.Contains(reference, ":") {
		given := digest.Digest(reference)
		if given.Validate() != nil || given.Algorithm().FromBytes(raw) != given {
			return ociregistry.ErrDigestInvalid
		}
		algorithm, tag = given.Algorithm(), ""
	} else if !ociref.IsValidTag(tag) {
		return ociregistry.ErrManifestInvalid
	}
	d, subject, err := f.push(repo, tag, raw, r.Header.Get("Content-Type"), algorithm)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v2/"+repo+"/manifests/"+d.Digest.String())
	w.Header().Set("Docker-Content-Digest", d.Digest.String())
	if subject != "" {
		w.Header().Set("OCI-Subject", subject.String())
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// follows refuses bytes that do not belong at the end of an upload. Without a range
// they are taken as they come.
func follows(ctx context.Context, offset, size int64) error {
	if ctx.Value(rangeKey{}) == nil && offset <= 0 || offset < 0 || offset == size {
		return nil
	}
	return errors.Join(ociregistry.ErrRangeInvalid, fmt.Errorf("the upload has %d bytes, the next begins at %d", size, offset))
}
