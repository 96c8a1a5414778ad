package aws

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With an image go the copies of disks that were made for it, and no snapshot that it was
// registered from.
func TestSnapshotsThatAnImageWasRegisteredFrom(t *testing.T) {
	const (
		own     = `<item><snapshotId>snap-own</snapshotId><tagSet><item><key>mcic-uid</key><value>image-1</value></item></tagSet></item>`
		plain   = `<item><snapshotId>snap-plain</snapshotId></item>`
		managed = `<item><snapshotId>snap-managed</snapshotId><tagSet><item><key>mcic-uid</key><value>snapshot-1</value></item></tagSet></item>`
		mapping = `<item><deviceName>/dev/sda1</deviceName><ebs><snapshotId>%s</snapshotId></ebs></item>`
	)
	for name, test := range map[string]struct {
		token string
		named []string
		shown string

		associated string
		deleted    []string
	}{
		"made by us":                       {"image-1", []string{"snap-own", "snap-plain"}, own + plain, "true", []string{"snap-own", "snap-plain"}},
		"made by us, with another's":       {"image-1", []string{"snap-own", "snap-managed"}, own + managed, "false", []string{"snap-own"}},
		"made by others":                   {"", []string{"snap-plain", "snap-managed"}, plain + managed, "false", nil},
		"made by us, where none is needed": {"image-1", nil, "", "false", nil},
	} {
		f, endpoint := fake(t, func(form url.Values) (int, string) {
			switch form.Get("Action") {
			case "DescribeImages":
				image := `<item><imageId>ami-1</imageId><imageState>available</imageState><blockDeviceMapping>`
				for _, id := range test.named {
					image += fmt.Sprintf(mapping, id)
				}
				image += `</blockDeviceMapping>`
				if test.token != "" {
					image += `<tagSet><item><key>mcic-uid</key><value>` + test.token + `</value></item></tagSet>`
				}
				return http.StatusOK, `<DescribeImagesResponse><imagesSet>` + image + `</item></imagesSet></DescribeImagesResponse>`
			case "DescribeSnapshots":
				return http.StatusOK, `<DescribeSnapshotsResponse><snapshotSet>` + test.shown + `</snapshotSet></DescribeSnapshotsResponse>`
			case "DeregisterImage", "DeleteSnapshot":
				return http.StatusOK, `<Response><return>true</return></Response>`
			}
			return http.StatusBadRequest, errorXML("InvalidAction", form.Get("Action"))
		})
		require.NoError(t, open(t, config(endpoint, seoul)).Delete(t.Context(), "customimage", "ami-1"), name)
		calls := f.calls("DeregisterImage")
		require.Len(t, calls, 1, name)
		assert.Equal(t, test.associated, calls[0].Get("DeleteAssociatedSnapshots"), name)
		var deleted []string
		for _, call := range f.calls("DeleteSnapshot") {
			deleted = append(deleted, call.Get("SnapshotId"))
		}
		assert.Equal(t, test.deleted, deleted, name)
	}
}
