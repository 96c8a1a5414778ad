package resource

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What can be done by a request that a driver signs.
const (
	SignGet     = "get"     // read an object, or a range of it
	SignPut     = "put"     // write an object
	SignPutPart = "putpart" // write a part of an upload
)

// ObjectSigner is implemented by collections whose objects hold data that is read and written
// by HTTP requests of the cloud's own. Sign answers one and does not send it.
type ObjectSigner interface {
	Sign(ctx context.Context, id string, r SignRequest) (SignedRequest, error)
}

// ObjectLister is implemented by collections that list what a bucket holds.
type ObjectLister interface {
	ListObjects(ctx context.Context, id string, q ObjectQuery) (ObjectPage, error)
}

// ObjectFinder is implemented by collections that say what one object is like without
// reading it.
type ObjectFinder interface {
	LookUpObject(ctx context.Context, id string, o ObjectName) (Object, error)
}

// ObjectCopier is implemented by collections that copy objects within the cloud.
type ObjectCopier interface {
	CopyObject(ctx context.Context, id string, c ObjectCopy) (CopiedObject, error)
}

// ObjectDeleter is implemented by collections that delete objects. One that is not there is
// no error.
type ObjectDeleter interface {
	DeleteObjects(ctx context.Context, id string, names ObjectNames) (DeletedObjects, error)
}

// Uploader is implemented by collections that take an object in parts. What is begun shows
// as an object when it is completed, and not before; aborting what is not there is no error.
type Uploader interface {
	BeginUpload(ctx context.Context, id string, u NewUpload) (BegunUpload, error)
	CompleteUpload(ctx context.Context, id string, u CompletedUpload) (Object, error)
	AbortUpload(ctx context.Context, id string, u UploadName) (AbortedUpload, error)
	ListUploads(ctx context.Context, id string, q UploadQuery) (UploadPage, error)
	ListParts(ctx context.Context, id string, q PartQuery) (PartPage, error)
}

// objectCalls are the data calls of kinds that hold objects.
func objectCalls() []DataCall {
	return []DataCall{
		signingCall(DataCall{Name: "sign", Method: "POST", Path: "object:sign", Doc: "Makes a link by which one object can be read or written until a time, without an account."}, ObjectSigner.Sign),
		dataCall(DataCall{Name: "listobjects", Method: "GET", Path: "objects", Doc: "Lists objects by the beginning of their keys."}, ObjectLister.ListObjects),
		dataCall(DataCall{Name: "lookupobject", Method: "GET", Path: "object:info", Doc: "Tells what an object is like, without reading it."}, ObjectFinder.LookUpObject),
		dataCall(DataCall{Name: "copyobject", Method: "POST", Path: "object:copy", Doc: "Copies an object within the cloud. An answer with continue is not the last one: call again with it."}, ObjectCopier.CopyObject),
		dataCall(DataCall{
			Name: "deleteobjects", Method: "POST", Path: "objects:delete", Doc: "Deletes objects; one that is not there is passed over.",
			Single: single(Single{Name: "deleteobject", Method: "DELETE", Path: "object", Doc: "Deletes an object; one that is not there is passed over."},
				func(one ObjectName) ObjectNames { return ObjectNames{Objects: []ObjectName{one}} }),
		}, ObjectDeleter.DeleteObjects),
		dataCall(DataCall{Name: "beginupload", Method: "POST", Path: "uploads", Doc: "Begins an object that is written in parts."}, Uploader.BeginUpload),
		dataCall(DataCall{Name: "listuploads", Method: "GET", Path: "uploads", Doc: "Lists uploads that are neither completed nor aborted. Clouds charge for their parts."}, Uploader.ListUploads),
		dataCall(DataCall{Name: "listparts", Method: "GET", Path: "upload:parts", Doc: "Lists the parts that an upload has."}, Uploader.ListParts),
		dataCall(DataCall{Name: "completeupload", Method: "POST", Path: "upload:complete", Doc: "Makes the object of its parts."}, Uploader.CompleteUpload),
		dataCall(DataCall{Name: "abortupload", Method: "POST", Path: "upload:abort", Doc: "Gives an upload up, with its parts."}, Uploader.AbortUpload),
	}
}

// ObjectHeaders are what is kept with an object beside its data. Empty ones are not sent.
type ObjectHeaders struct {
	ContentType        string            `json:"contentType,omitempty" doc:"Its media type, such as text/plain." maxLength:"255"`
	ContentEncoding    string            `json:"contentEncoding,omitempty" doc:"How it is encoded, such as gzip." maxLength:"255"`
	ContentLanguage    string            `json:"contentLanguage,omitempty" doc:"Its language, such as ko." maxLength:"255"`
	ContentDisposition string            `json:"contentDisposition,omitempty" doc:"How browsers show it, such as inline." maxLength:"1024"`
	CacheControl       string            `json:"cacheControl,omitempty" doc:"How long it may be cached, such as max-age=3600." maxLength:"255"`
	Metadata           map[string]string `json:"metadata,omitempty" doc:"Texts of the user's own by name: lower-case letters, digits and hyphens; 2 KiB in all." maxProperties:"64"`
}

// SignRequest says what a request is to do that a driver signs.
type SignRequest struct {
	Do      string        `json:"do" doc:"What it does: get an object, put one, or putpart, a part of an upload." enum:"get,put,putpart"`
	Key     string        `json:"key" doc:"Key of the object: 1 to 1,024 bytes of UTF-8." minLength:"1" maxLength:"1024"`
	Version string        `json:"version,omitempty" doc:"Version to get. Default: the latest." maxLength:"1024"`
	Upload  string        `json:"upload,omitempty" doc:"With putpart: the upload." maxLength:"4096"`
	Part    int           `json:"part,omitempty" doc:"With putpart: the number of the part. They are put together in the order of their numbers." minimum:"1" maximum:"100000"`
	Size    *int64        `json:"size,omitempty" doc:"With put and putpart: how many bytes are sent. Only a link can do without." minimum:"0"`
	MD5     string        `json:"md5,omitempty" doc:"With put and putpart: the MD5 of what is sent, in base64, for the cloud to check. Default: it is not checked." maxLength:"24"`
	Headers ObjectHeaders `json:"headers,omitzero" doc:"With put: what is kept beside the data."`

	Range             string     `json:"range,omitempty" doc:"With get: the bytes that are wanted, as in the HTTP header Range with one range: bytes=0-99, bytes=100- or bytes=-100. Default: all." maxLength:"64"`
	IfMatch           string     `json:"ifMatch,omitempty" doc:"Only if the object has this ETag." maxLength:"255"`
	IfNoneMatch       string     `json:"ifNoneMatch,omitempty" doc:"Only if the object has another ETag; with put, * is: only if there is none yet." maxLength:"255"`
	IfModifiedSince   *time.Time `json:"ifModifiedSince,omitempty" doc:"With get: only if it has changed since."`
	IfUnmodifiedSince *time.Time `json:"ifUnmodifiedSince,omitempty" doc:"With get: only if it has not changed since."`

	Link           bool   `json:"link,omitempty" doc:"Whether the request is for somebody else, who must learn nothing from it that does more: it is then signed in its URL, and whoever sends it may add a range. Always so for users of the API."`
	ExpiresSeconds int    `json:"expiresSeconds,omitempty" doc:"For how many seconds a link is good. Default: 900." minimum:"1" maximum:"604800"`
	FileName       string `json:"fileName,omitempty" doc:"With a link to get: the name that browsers save it by. Default: what the object says." maxLength:"255"`
}

// SignedRequest is an HTTP request of the cloud's own, to be sent just as it is.
type SignedRequest struct {
	Method    string            `json:"method" doc:"HTTP method."`
	URL       string            `json:"url" doc:"Where it goes. Not a byte of it may be changed, as by tidying .. or // away."`
	Headers   map[string]string `json:"headers,omitempty" doc:"Headers to send as they are, beside those that HTTP itself needs."`
	ExpiresAt time.Time         `json:"expiresAt" doc:"Until when it is good."`

	VersionHeader  string `json:"versionHeader,omitempty" doc:"Header of the answer with the object's version. Absent where there are none."`
	MetadataPrefix string `json:"metadataPrefix,omitempty" doc:"What headers of the answer begin with that hold the object's metadata."`
}

// ObjectName names an object in a bucket.
type ObjectName struct {
	Key     string `json:"key" doc:"Key of the object: 1 to 1,024 bytes of UTF-8." minLength:"1" maxLength:"1024"`
	Version string `json:"version,omitempty" doc:"A version of it. Default: the latest." maxLength:"1024"`
}

// Object is an object in a bucket.
type Object struct {
	Key          string         `json:"key" doc:"Its key."`
	Size         int64          `json:"size" doc:"Bytes of its data."`
	ETag         string         `json:"etag,omitempty" doc:"Names its content: another content has another one."`
	ModifiedAt   *time.Time     `json:"modifiedAt,omitempty" doc:"When it was written."`
	StorageClass string         `json:"storageClass,omitempty" doc:"The cloud's name of how it is stored."`
	Version      string         `json:"version,omitempty" doc:"Its version, where the bucket keeps versions."`
	Older        bool           `json:"older,omitempty" doc:"Whether there is a later version."`
	Deleted      bool           `json:"deleted,omitempty" doc:"Whether this version says that the object was deleted."`
	Headers      *ObjectHeaders `json:"headers,omitempty" doc:"What is kept beside the data. Absent in lists."`
}

// ObjectQuery says what is listed.
type ObjectQuery struct {
	Prefix    string `json:"prefix,omitempty" doc:"What keys begin with. Default: all." maxLength:"1024"`
	Delimiter string `json:"delimiter,omitempty" doc:"Answers keys that have this text after the prefix once, as far as that, such as / for folders. Default: all keys." maxLength:"16"`
	Versions  bool   `json:"versions,omitempty" doc:"Whether older versions are listed too, the latest of a key first."`
	PageSize  int    `json:"pageSize,omitempty" doc:"How many at most. Default: 1000." minimum:"1" maximum:"1000"`
	PageToken string `json:"pageToken,omitempty" doc:"nextPageToken of the page before." maxLength:"4096"`
}

// ObjectPage is a page of objects, in the order of their keys as bytes.
type ObjectPage struct {
	Objects       []Object `json:"objects" doc:"The objects." nullable:"false"`
	Prefixes      []string `json:"prefixes,omitempty" doc:"With a delimiter: what keys begin with that have it." nullable:"false"`
	NextPageToken string   `json:"nextPageToken,omitempty" doc:"Token of the next page; absent on the last."`
}

// ObjectNames names several objects.
type ObjectNames struct {
	Objects []ObjectName `json:"objects" doc:"The objects." minItems:"1" maxItems:"1000" nullable:"false"`
}

// DeletedObjects is what became of objects that were to be deleted, in their order.
type DeletedObjects struct {
	Objects []DeletedObject `json:"objects" doc:"What became of each, in the order in which they were named." nullable:"false"`
}

// DeletedObject is what became of one. Without an error it is gone, or was not there.
type DeletedObject struct {
	Key     string `json:"key" doc:"Its key."`
	Version string `json:"version,omitempty" doc:"The version that is gone, or the one that says that the object is."`
	Error   *Error `json:"error,omitempty" doc:"Why it is still there."`
}

// ObjectCopy says what is copied to where.
type ObjectCopy struct {
	Key        string         `json:"key" doc:"Key of the object that is copied." minLength:"1" maxLength:"1024"`
	Version    string         `json:"version,omitempty" doc:"Version of it. Default: the latest." maxLength:"1024"`
	FromBucket string         `json:"fromBucket,omitempty" doc:"Name of the bucket that it is in. Default: the one that is copied to." ref:"bucket" maxLength:"512"`
	ToKey      string         `json:"toKey" doc:"Key of the copy. It may be the same, to change the headers." minLength:"1" maxLength:"1024"`
	Headers    *ObjectHeaders `json:"headers,omitempty" doc:"What is kept beside the data of the copy. Default: as of the object that is copied."`
	Continue   string         `json:"continue,omitempty" doc:"Of the answer before, which was not the last." maxLength:"4096"`
}

// CopiedObject is the copy, or how to go on with it.
type CopiedObject struct {
	Object   *Object `json:"object,omitempty" doc:"The copy. Absent while it is not complete."`
	Continue string  `json:"continue,omitempty" doc:"To be given in the next call, which goes on."`
}

// NewUpload asks for an upload.
type NewUpload struct {
	Key     string        `json:"key" doc:"Key of the object." minLength:"1" maxLength:"1024"`
	Headers ObjectHeaders `json:"headers,omitzero" doc:"What is kept beside the data."`
}

// BegunUpload is an upload, and what its parts must be like.
type BegunUpload struct {
	Upload       string `json:"upload" doc:"Names the upload, together with the key."`
	MinPartBytes int64  `json:"minPartBytes,omitempty" doc:"The least size of each part but the last one."`
	MaxPartBytes int64  `json:"maxPartBytes,omitempty" doc:"The most of a part. Absent if there is no such limit."`
	MaxParts     int    `json:"maxParts" doc:"How many parts it can have."`
}

// UploadName names an upload.
type UploadName struct {
	Key    string `json:"key" doc:"Key of the object." minLength:"1" maxLength:"1024"`
	Upload string `json:"upload" doc:"The upload." minLength:"1" maxLength:"4096"`
}

// CompletedUpload says which parts make an object.
type CompletedUpload struct {
	Key     string        `json:"key" doc:"Key of the object." minLength:"1" maxLength:"1024"`
	Upload  string        `json:"upload" doc:"The upload." minLength:"1" maxLength:"4096"`
	Parts   []UploadPart  `json:"parts" doc:"The parts, in the order of their numbers." minItems:"1" maxItems:"100000" nullable:"false"`
	Headers ObjectHeaders `json:"headers,omitzero" doc:"What is kept beside the data, the same as when it was begun: some clouds are told only now."`
}

// UploadPart is a part of an upload.
type UploadPart struct {
	Part int    `json:"part" doc:"Its number." minimum:"1" maximum:"100000"`
	ETag string `json:"etag,omitempty" doc:"The ETag of the answer when it was written, where that had one." maxLength:"255"`
	Size int64  `json:"size" doc:"Bytes of its data." minimum:"0"`
}

// AbortedUpload is the answer to abortupload.
type AbortedUpload struct{}

// UploadQuery says which uploads are listed.
type UploadQuery struct {
	Prefix    string `json:"prefix,omitempty" doc:"What keys begin with. Default: all." maxLength:"1024"`
	PageSize  int    `json:"pageSize,omitempty" doc:"How many at most. Default: 1000." minimum:"1" maximum:"1000"`
	PageToken string `json:"pageToken,omitempty" doc:"nextPageToken of the page before." maxLength:"4096"`
}

// UploadPage is a page of uploads.
type UploadPage struct {
	Uploads       []Upload `json:"uploads" doc:"The uploads." nullable:"false"`
	NextPageToken string   `json:"nextPageToken,omitempty" doc:"Token of the next page; absent on the last."`
}

// Upload is one that is neither completed nor aborted.
type Upload struct {
	Key     string     `json:"key" doc:"Key of the object."`
	Upload  string     `json:"upload" doc:"Names the upload, together with the key."`
	BegunAt *time.Time `json:"begunAt,omitempty" doc:"When it was begun, where the cloud tells."`
}

// PartQuery says of which upload the parts are listed.
type PartQuery struct {
	Key       string `json:"key" doc:"Key of the object." minLength:"1" maxLength:"1024"`
	Upload    string `json:"upload" doc:"The upload." minLength:"1" maxLength:"4096"`
	PageSize  int    `json:"pageSize,omitempty" doc:"How many at most. Default: 1000." minimum:"1" maximum:"1000"`
	PageToken string `json:"pageToken,omitempty" doc:"nextPageToken of the page before." maxLength:"4096"`
}

// PartPage is a page of parts, in the order of their numbers.
type PartPage struct {
	Parts         []UploadPart `json:"parts" doc:"The parts." nullable:"false"`
	NextPageToken string       `json:"nextPageToken,omitempty" doc:"Token of the next page; absent on the last."`
}

// Len is how many they are.
func (n ObjectNames) Len() int { return len(n.Objects) }

// Len implements Batch.
func (d DeletedObjects) Len() int { return len(d.Objects) }

// Failures implements Batch.
func (d DeletedObjects) Failures() []*Error {
	return failures(d.Objects, func(o DeletedObject) *Error { return o.Error })
}

// maxKey is the most bytes that a key can have on most clouds.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const maxKey = 1024

func keyProblems(at, key string) []Problem {
	if !utf8.ValidString(key) || len(key) > maxKey {
		return []Problem{{Field: at, Message: fmt.Sprintf("has %d bytes; a key is UTF-8 text of at most %d bytes", len(key), maxKey), Rule: RuleMaxLength, Limit: fmt.Sprint(maxKey)}}
	}
	return nil
}

// Problems implements the rules beyond the schema.
func (o *ObjectName) Problems(at string) []Problem { return keyProblems(join(at, "key"), o.Key) }

// Problems implements the rules beyond the schema.
func (n *ObjectNames) Problems(at string) []Problem {
	var problems []Problem
	for i := range n.Objects {
		problems = append(problems, n.Objects[i].Problems(fmt.Sprintf("%s[%d]", join(at, "objects"), i))...)
	}
	return problems
}

// Problems implements the rules beyond the schema.
func (c *ObjectCopy) Problems(at string) []Problem {
	problems := append(keyProblems(join(at, "key"), c.Key), keyProblems(join(at, "toKey"), c.ToKey)...)
	if c.Headers != nil {
		problems = append(problems, c.Headers.Problems(join(at, "headers"))...)
	}
	return problems
}

// Problems implements the rules beyond the schema.
func (u *NewUpload) Problems(at string) []Problem {
	return append(keyProblems(join(at, "key"), u.Key), u.Headers.Problems(join(at, "headers"))...)
}

// Problems implements the rules beyond the schema.
func (u *CompletedUpload) Problems(at string) []Problem {
	problems := append(keyProblems(join(at, "key"), u.Key), u.Headers.Problems(join(at, "headers"))...)
	if !slices.IsSortedFunc(u.Parts, func(a, b UploadPart) int { return a.Part - b.Part }) {
		problems = append(problems, Problem{Field: join(at, "parts"), Message: "are not in the order of their numbers; sort them"})
	}
	numbers := make([]string, len(u.Parts))
	for i, p := range u.Parts {
		numbers[i] = fmt.Sprint(p.Part)
	}
	return append(problems, doubleNames(join(at, "parts"), numbers)...)
}

var (
	metadataName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,126}[a-z0-9])?$`)
	headerValue  = regexp.MustCompile(`^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$`) // HTTP takes spaces at its ends away
	byteRange    = regexp.MustCompile(`^bytes=(\d{1,19}-\d{0,19}|-\d{1,19})$`)
)

const notHeader = "has characters other than ASCII ones, or a space at an end; a header cannot"

// maxMetadata is what AWS takes, the strictest of the clouds.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxMetadata = 2048

// Problems implements the rules beyond the schema. What is here travels in HTTP headers.
func (h *ObjectHeaders) Problems(at string) []Problem {
	var problems []Problem
	for name, value := range map[string]string{
		"contentType": h.ContentType, "contentEncoding": h.ContentEncoding, "contentLanguage": h.ContentLanguage,
		"contentDisposition": h.ContentDisposition, "cacheControl": h.CacheControl,
	} {
		if !headerValue.MatchString(value) {
			problems = append(problems, Problem{Field: join(at, name), Message: notHeader, Rule: RuleCharacters})
		}
	}
	size := 0
	for name, value := range h.Metadata {
		size += len(name) + len(value)
		if !metadataName.MatchString(name) || !headerValue.MatchString(value) {
			problems = append(problems, Problem{Field: join(at, "metadata"), Message: fmt.Sprintf("%q is not a name of lower-case letters, digits and hyphens with a value of ASCII characters that neither begins nor ends with a space; encode others, such as in base64", printable(name)), Rule: RuleCharacters})
		}
	}
	if size > maxMetadata {
		problems = append(problems, Problem{Field: join(at, "metadata"), Message: fmt.Sprintf("has %d bytes, more than %d", size, maxMetadata), Rule: RuleMaxLength, Limit: fmt.Sprint(maxMetadata)})
	}
	return problems
}

// linkSeconds is for how long a link is good if nobody says otherwise.
const linkSeconds = 900

// Problems implements the rules beyond the schema, and fills the defaults.
func (r *SignRequest) Problems(at string) []Problem {
	problems := append(keyProblems(join(at, "key"), r.Key), r.Headers.Problems(join(at, "headers"))...)
	only := func(field string, given, fits bool, with string) {
		if given && !fits {
			problems = append(problems, Problem{Field: join(at, field), Message: "is only for " + with + "; leave it out"})
		}
	}
	need := func(field string, given, wanted bool, with string) {
		if wanted && !given {
			problems = append(problems, Problem{Field: join(at, field), Message: "is required for " + with, Rule: RuleRequired})
		}
	}
	get, part := r.Do == SignGet, r.Do == SignPutPart
	only("version", r.Version != "", get, SignGet)
	only("range", r.Range != "", get, SignGet)
	only("ifModifiedSince", r.IfModifiedSince != nil, get, SignGet)
	only("ifUnmodifiedSince", r.IfUnmodifiedSince != nil, get, SignGet)
	only("upload", r.Upload != "", part, SignPutPart)
	only("part", r.Part != 0, part, SignPutPart)
	only("size", r.Size != nil, !get, SignPut+" and "+SignPutPart)
	only("md5", r.MD5 != "", !get, SignPut+" and "+SignPutPart)
	only("fileName", r.FileName != "", get && r.Link, "a link to get")
	only("expiresSeconds", r.ExpiresSeconds != 0, r.Link, "a link")
	need("upload", r.Upload != "", part, SignPutPart)
	need("part", r.Part != 0, part, SignPutPart)
	need("size", r.Size != nil, !get && !r.Link, r.Do)
	if r.Range != "" && !byteRange.MatchString(r.Range) {
		problems = append(problems, Problem{Field: join(at, "range"), Message: "is not one range of bytes, such as bytes=0-99", Rule: RuleFormat, Limit: "bytes=0-99"})
	}
	if sum, err := base64.StdEncoding.DecodeString(r.MD5); r.MD5 != "" && (err != nil || len(sum) != 16) {
		problems = append(problems, Problem{Field: join(at, "md5"), Message: "is not the base64 of 16 bytes", Rule: RuleFormat, Limit: "1B2M2Y8AsgTpgAmY7PhCfg=="})
	}
	for field, value := range map[string]string{"ifMatch": r.IfMatch, "ifNoneMatch": r.IfNoneMatch} {
		if !headerValue.MatchString(value) {
			problems = append(problems, Problem{Field: join(at, field), Message: notHeader, Rule: RuleCharacters})
		}
	}
	if strings.ContainsFunc(r.FileName, unicode.IsControl) { // it becomes part of a header, too
		problems = append(problems, Problem{Field: join(at, "fileName"), Message: "contains a control character; remove it", Rule: RuleCharacters})
	}
	if r.Link && r.ExpiresSeconds == 0 {
		r.ExpiresSeconds = linkSeconds
	}
	return problems
}

// ParseSign checks a request to sign as a driver is given it, and fills the defaults.
func ParseSign(r SignRequest) (SignRequest, error) {
	if err := Invalid(keyProblems("key", r.Key)...); err != nil { // before JSON makes another key of one that is not UTF-8
		return r, err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return r, Errorf(CodeInternal, "encode a request to sign: %w", err)
	}
	var checked SignRequest
	if err := Decode(raw, &checked); err != nil {
		return r, err
	}
	return checked, Invalid(checked.Problems("")...)
}

// About names what it is about, for the audit trail.
func (r *SignRequest) About() []string { return []string{r.Do + " " + r.Key} }

// About names what it is about.
func (n *ObjectNames) About() []string {
	keys := make([]string, len(n.Objects))
	for i, o := range n.Objects {
		keys[i] = o.Key
	}
	return keys
}

// About names what it is about.
func (c *ObjectCopy) About() []string { return []string{c.Key + " to " + c.ToKey} }

// About names what it is about.
func (u *NewUpload) About() []string { return []string{u.Key} }

// About names what it is about.
func (u *UploadName) About() []string { return []string{u.Key} }

// About names what it is about.
func (u *CompletedUpload) About() []string { return []string{u.Key} }
