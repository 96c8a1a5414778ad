package spider

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
)

// route is one of CB-Spider's routes.
type route struct {
	method, path string // below Prefix
	handle       func(*request) (any, error)
	missing      string // why it is answered by 501; then handle is nil
	refused      string // why every request is answered by 400; then handle is nil
	public       bool   // open to everybody
	acts         bool   // it does more than read, though it is a GET
	needs        right  // to be let in, where it is not
}

// Route is one of CB-Spider's routes, for documents.
type Route struct {
	Method, Path, Missing, Refused string
	Public                         bool
}

// Routes answers all that are there, by path, with what is missing where that is, or why
// it is not done.
func Routes() []Route {
	var all []Route
	for _, r := range (&server{kinds: kinds()}).routes() {
		all = append(all, Route{r.method, Prefix + r.path, r.missing, r.refused, r.public})
	}
	slices.SortFunc(all, func(a, b Route) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	return all
}

// routes are all of them. A route of one kind stands before the generic ones that it
// takes the place of.
func (s *server) routes() []route {
	all := slices.Concat(
		s.statusRoutes(), s.registrationRoutes(), s.catalogRoutes(), s.subnetRoutes(), s.securityGroupRoutes(), s.vmRoutes(),
		s.nicRoutes(), s.nlbRoutes(), s.clusterRoutes(), s.portRoutes(), s.favoriteRoutes(), s.recentRoutes(), s.otherRoutes(), s.sshRoutes(), missingRoutes(),
	)
	for _, k := range s.kinds {
		all = append(all, k.routes(s)...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(r route) bool {
		key := r.method + " " + r.path
		double := seen[key]
		seen[key] = true
		return double
	})
}

// statusRoutes are those that tell of the server itself.
func (s *server) statusRoutes() []route {
	ready := func(r *request) (any, error) {
		if _, err := s.Ready(r.Context()); err != nil {
			return nil, err
		}
		return map[string]string{"message": "CB-Spider is ready"}, nil
	}
	version := func(*request) (any, error) {
		return map[string]string{"Version": "CB-Spider v0.13.0 (mc-infra-connector " + s.Version + ")"}, nil
	}
	redirect := func(to string) func(*request) (any, error) {
		return func(*request) (any, error) {
			return answer{status: http.StatusFound, header: map[string]string{"Location": to}}, nil
		}
	}
	var all []route
	for _, path := range []string{"/healthcheck", "/health", "/ping", "/readyz"} {
		all = append(all, route{method: http.MethodGet, path: path, handle: ready, public: true})
	}
	for _, path := range []string{"/version", "/ver"} {
		all = append(all, route{method: http.MethodGet, path: path, handle: version, public: true})
	}
	return append(all,
		route{method: http.MethodGet, path: "/endpointinfo", public: true, handle: func(r *request) (any, error) {
			scheme := "http://"
			if auth.OverTLS(r.Request) {
				scheme = "https://"
			}
			return "\n  <CB-Spider> Multi-Cloud Infrastructure Federation Framework\n     - REST API: " + scheme + r.Host + Prefix + "\n", nil
		}},
		route{method: http.MethodGet, path: "/adminweb", handle: redirect("/"), public: true},
		route{method: http.MethodGet, path: "/adminweb/*", handle: redirect("/"), public: true},
		route{method: http.MethodGet, path: "/api", handle: redirect("/docs/"), public: true},
		route{method: http.MethodGet, path: "/api/*", handle: redirect("/docs/"), public: true},
	)
}

// missingRoutes are those for which something is missing elsewhere.
func missingRoutes() []route {
	var all []route
	add := func(why string, paths ...string) {
		for i := 0; i+1 < len(paths); i += 2 {
			all = append(all, route{method: paths[i], path: paths[i+1], missing: why})
		}
	}
	const get, post, put, del, head = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead
	add("file systems are not among the kinds of this server yet",
		post, "/filesystem", get, "/filesystem", get, "/filesystem/{Name}", del, "/filesystem/{Name}",
		post, "/filesystem/{Name}/accesssubnet", get, "/filesystem/{Name}/accesssubnet", del, "/filesystem/{Name}/accesssubnet")
	add("databases are not among the kinds of this server yet",
		get, "/getrdbmsowner", post, "/getrdbmsowner", post, "/regrdbms", del, "/regrdbms/{Name}", post, "/rdbms", get, "/rdbms", get, "/rdbms/{Name}",
		del, "/rdbms/{Name}", post, "/rdbms/{Name}/databases", get, "/rdbms/{Name}/databases", del, "/rdbms/{Name}/databases/{DBName}", get, "/rdbmsmetainfo",
		get, "/rdbmsengine", get, "/dbspec", get, "/dbspec/{Name}", get, "/dborgspec", get, "/dborgspec/{Name}", get, "/allrdbms", get, "/allrdbmsinfo",
		del, "/csprdbms/{Id}", get, "/countrdbms", get, "/countrdbms/{ConnectionName}")
	add("object storage is not offered by this API yet: buckets are there as a kind of /v1",
		get, "/s3", get, "/s3/presigned/download/{BucketName}/*", get, "/s3/presigned/upload/{BucketName}/*", get, "/s3/{BucketName}/usage",
		post, "/s3/{BucketName}/*", put, "/s3/{BucketName}/*", head, "/s3/{BucketName}/*", get, "/s3/{BucketName}/*", del, "/s3/{BucketName}/*",
		post, "/s3/{BucketName}", get, "/s3/{BucketName}", head, "/s3/{BucketName}", put, "/s3/{BucketName}", del, "/s3/{BucketName}",
		get, "/counts3", get, "/counts3/{ConnectionName}", post, "/regs3", del, "/regs3/{Name}", get, "/alls3", get, "/alls3info", del, "/csps3/{Id}")
	add("metrics of resources are not offered by this server yet",
		get, "/monitoring/vm/{VMName}/{MetricType}", get, "/monitoring/clusternode/{ClusterName}/{NodeGroupName}/{NodeNumber}/{MetricType}")
	return all
}
