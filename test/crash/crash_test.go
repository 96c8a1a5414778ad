package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	pgtest "github.com/m-cmp/mc-infra-connector/test/postgres"
)

// seedVariable names the environment variable that makes TestCrash draw the same
// again.
const seedVariable = "MCIC_CRASH_SEED"

// TestCrash is a short run on each database. make crashtest makes long ones.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	seed := seedOf(t)
	for _, database := range []string{sqlite, postgres} {
		t.Run(database, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting
			if _, err := pgtest.Programs(); database == postgres && err != nil {
				if os.Getenv(storetest.RequirePostgres) != "" {
					t.Fatalf("PostgreSQL is required here: %v", err)
				}
				t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: %v", err)
			}
			finds(t, options{database: database, kills: 8, changes: 80, seed: seed, duration: 15 * time.Second})
		})
	}
}

// TestClusters has clusters of several parts created, cancelled between the parts and
// deleted, whose parts the cloud refuses now and then, while servers and drivers are killed:
// no part is there twice, and nothing is left half made.
func TestClusters(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes most of a minute")
	}
	t.Parallel() // most of the time is spent waiting
	finds(t, options{database: sqlite, kills: 4, clusters: 40, seed: seedOf(t)})
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := newSeed()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedVariable)
	}
	t.Logf("%s=%d draws the same again", seedVariable, seed)
	return seed
}

// finds makes a run, which must find nothing, and answers its report.
func finds(t *testing.T, o options) *report {
	t.Helper()
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok { // what was started must be ended before the test is
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-30*time.Second))
		defer cancel()
	}
	r, err := run(ctx, o, lines(t))
	require.NoError(t, err)
	require.False(t, r.failed(), "see above what was found; %s=%d draws the same again", seedVariable, o.seed)
	require.NotZero(t, r.kills.server)
	require.NotZero(t, r.kills.driver)
	return r
}

// lines writes whole lines into the test's log.
func lines(t *testing.T) io.Writer {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			t.Log(scan.Text())
		}
		_, _ = io.Copy(io.Discard, r) // a line was too long
	}()
	t.Cleanup(func() {
		_ = w.Close()
		<-done
	})
	return w
}
