package respond

import (
	"sync"

	"golang.org/x/sync/singleflight"
)

// Cache keeps the answers that are made from one version of the records. The zero value
// is empty.
type Cache struct {
	flights singleflight.Group

	mu      sync.Mutex
	version string
	kept    map[string]*Answer
	size    int // of what is kept, in bytes before they are compressed
}

// most is how many bytes are kept before all of them are let go of.
const most = 16 << 20

// Get answers what build makes of a version of the records, or has made of it before. The
// key says what is asked for, and by whom if not everybody is answered the same. The
// version must have been read before what build reads.
func (c *Cache) Get(version, key string, build func() (*Answer, error)) (*Answer, error) {
	if kept := c.get(version, key); kept != nil {
		return kept, nil
	}
	made, err, _ := c.flights.Do(version+"/"+key, func() (any, error) {
		a, err := build()
		if err == nil {
			c.keep(version, key, a)
		}
		return a, err
	})
	if err != nil {
		return nil, err
	}
	return made.(*Answer), nil //nolint:forcetypeassert // made above
}

func (c *Cache) get(version, key string) *Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		c.version, c.kept = version, nil
	}
	return c.kept[key]
}

func (c *Cache) keep(version, key string, a *Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		return // it is old already
	}
	if c.kept == nil || c.size+len(a.raw) > most {
		c.kept, c.size = map[string]*Answer{}, 0
	}
	c.size += len(a.raw)
	c.kept[key] = a
}
