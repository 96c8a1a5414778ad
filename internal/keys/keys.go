package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// canaryText is what a canary is when it is opened.
const canaryText = "mcic"

// lookEvery is how often a server looks whether the master key has changed.
const lookEvery = 2 * time.Second

// How many sealed values are tried to find out whether a key is that of a database
// without a canary.
const tries = 100

// Keeper keeps a server's keys in line with the database.
type Keeper struct {
	store  *store.Store
	logger *slog.Logger
	sealer *secret.Sealer
	given  *secret.Key // by the source
	every  time.Duration
	looks  sync.Mutex // one after the other, so that an older one is not the last
}

// Open reads the master key and compares it with the database: with another key than the
// database has nobody gets further. It is made only where there is neither a key nor
// anything that needs one.
func Open(ctx context.Context, db *store.Store, from Source, logger *slog.Logger) (*Keeper, error) {
	key, made, err := read(ctx, db, from)
	if err != nil {
		return nil, err
	}
	k := &Keeper{store: db, logger: logger, given: key, every: lookEvery}
	k.sealer = secret.NewSealer(key, k.learn)
	if err := k.look(ctx); err != nil {
		if made && errors.Is(err, errForeign) { // another server was faster, whose key it has to be
			err = errors.Join(err, os.Remove(from.File))
		}
		return nil, fmt.Errorf("compare the master key (%s) with the database: %w", from, err)
	}
	return k, nil
}

// read reads the master key, or makes one where nothing needs another one.
func read(ctx context.Context, db *store.Store, from Source) (key *secret.Key, made bool, err error) {
	if key, err = from.Read(ctx); !errors.Is(err, secret.ErrNoKey) {
		return key, false, err
	}
	used, lookErr := inUse(ctx, db)
	switch {
	case lookErr != nil:
		return nil, false, lookErr
	case used == "" && from.File != "":
		return from.Make(ctx)
	case used == "":
		return nil, false, resource.Errorf(resource.CodeInvalid, "%w; one is made with: mcic server keygen", err)
	}
	// Another server in the same folder may just have made both, the file first.
	if key, err = from.Read(ctx); !errors.Is(err, secret.ErrNoKey) {
		return key, false, err
	}
	return nil, false, resource.Errorf(resource.CodeInvalid, "%w, but the database has one, %s, and no other one opens what is sealed there: put a copy of it back (%s), from where copies of it are kept or from another server of the same database. No new one is made", err, used, from)
}

// inUse names the key that a database has, or says that it has one.
func inUse(ctx context.Context, db *store.Store) (string, error) {
	rows, err := db.Read().MasterKeys(ctx)
	if err != nil {
		return "", err
	}
	if len(rows) > 0 {
		return named(rows), nil
	}
	counts, err := db.Read().CountSealed(ctx)
	if err != nil || len(counts) == 0 {
		return "", err
	}
	return strings.Join(ids(counts), " and "), nil
}

func ids(counts map[string]int) []string {
	var list []string
	for id := range counts {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

func named(rows []store.MasterKey) string {
	var list []string
	for _, r := range rows {
		list = append(list, r.ID)
	}
	return strings.Join(list, " or ")
}

// Sealer seals and opens with the keys that the database has.
func (k *Keeper) Sealer() *secret.Sealer { return k.sealer }

// Run hears of changes of the master key until the context ends. It ends before that if
// the database has a key that this server cannot get: then it must not go on.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for said := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := k.look(ctx)
		if errors.Is(err, errForeign) {
			return fmt.Errorf("the master key of the database has changed: %w", err)
		}
		if err != nil && ctx.Err() == nil && !said {
			k.logger.Warn("cannot see whether the master key has changed", "error", err)
		}
		said = err != nil
	}
}

var (
	errForeign = errors.New("this is not the master key of the database")
	errNone    = errors.New("the database has no record of its master key")
)

// look takes over the keys that the database has, or refuses to. A database that has none
// gets that of this server.
func (k *Keeper) look(ctx context.Context) error {
	err := k.learn(ctx)
	if !errors.Is(err, errNone) {
		return err
	}
	if err := k.begin(ctx, k.sealer.Ring().Current); err != nil {
		return err
	}
	return k.learn(ctx)
}

// learn is look where nothing may be written: in the middle of a transaction.
func (k *Keeper) learn(ctx context.Context) error {
	k.looks.Lock()
	defer k.looks.Unlock()
	rows, err := k.store.Read().MasterKeys(ctx)
	switch {
	case err != nil:
		return err
	case len(rows) == 0:
		return errNone
	}
	known := k.sealer.Ring()
	ring, err := ringOf(rows, known)
	if err != nil {
		return err
	}
	ring.After(known)
	if was := known.Current.ID(); was != ring.Current.ID() {
		k.logger.Info("the master key has changed", "from", was, "to", ring.Current.ID())
	}
	k.sealer.Use(ring)
	return nil
}

// begin records the key of a database that has none yet: a new one, one that an older
// version has written, or one whose record was removed. What is sealed there must open.
func (k *Keeper) begin(ctx context.Context, key *secret.Key) error {
	counts, err := k.store.Read().CountSealed(ctx)
	if err != nil {
		return err
	}
	if len(counts) > 0 {
		own, err := k.store.Read().SealedWith(ctx, key.ID(), tries)
		if err != nil {
			return err
		}
		opens := func(s store.Sealed) bool { _, err := key.Unseal(s.Value, s.Identity()); return err == nil }
		if !slices.ContainsFunc(own, opens) {
			return foreign(key.ID(), strings.Join(ids(counts), " and "))
		}
		delete(counts, key.ID())
		k.logger.Warn("the database had no record of its master key; it is that of this server", "key", key.ID(), "otherKeys", ids(counts))
	}
	canary, err := newCanary(key)
	if err != nil {
		return err
	}
	err = k.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		return q.InsertMasterKey(ctx, &store.MasterKey{ID: key.ID(), Canary: canary, Current: true, CreatedAt: store.MicrosOf(time.Now())})
	})
	if resource.CodeOf(err) == resource.CodeAlreadyExists { // another server was first; its key is looked at now
		return nil
	}
	return err
}

func foreign(have, want string) error {
	return resource.Errorf(resource.CodeInvalid, "%w: this one is %s, what is sealed there was sealed with %s; give the server that one. If it has been changed with mcic server rekey, this is an old copy", errForeign, have, want)
}

func canaryIdentity(id string) string { return "canary/" + id }

func handedIdentity(id string) string { return "master key/" + id }

func newCanary(key *secret.Key) ([]byte, error) {
	return key.Seal([]byte(canaryText), canaryIdentity(key.ID()))
}

// opens reports whether a key is that of a row.
func opens(key *secret.Key, row *store.MasterKey) bool {
	text, err := key.Unseal(row.Canary, canaryIdentity(row.ID))
	return err == nil && string(text) == canaryText
}

// ringOf answers the keys of a database. One of them must be known, which opens the
// other one.
func ringOf(rows []store.MasterKey, known *secret.Ring) (*secret.Ring, error) {
	have := map[string]*secret.Key{}
	for i := range rows {
		key := known.Find(rows[i].ID)
		if key == nil {
			continue
		}
		if !opens(key, &rows[i]) {
			return nil, resource.Errorf(resource.CodeInvalid, "%w, although it has the same id, %s; or its record there is damaged", errForeign, key.ID())
		}
		have[key.ID()] = key
	}
	if len(have) == 0 {
		return nil, foreign(known.Current.ID(), named(rows))
	}
	ring := &secret.Ring{}
	for i := range rows {
		key, err := handed(&rows[i], have)
		switch {
		case err != nil:
			return nil, err
		case rows[i].Current:
			ring.Current = key
		default:
			ring.Other = key
		}
	}
	if ring.Current == nil {
		return nil, errors.New("the database does not say which of its master keys is the current one")
	}
	return ring, nil
}

// handed answers the key of a row, which another one opens unless it is there.
func handed(row *store.MasterKey, have map[string]*secret.Key) (*secret.Key, error) {
	if key := have[row.ID]; key != nil {
		return key, nil
	}
	for _, other := range have {
		text, err := other.Unseal(row.Handed, handedIdentity(row.ID))
		if err != nil {
			continue
		}
		key, err := secret.ParseKey(text)
		if err == nil && key.ID() == row.ID && opens(key, row) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: the record of the other one, %s, which is being changed, is damaged; give the server that key", errForeign, row.ID)
}
