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
	size    int // of what is kept, in bytes
}

const (
	most     = 32 << 20 // bytes that are kept before all of them are let go of
	overhead = 512      // bytes, about, that an answer takes besides its forms
)

// Get answers what build makes of a version of the records, or has made of it before. The
// key says what is asked for, and by whom if not everybody is answered the same. The
// version must have been read before what build reads; of "" nothing is kept.
func (c *Cache) Get(version, key string, build func() (*Answer, error)) (*Answer, error) {
	if version == "" {
		return build()
	}
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
	size := len(key) + len(a.raw)*(1+len(codings())) + overhead // it may be asked for in all forms
	if c.version != version || size > most {
		return // it is old already, or too large
	}
	if c.kept == nil || c.size+size > most {
		c.kept, c.size = map[string]*Answer{}, 0
	}
	c.size += size
	c.kept[key] = a
}
