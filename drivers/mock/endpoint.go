package mock

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// endpoint is where the data of objects is read and written: an HTTP server in the driver's
// process, which only this machine reaches. It knows signatures and no credentials. Its
// address and key are kept, so that links outlive the process.
type endpoint struct {
	cloud *cloud
	file  string

	mu  sync.Mutex
	url string // "" until something is signed
	key []byte
}

// endpointRecord is what is kept of it.
type endpointRecord struct {
	Address string `json:"address"`
	Key     []byte `json:"key"`
}

// Names in the requests of this cloud.
const (
	signatureParam  = "mock-signature" // the last in the query of a link
	signatureHeader = "Mock-Signature" // of a request that is no link
	metadataPrefix  = "Mock-Meta-"
	versionHeader   = "Mock-Version"
)

// Reach implements driver.Reacher.
func (s *session) Reach() driver.Reach { return driver.Reach{Hosts: []string{"127.0.0.1:*"}} }

// open starts the server when it is first needed.
func (e *endpoint) open(log *slog.Logger) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.url != "" {
		return e.url, nil
	}
	var kept endpointRecord
	raw, err := os.ReadFile(e.file)
	if err != nil || json.Unmarshal(raw, &kept) != nil || len(kept.Key) == 0 { // the first time
		kept = endpointRecord{"127.0.0.1:0", []byte(rand.Text() + rand.Text())}
	}
	listen := func(at string) (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(context.Background(), "tcp", at)
	}
	listener, err := listen(kept.Address)
	if err != nil { // somebody else has it by now; links of before lead nowhere
		listener, err = listen("127.0.0.1:0")
	}
	if err != nil {
		return "", lostData(err)
	}
	kept.Address = listener.Addr().String()
	if raw, err = json.Marshal(kept); err == nil {
		err = os.MkdirAll(filepath.Dir(e.file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(e.file, raw, 0o600)
	}
	if err != nil {
		_ = listener.Close() // the first failure says more
		return "", lostData(err)
	}
	e.url, e.key = "http://"+kept.Address, kept.Key
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return e.url, nil
}

// Sign implements resource.ObjectSigner.
func (c buckets) Sign(ctx context.Context, id string, r resource.SignRequest) (resource.SignedRequest, error) {
	do := toWrite
	if r.Do == resource.SignGet {
		do = toRead
	}
	if _, _, err := c.bucket(ctx, do, id); err != nil {
		return resource.SignedRequest{}, err
	}
	base, err := c.s.cloud.endpoint.open(c.s.log)
	if err != nil {
		return resource.SignedRequest{}, err
	}
	signed := resource.SignedRequest{
		Method: http.MethodPut, Headers: driver.HTTPHeaders(r.Headers, metadataPrefix), ExpiresAt: c.s.cloud.now().Add(5 * time.Minute),
		VersionHeader: versionHeader, MetadataPrefix: metadataPrefix,
	}
	if r.Do == resource.SignGet {
		signed.Method = http.MethodGet
	}
	if r.Link {
		signed.ExpiresAt = driver.Expiry(r)
	}
	set := func(name, value string) {
		if value != "" {
			signed.Headers[name] = value
		}
	}
	moment := func(name string, at *time.Time) {
		if at != nil {
			set(name, at.UTC().Format(http.TimeFormat))
		}
	}
	set("Range", r.Range)
	set("If-Match", r.IfMatch)
	set("If-None-Match", r.IfNoneMatch)
	moment("If-Modified-Since", r.IfModifiedSince)
	moment("If-Unmodified-Since", r.IfUnmodifiedSince)
	set("Content-Md5", r.MD5)
	query := url.Values{"mock-account": {c.s.Account}, "mock-expires": {strconv.FormatInt(signed.ExpiresAt.UnixMilli(), 10)}}
	for name, value := range map[string]string{
		"version": r.Version, "upload": r.Upload, "filename": r.FileName, "mock-headers": strings.Join(slices.Sorted(maps.Keys(signed.Headers)), ","),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if r.Part > 0 {
		query.Set("part", strconv.Itoa(r.Part))
	}
	if r.Size != nil {
		query.Set("size", strconv.FormatInt(*r.Size, 10))
	}
	path := "/" + id + "/" + escaped(r.Key)
	signature := c.s.cloud.endpoint.signature(signed.Method, path, query.Encode(), func(name string) string { return signed.Headers[name] })
	signed.URL = base + path + "?" + query.Encode()
	if r.Link {
		signed.URL += "&" + signatureParam + "=" + signature
	} else {
		signed.Headers[signatureHeader] = signature
	}
	return signed, nil
}

// escaped is a key in a path, as S3 has it: all but letters, digits, -._~ and / is escaped,
// and .. and // are as they are.
func escaped(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// signature is that of a request with all that its query says.
func (e *endpoint) signature(method, path, query string, header func(name string) string) string {
	mac := hmac.New(sha256.New, e.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n", method, path, query)
	values, err := url.ParseQuery(query)
	if err == nil && values.Get("mock-headers") != "" {
		for name := range strings.SplitSeq(values.Get("mock-headers"), ",") {
			fmt.Fprintf(mac, "%s:%s\n", name, header(name))
		}
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := e.serve(w, r); err != nil {
		failure := resource.AsError(err)
		status := map[resource.Code]int{
			resource.CodeDenied: http.StatusForbidden, resource.CodeNotFound: http.StatusNotFound, resource.CodeConflict: http.StatusPreconditionFailed,
			resource.CodeUnavailable: http.StatusServiceUnavailable, resource.CodeUnsupported: http.StatusMethodNotAllowed,
		}[failure.Code]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(cmp.Or(status, http.StatusBadRequest))
		_ = json.NewEncoder(w).Encode(failure.Cloud) // whoever asked is gone if this fails
	}
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	id, rawKey, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	key, err := url.PathUnescape(rawKey)
	if err != nil {
		return refuse(resource.CodeInvalid, "InvalidURI", "the path is not escaped as it should be")
	}
	query, signature, link := strings.Cut(query, "&"+signatureParam+"=")
	if !link {
		signature = r.Header.Get(signatureHeader)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return refuse(resource.CodeInvalid, "InvalidURI", "the query is not escaped as it should be")
	}
	bucket := e.cloud.bucketNamed(values.Get("mock-account"), id)
	open := bucket != nil && bucket.Spec.(resource.BucketSpec).Public && r.Method == http.MethodGet && signature == ""
	wanted := e.signature(r.Method, path, query, r.Header.Get)
	expires, err := strconv.ParseInt(values.Get("mock-expires"), 10, 64)
	switch {
	case !open && !hmac.Equal([]byte(wanted), []byte(signature)):
		return refuse(resource.CodeDenied, "SignatureDoesNotMatch", "the request is not signed as it is sent")
	case !open && (err != nil || !e.cloud.now().Before(time.UnixMilli(expires))):
		return refuse(resource.CodeDenied, "AccessDenied", "the request has expired")
	case bucket == nil:
		return refuse(resource.CodeNotFound, "NoSuchBucket", "there is no bucket %.64q", id)
	}
	f, err := e.cloud.objects.of(bucket.ID)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPut {
		return e.put(w, r, f, bucket.Spec.(resource.BucketSpec), key, values)
	}
	return e.get(w, r, f, key, values)
}

// bucketNamed is a bucket of an account, "" for whichever has it; nil if there is none.
func (c *cloud) bucketNamed(account, id string) *object {
	c.catchUp()
	c.mu.RLock()
	defer c.mu.RUnlock()
	for key := range c.shelves {
		if key.Kind != resource.Bucket.Name || account != "" && key.Account != account {
			continue
		}
		if o := c.find(key, id, c.time()); o != nil {
			return o
		}
	}
	return nil
}

func (e *endpoint) get(w http.ResponseWriter, r *http.Request, f *objectFolder, key string, values url.Values) error {
	f.mu.Lock()
	o, found := versionNamed(f, key, values.Get("version"))
	var (
		file *os.File
		err  error
	)
	if found {
		file, err = os.Open(filepath.Join(f.path, o.name())) //nolint:gosec // a name of a hash
	}
	f.mu.Unlock()
	if !found {
		return noSuchKey(key)
	}
	if err != nil {
		return lostData(err)
	}
	defer file.Close()
	h := w.Header()
	h.Set("ETag", o.ETag)
	if version := o.shown(false).Version; version != "" {
		h.Set(versionHeader, version)
	}
	h.Set("Content-Type", "application/octet-stream") // unless the object says
	for name, value := range driver.HTTPHeaders(*o.Headers, metadataPrefix) {
		h.Set(name, value)
	}
	if name := values.Get("filename"); name != "" {
		h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
	}
	http.ServeContent(w, r, "", *o.ModifiedAt, file)
	return nil
}

func (e *endpoint) put(w http.ResponseWriter, r *http.Request, f *objectFolder, spec resource.BucketSpec, key string, values url.Values) error {
	if size := values.Get("size"); r.ContentLength < 0 || size != "" && size != strconv.FormatInt(r.ContentLength, 10) {
		return refuse(resource.CodeInvalid, "MissingContentLength", "the request has no length, or another one than it was signed for")
	}
	data, err := write(f, r.Body)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(data.file) }() // unless it has another name by then
	if sum := r.Header.Get("Content-Md5"); sum != "" && sum != base64.StdEncoding.EncodeToString(data.sum) {
		return refuse(resource.CodeInvalid, "BadDigest", "what came has another MD5 than the request says; send it again")
	}
	o := storedObject{Object: resource.Object{Key: key, Size: data.size, ETag: etag(data.sum)}}
	f.mu.Lock()
	defer f.mu.Unlock()
	if upload := values.Get("upload"); upload != "" {
		if _, begun := uploadOf(f, key, upload); !begun {
			return noSuchUpload(key)
		}
		if o.Part, err = strconv.Atoi(values.Get("part")); err != nil || o.Part > maxParts {
			return refuse(resource.CodeInvalid, "InvalidArgument", "parts have numbers from 1 to %d", maxParts)
		}
		o.Upload = upload
		if err := os.Rename(data.file, filepath.Join(f.path, o.name())); err != nil {
			return lostData(err)
		}
		w.Header().Set("ETag", o.ETag)
		return f.put(o.name(), o)
	}
	before, found := versionNamed(f, key, "")
	if match := r.Header.Get("If-Match"); match != "" && (!found || match != before.ETag) ||
		found && slices.Contains([]string{"*", before.ETag}, r.Header.Get("If-None-Match")) {
		return refuse(resource.CodeConflict, "PreconditionFailed", "the object is another one by now, or there is one already")
	}
	headers := driver.ObjectHeaders(r.Header, metadataPrefix)
	o.Headers = &headers
	if o, err = e.cloud.keep(f, o, data.file, spec.Versioning); err != nil {
		return err
	}
	w.Header().Set("ETag", o.ETag)
	if !o.Plain {
		w.Header().Set(versionHeader, o.Version)
	}
	return nil
}
