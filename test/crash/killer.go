package main

import (
	"context"
	"math/rand/v2"
	"time"

	pgtest "github.com/m-cmp/mc-infra-connector/test/postgres"
)

// strike is one thing that the killer does.
type strike int

const (
	strikeServer   strike = iota
	strikeStarting        // the server, and then again while it starts
	strikeDriver
	strikeCut      // the database's connections
	strikeDatabase // the database itself
)

// kills counts what was killed.
type kills struct{ server, starting, driver, cut, database int }

func (k kills) processes() int { return k.server + k.starting + k.driver }

// killer strikes at random moments.
type killer struct {
	keeper   *keeper
	database *pgtest.Server // nil on SQLite
	r        *rand.Rand
	done     kills
}

// draw draws the next strike. Without server it is none that hits the server.
func (k *killer) draw(server bool) strike {
	weights := []struct {
		strike strike
		weight int
	}{{strikeServer, 8}, {strikeStarting, 2}, {strikeDriver, 10}, {strikeCut, 5}, {strikeDatabase, 3}}
	if !server {
		weights = weights[2:]
	}
	if k.database == nil {
		weights = weights[:len(weights)-2]
	}
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	n := k.r.IntN(total)
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.strike
		}
	}
	return strikeDriver
}

// run strikes until enough says so, or ctx ends. The last strikes spare the server:
// a restart would set right what a lost connection or driver has left behind.
func (k *killer) run(ctx context.Context, enough func() bool) error {
	for !enough() {
		if err := k.next(ctx, true); err != nil || ctx.Err() != nil {
			return err
		}
	}
	const last = 3
	for range last {
		if err := k.next(ctx, false); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// complete strikes what was drawn in none of the strikes: in a short time that happens. A
// run is then one with the server and a driver killed, whatever its seed.
func (k *killer) complete(ctx context.Context) error {
	if k.done.server == 0 {
		if err := k.strike(ctx, strikeServer); err != nil {
			return err
		}
	}
	for k.done.driver == 0 { // none may be running yet
		if err := k.strike(ctx, strikeDriver); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// next waits a moment and strikes.
func (k *killer) next(ctx context.Context, server bool) error {
	wait := between(k.r, 300*time.Millisecond, 2500*time.Millisecond)
	if k.r.IntN(5) == 0 { // in the middle of what follows the one before
		wait = between(k.r, 0, 150*time.Millisecond)
	}
	if pause(ctx, wait) != nil {
		return nil //nolint:nilerr // the end of ctx ends the load
	}
	if err := k.strike(ctx, k.draw(server)); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (k *killer) strike(ctx context.Context, s strike) error {
	switch s {
	case strikeServer:
		return k.strikeServer(ctx, 0)
	case strikeStarting:
		return k.strikeServer(ctx, 1+k.r.IntN(3))
	case strikeDriver:
		killed, err := k.keeper.killDriver(ctx, k.r)
		if killed {
			k.done.driver++
		}
		return err
	case strikeCut:
		k.done.cut++
		return k.database.Cut(ctx)
	default:
		k.done.database++
		k.database.Crash()
		_ = pause(ctx, between(k.r, 0, 1500*time.Millisecond)) // it is started again in any case
		return k.database.Start(context.WithoutCancel(ctx))
	}
}

// strikeServer kills the server and starts it again; so many starts are cut short.
func (k *killer) strikeServer(ctx context.Context, starts int) error {
	if err := k.keeper.kill(); err != nil {
		return err
	}
	k.done.server++
	for range starts {
		if k.keeper.killWhileStarting(ctx, between(k.r, time.Millisecond, 40*time.Millisecond)) {
			k.done.starting++
			continue
		}
		if err := k.keeper.kill(); err != nil { // it was faster
			return err
		}
		k.done.server++
	}
	return k.keeper.start(context.WithoutCancel(ctx))
}
