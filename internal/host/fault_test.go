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
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec "+self+" "+cloud+"\n"), 0o700)) //nolint:gosec // a program
	return path
}

func TestADriverThatOthersCanChangeIsNotStarted(t *testing.T) {
	path := script(t, "toy")
	h := newHost(t, func(c *host.Config) {
		delete(c.BuiltIn, "toy")
		c.Dirs = []string{filepath.Dir(path)}
	})
	s := h.Session(target("toy", "r"))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777)) //nolint:gosec // what is tested
	_, err := s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "the driver toy is not started, as it gets credentials: "+filepath.Dir(path)+" can be written by everybody")
	_, err = s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "can be written by everybody", "also while it waits")
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o700)) //nolint:gosec // as above
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
		return vpc{}, resource.Errorf(resource.CodeInvalid, "%s", strings.Repeat("ä", 1<<20))
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
	require.NoError(t, err)
	assert.False(t, secret(item.ID), "nor does it go from one connection to another")
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
