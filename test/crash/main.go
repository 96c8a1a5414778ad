// Command crash kills the server, its drivers and its database at random moments
// while clients create, change, release and delete on Mock clouds that are slow,
// forgetful and ambiguous, and then compares what is on the clouds with what is in the records.
// docs/reliability.md says what is promised; this is how it is tested.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

// options are what a run is given.
type options struct {
	database string        // sqlite or postgres
	kills    int           // processes to kill at least
	changes  int           // creates and deletes at least
	clusters int           // to create at least, with little else beside; 0 for some of everything
	seed     uint64        // of everything that is drawn
	duration time.Duration // of the load at most; 0 for as long as it takes
}

const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// command runs what the command line asks for and answers the exit code.
func command(ctx context.Context, args []string, out io.Writer) int {
	o := options{}
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.database, "db", sqlite, "sqlite or postgres")
	flags.IntVar(&o.kills, "kills", 300, "how many `times` to kill the server or a driver, at least")
	flags.IntVar(&o.changes, "changes", 2000, "how `many` creates and deletes to make, at least")
	flags.IntVar(&o.clusters, "clusters", 0, "create so `many` clusters of several parts, and little else (default: some of everything)")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that everything drawn follows from (default: another one each time)")
	flags.DurationVar(&o.duration, "duration", 0, "end the load after so long, whatever was reached (default: never)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0 || (o.database != sqlite && o.database != postgres):
		fmt.Fprintln(out, "Error: -db is sqlite or postgres, and there are no arguments")
		return 2
	}
	if o.seed == 0 {
		o.seed = newSeed()
	}
	r, err := run(ctx, o, out)
	if err != nil {
		fmt.Fprintln(out, "Error:", err)
		return 1
	}
	if r.failed() {
		return 1
	}
	return 0
}

// newSeed draws a seed that is short enough to be typed.
func newSeed() uint64 { return 1 + rand.Uint64N(999_999) }

// generator makes the numbers of one part of a run: the same ones for the same seed,
// whatever the other parts draw.
func generator(seed uint64, part string, n int) *rand.Rand {
	hash := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(fmt.Sprint(part, n)) {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, hash))
}

// between draws a duration.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
