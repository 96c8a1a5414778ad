package host_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// script puts a driver into a folder of its own, as a script that runs this program.
func script(t *testing.T, cloud string) (path string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "drivers", host.Prefix+cloud)
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec "+self+" "+cloud+"\n"), 0o700)) // a program
	return path
}

func TestADriverThatOthersCanChangeIsNotStarted(t *testing.T) {
	path := script(t, "toy")
	h := newHost(t, func(c *host.Config) {
		delete(c.BuiltIn, "toy")
		c.Dirs = []string{filepath.Dir(path)}
	})
	s := h.Session(target("toy", "r"))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777)) // what is tested
	_, err := s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "the driver toy is not started, as it gets credentials: "+filepath.Dir(path)+" can be written by everybody")
	_, err = s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "can be written by everybody", "also while it waits")
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o700)) // as above
	require.Eventually(t, func() bool { _, err := s.Get(t.Context(), "vpc", "x"); return err == nil }, 10*time.Second, 10*time.Millisecond)
	assert.NotZero(t, pid(t, s))
}

// awkward is a secret that is written in many ways.
const awkward = `s3cr"et&<key>/+ä`

// indiscreet is what a driver answers that says more than it should.
func (c vpcs) indiscreet(id string) (vpc, error) {
	key := c.config.Credential["key"]
	switch id {
	case "leak":
		fmt.Fprintln(os.Stderr, "plain words:", key)
		if c.config.Zone == "error" {
			return vpc{}, resource.Errorf(resource.CodeDenied, "sent Authorization: Basic %s", base64.StdEncoding.EncodeToString([]byte("me:"+key)))
		}
		return vpc{ID: id, Name: "the key " + key, State: resource.StateAvailable, CloudState: url.QueryEscape(key), Native: map[string]any{"deep": []string{key}}}, nil
	case "chatter":
		for i := range 100_000 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		fmt.Fprint(os.Stderr, strings.Repeat("x", 1<<20), key)
		return vpc{ID: id, State: resource.StateAvailable}, nil
	case "long":
		return vpc{}, resource.Errorf(resource.CodeInvalid, "%s", strings.Repeat("ä", 1<<17))
	default:
		return vpc{ID: id, Name: strings.Repeat("x", 5<<20), State: resource.StateAvailable}, nil
	}
}

// keyed is a connection with a key.
func keyed(key, zone string) host.Target {
	return host.Target{Connection: "c-" + zone, Revision: "1", Cloud: "toy", Config: func(context.Context) (driver.Config, error) {
		return driver.Config{Region: "r", Zone: zone, Credential: driver.Values{"key": key}}, nil
	}}
}

func TestWhatADriverLeaksGoesNoFurther(t *testing.T) {
	var logged syncBuffer
	h := newHost(t, func(c *host.Config) { c.Logger = slog.New(slog.NewJSONHandler(&logged, nil)) })
	secret := func(text string) bool { return strings.Contains(text, "s3cr") || strings.Contains(text, "czNjc") }

	item, err := h.Session(keyed(awkward, "object")).Get(t.Context(), "vpc", "leak")
	require.NoError(t, err)
	assert.Equal(t, "the key [secret]", item.Name)
	assert.False(t, secret(fmt.Sprintf("%+v", item)), "%+v", item)
	_, err = h.Session(keyed(awkward, "error")).Get(t.Context(), "vpc", "leak")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.Contains(t, err.Error(), "[secret]")
	assert.False(t, secret(base64Of(err.Error())), "%v", err)
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "plain words: [secret]") }, 10*time.Second, time.Millisecond)
	assert.False(t, secret(logged.String()))

	item, err = h.Session(keyed("other", "other")).Get(t.Context(), "vpc", awkward)
	require.ErrorContains(t, err, "what is a secret of a connection to that cloud", "nor does it go from one connection to another, or as the id of something else")
	assert.False(t, secret(fmt.Sprintf("%+v %v", item, err)))
}

// Whoever chooses a credential does not choose what others can read.
func TestASecretThatIsAWordGarblesNobodysAnswers(t *testing.T) {
	h := newHost(t, nil)
	for _, word := range []string{"available", "keypair"} {
		_, err := h.Session(keyed(word, word)).Get(t.Context(), "vpc", "x")
		require.NoError(t, err, "a state is a word that each object needs")
	}
	pid(t, h.Session(target("toy", "r")))
	d, err := h.Describe(t.Context(), "toy")
	require.NoError(t, err)
	assert.True(t, d.Offers("keypair", "get"), "what a driver is it has said before it knew anything")
}

// base64Of decodes what of a text may be encoded.
func base64Of(text string) string {
	for word := range strings.FieldsSeq(text) {
		raw, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, "=")) // as far as it is
		text += string(raw)
	}
	return text
}

func TestADriverThatTalksTooMuch(t *testing.T) {
	var logged syncBuffer
	h := newHost(t, func(c *host.Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	s := h.Session(keyed(awkward, "z"))
	_, err := s.Get(t.Context(), "vpc", "chatter")
	require.NoError(t, err)
	_, err = s.Get(t.Context(), "vpc", "long")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.Less(t, len(err.Error()), 20<<10)
	_, err = s.Get(t.Context(), "vpc", "big")
	assert.ErrorContains(t, err, "an object has more than 4 MiB")
	assert.NotZero(t, pid(t, s), "it goes on")
	assert.Less(t, strings.Count(logged.String(), "\n"), 2100)
}

// at is a connection of that name.
func at(connection string) host.Target {
	t := target("toy", "r")
	t.Connection = connection
	return t
}

// crash has a driver's process end in a call for a connection.
func crash(t *testing.T, h *host.Host, connection, how string) {
	t.Helper()
	_, err := h.Session(at(connection)).Get(t.Context(), "vpc", how)
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
}

func TestADriverThatCrashesForOneConnectionCostsOnlyThat(t *testing.T) {
	for _, how := range []string{"exit", "hang"} {
		t.Run(how, func(t *testing.T) {
			h := newHost(t, func(c *host.Config) { c.CallTimeout, c.Grace = time.Second, 100*time.Millisecond })
			good := h.Session(at("good"))
			first := pid(t, good)
			crash(t, h, "bad", how)
			gone(t, first)
			own := pid(t, h.Session(at("bad")))
			shared := pid(t, good)
			assert.NotEqual(t, shared, own)
			for range 3 {
				crash(t, h, "bad", how)
				assert.Equal(t, shared, pid(t, good), "the others do not notice")
			}
			require.Eventually(t, func() bool {
				_, err := h.Session(at("bad")).Get(t.Context(), "vpc", how)
				return strings.Contains(err.Error(), "times in a row; it is started again in")
			}, 10*time.Second, time.Millisecond)
			assert.Equal(t, shared, pid(t, good), "nor do they wait")
			assert.Equal(t, shared, pid(t, h.Session(at("new"))))

			h.Forget("toy", "bad") // as when it is changed
			assert.Equal(t, shared, pid(t, h.Session(at("bad"))))
		})
	}
}

func TestAConnectionThatADriverCrashesForIsToldFromManyOthers(t *testing.T) {
	h := newHost(t, nil)
	bad := func() {
		_, err := h.Session(at("c-5")).Get(t.Context(), "vpc", "exit")
		assert.Error(t, err)
	}
	for round := 0; ; round++ {
		require.Less(t, round, 6, "the others are not free of it")
		ctx, end := context.WithCancel(t.Context())
		var group sync.WaitGroup
		var lost atomic.Int32
		for i := range 10 {
			if i != 5 {
				group.Go(func() {
					_, err := h.Session(at(fmt.Sprintf("c-%d", i))).Get(ctx, "vpc", "slow")
					if ctx.Err() == nil && err != nil {
						lost.Add(1)
					}
				})
			}
		}
		require.Eventually(t, func() bool { return h.AllCalls("toy")+int64(lost.Load()) >= 9 }, 10*time.Second, time.Millisecond)
		require.Zero(t, lost.Load())
		bad()
		end()
		group.Wait()
		if lost.Load() == 0 {
			return
		}
	}
}

func TestAProcessOfItsOwnIsForAWhile(t *testing.T) {
	h := newHost(t, func(c *host.Config) { c.ApartFor, c.IdleTimeout = 300*time.Millisecond, time.Second })
	crash(t, h, "bad", "exit")
	own, shared := pid(t, h.Session(at("bad"))), pid(t, h.Session(at("good")))
	require.NotEqual(t, own, shared)
	require.Eventually(t, func() bool { return pid(t, h.Session(at("bad"))) == pid(t, h.Session(at("good"))) }, 10*time.Second, 10*time.Millisecond)
	gone(t, own)
}

func TestAProcessOfItsOwnEndsWithTheHostAndIsUpgraded(t *testing.T) {
	h := newHost(t, nil)
	crash(t, h, "bad", "exit")
	before, shared := pid(t, h.Session(at("bad"))), pid(t, h.Session(at("good")))
	require.NotEqual(t, before, shared)
	_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@2.0.0", "2.0.0"))
	require.NoError(t, err)
	own := pid(t, h.Session(at("bad")))
	gone(t, before)
	gone(t, shared)
	require.NotEqual(t, own, pid(t, h.Session(at("good"))), "it is still apart")
	h.Close()
	gone(t, own)
}

func TestADriverThatCrashesForEverybodyDoesNotBecomeMany(t *testing.T) {
	h := newHost(t, nil)
	for i := range 12 {
		crash(t, h, fmt.Sprintf("c-%d", i), "exit")
	}
	_, _ = h.Session(at("c-11")).Get(t.Context(), "vpc", "x") // notes the last end, if it does not have to wait
	assert.Equal(t, 1+host.MostApart, h.Slots("toy"))
}
