package sso

import (
	"context"
	"sync"
	"time"
)

// fetchPause is how long nothing is read again, whoever asks for what is not there.
const fetchPause = 5 * time.Second

// fetched is something that is read from the provider when it is needed, and read anew when it is
// old. While that fails, what there was stays.
type fetched[T any] struct {
	read  func(context.Context) (T, error)
	lasts time.Duration

	reading sync.Mutex // held while it is read

	mu    sync.Mutex
	value T
	at    time.Time // when it was read
	tried time.Time
	err   error // of the last try
}

func (f *fetched[T]) known() (value T, at, tried time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value, f.at, f.tried, f.err
}

// get answers it. If what is known is not enough it is read anew, but not all the time.
func (f *fetched[T]) get(ctx context.Context, enough func(T) bool) (T, error) {
	value, at, tried, _ := f.known()
	if !at.IsZero() && enough(value) {
		if time.Since(at) > f.lasts && time.Since(tried) > fetchPause && f.reading.TryLock() {
			go func() {
				defer f.reading.Unlock()
				f.again(ctx)
			}()
		}
		return value, nil
	}
	return f.anew(ctx)
}

// anew reads it, unless that was done a moment ago, and says whether that went well.
func (f *fetched[T]) anew(ctx context.Context) (T, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	value, _, tried, err := f.known()
	if time.Since(tried) > fetchPause {
		f.again(ctx)
		value, _, _, err = f.known()
	}
	return value, err
}

func (f *fetched[T]) again(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	value, err := f.read(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried, f.err = time.Now(), err
	if err == nil {
		f.value, f.at = value, f.tried
	}
}
