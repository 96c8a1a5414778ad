package spider

import "github.com/m-cmp/mc-infra-connector/driver"

// OnlyOthers refuses addresses of this machine.
func OnlyOthers(address string) error { return onlyOthers(address) }

// StatusOf is the status and the text of an error.
func StatusOf(err error) (int, string) { return statusOf(err) }

// CloudOf is what clients are told of a cloud.
func CloudOf(d *driver.Description) CloudInfo { return cloudInfo(d) }

// CloudBefore is what they are told where its driver is not installed.
func CloudBefore(cloud string) CloudInfo { return cloudInfo(spiderCloud(cloud)) }

// Acting answers the GET routes that do more than read, below Prefix.
func Acting() (paths []string) {
	for _, r := range (&server{kinds: kinds()}).routes() {
		if r.acts {
			paths = append(paths, r.path)
		}
	}
	return paths
}
