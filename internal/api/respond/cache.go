package respond

import (
	"sync"

	"golang.org/x/sync/singleflight"
)

// Cache has the answers that are made from one version of the records. The zero value is
// empty.
type Cache struct {
	flights singleflight.Group

	mu      sync.Mutex
	version string
	answers map[string]*Answer
	size    int // of all of them, in bytes
}

const (
	most     = 32 << 20 // bytes that are cached before all of them are let go of
	overhead = 512      // bytes, about, that an answer takes besides its forms
)

// Get answers what build makes of a version of the records, or has made of it before. The
// key says what is asked for, and by whom if not everybody is answered the same. The
// version must have been read before what build reads; of "" nothing is cached.
func (c *Cache) Get(version, key string, build func() (*Answer, error)) (*Answer, error) {
	if version == "" {
		return build()
	}
	if cached := c.get(version, key); cached != nil {
		return cached, nil
	}
	made, err, _ := c.flights.Do(version+"/"+key, func() (any, error) {
		a, err := build()
		if err == nil {
			c.add(version, key, a)
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
		c.version, c.answers = version, nil
	}
	return c.answers[key]
}

func (c *Cache) add(version, key string, a *Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(key) + len(a.raw)*forms + overhead
	if c.version != version || size > most {
		return // it is old already, or too large
	}
	if c.answers == nil || c.size+size > most {
		c.answers, c.size = map[string]*Answer{}, 0
	}
	c.size += size
	c.answers[key] = a
}
