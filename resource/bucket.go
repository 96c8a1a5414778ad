package resource

import (
	"context"
	"fmt"
	"time"
)

// Bucket is the kind of containers of objects.
var Bucket = define[BucketSpec, BucketStatus](Kind{
	Name:  "bucket",
	Title: "Bucket",
	Doc:   "A container of objects: data of any size by keys. On most clouds its name is one of all accounts together.",

	Patience: 2, // a bucket with many objects is emptied page by page
	Actions: []Action{
		changes(actionWith(Action{Name: "setversioning", Doc: "Begins or ends keeping what is overwritten and deleted. Versions that there are stay.", From: []State{StateAvailable}}, VersioningSetter.SetVersioning),
			func(s *BucketSpec, to BucketVersioning) { s.Versioning = to.Versioning }),
		changes(actionWith(Action{Name: "setpublic", Doc: "Lets everyone read its objects, or nobody without an account.", From: []State{StateAvailable}}, PublicSetter.SetPublic),
			func(s *BucketSpec, to BucketAccess) { s.Public = to.Public }),
		changes(actionWith(Action{Name: "setcors", Doc: "Replaces the rules for pages of other sites.", From: []State{StateAvailable}}, CORSSetter.SetCORS),
			func(s *BucketSpec, to BucketCORS) { s.CORS = to.CORS }),
		changes(actionWith(Action{Name: "setlifecycle", Doc: "Replaces the rules for what is deleted by itself.", From: []State{StateAvailable}}, LifecycleSetter.SetLifecycle),
			func(s *BucketSpec, to BucketLifecycle) { s.Lifecycle = to.Lifecycle }),
		action(Action{Name: "empty", Doc: "Deletes all that it holds for good, with all versions and unfinished uploads.", From: []State{StateAvailable}}, Emptier.Empty),
	},
	Views: []View{
		view(View{Name: "usage", Doc: "How much it holds, as far as the cloud counts it."}, UsageReader.Usage),
	},
	Data: objectCalls(),
})

// VersioningSetter is implemented by collections that keep versions.
type VersioningSetter interface {
	SetVersioning(ctx context.Context, id string, to BucketVersioning) error
}

// PublicSetter is implemented by collections whose objects everyone may read.
type PublicSetter interface {
	SetPublic(ctx context.Context, id string, to BucketAccess) error
}

// CORSSetter is implemented by collections with rules for pages of other sites.
type CORSSetter interface {
	SetCORS(ctx context.Context, id string, to BucketCORS) error
}

// LifecycleSetter is implemented by collections that delete by rules.
type LifecycleSetter interface {
	SetLifecycle(ctx context.Context, id string, to BucketLifecycle) error
}

// Emptier is implemented by collections that delete all that something holds. What takes
// many calls answers that it is pending.
type Emptier interface {
	Empty(ctx context.Context, id string) error
}

// UsageReader is implemented by collections that know how much something holds.
type UsageReader interface {
	Usage(ctx context.Context, id string) (BucketUsage, error)
}

// BucketSpec is what a bucket is asked to be.
type BucketSpec struct {
	Region     string          `json:"region,omitempty" doc:"Region that its data lies in. Default: the connection's." completed:"cloud" catalog:"region" maxLength:"64"`
	Versioning bool            `json:"versioning,omitempty" doc:"Whether what is overwritten or deleted is kept as an older version. Default: false."`
	Public     bool            `json:"public,omitempty" doc:"Whether everyone may read its objects. Default: false."`
	CORS       []CORSRule      `json:"cors,omitempty" doc:"Rules for pages of other sites. Default: none." maxItems:"100" nullable:"false"`
	Lifecycle  []LifecycleRule `json:"lifecycle,omitempty" doc:"Rules for what is deleted by itself. Default: none." maxItems:"100" nullable:"false"`
}

// BucketStatus is what the cloud reports of a bucket.
type BucketStatus struct {
	Endpoint string `json:"endpoint,omitempty" doc:"URL that its objects are below, in the cloud's own API."`
	Objects  *int64 `json:"objects,omitempty" doc:"How many objects it holds, where the cloud tells without being asked for each."`
	Bytes    *int64 `json:"bytes,omitempty" doc:"How many bytes these have."`
}

// CORSRule allows pages of other sites to use the objects.
type CORSRule struct {
	Origins       []string `json:"origins" doc:"Sites, such as https://www.example.com, or * for all." minItems:"1" maxItems:"100" maxLength:"255" nullable:"false"`
	Methods       []string `json:"methods" doc:"HTTP methods that they may use." enum:"GET,HEAD,PUT,POST,DELETE" minItems:"1" maxItems:"5" nullable:"false"`
	Headers       []string `json:"headers,omitempty" doc:"Headers that they may send, or * for all. Default: none beside the plain ones." maxItems:"100" maxLength:"255" nullable:"false"`
	ExposeHeaders []string `json:"exposeHeaders,omitempty" doc:"Headers of the answer that they may read. Default: none beside the plain ones." maxItems:"100" maxLength:"255" nullable:"false"`
	MaxAgeSeconds int      `json:"maxAgeSeconds,omitempty" doc:"For how long browsers may remember the rule. Default: the browser's choice." minimum:"0" maximum:"86400"`
}

// LifecycleRule deletes objects by themselves.
type LifecycleRule struct {
	Prefix            string `json:"prefix,omitempty" doc:"What keys begin with that it is for. Default: all." maxLength:"1024"`
	ExpireDays        int    `json:"expireDays,omitempty" doc:"After how many days an object is deleted. Default: never." minimum:"1" maximum:"36500"`
	ExpireOlderDays   int    `json:"expireOlderDays,omitempty" doc:"After how many days a version is deleted for good that is not the latest any more. Default: never." minimum:"1" maximum:"36500"`
	AbortUploadsAfter int    `json:"abortUploadsAfterDays,omitempty" doc:"After how many days an upload is given up that is not complete. Default: never." minimum:"1" maximum:"36500"`
}

// BucketVersioning is the parameter of setversioning.
type BucketVersioning struct {
	Versioning bool `json:"versioning" doc:"Whether what is overwritten or deleted is kept."`
}

// BucketAccess is the parameter of setpublic.
type BucketAccess struct {
	Public bool `json:"public" doc:"Whether everyone may read its objects."`
}

// BucketCORS is the parameter of setcors.
type BucketCORS struct {
	CORS []CORSRule `json:"cors" doc:"All rules; none ends them." maxItems:"100" nullable:"false"`
}

// BucketLifecycle is the parameter of setlifecycle.
type BucketLifecycle struct {
	Lifecycle []LifecycleRule `json:"lifecycle" doc:"All rules; none ends them." maxItems:"100" nullable:"false"`
}

// BucketUsage is what the view usage answers.
type BucketUsage struct {
	Objects int64     `json:"objects" doc:"How many objects it holds, older versions included."`
	Bytes   int64     `json:"bytes" doc:"How many bytes these have."`
	At      time.Time `json:"at" doc:"When that was counted. Some clouds count once a day."`
}

// Problems implements the rules beyond the schema.
func (s *BucketSpec) Problems(at string) []Problem { return lifecycleProblems(at, s.Lifecycle) }

// Problems implements the rules beyond the schema.
func (l *BucketLifecycle) Problems(at string) []Problem { return lifecycleProblems(at, l.Lifecycle) }

func lifecycleProblems(at string, rules []LifecycleRule) []Problem {
	var problems []Problem
	for i, r := range rules {
		if r.ExpireDays == 0 && r.ExpireOlderDays == 0 && r.AbortUploadsAfter == 0 {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d].expireDays", join(at, "lifecycle"), i), Message: "nothing is given that the rule does; say after how many days what is deleted", Rule: RuleRequired})
		}
	}
	return problems
}
