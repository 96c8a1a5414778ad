package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// strangers are the cloud ids of objects of a kind that only the cloud has, by what they
// use there: its kind and cloud id.
type strangers map[used][]string

type used struct{ kind, cloudID string }

// maxStrangers is how many are remembered of those that use the same: one is enough to
// keep that from being deleted.
const maxStrangers = 5

// note takes down what an object uses. spec has cloud ids.
func (s strangers) note(k *resource.Kind, cloudID string, spec json.RawMessage) error {
	refs, err := k.Refs(spec)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		what := used{ref.Kind, ref.Name}
		if !ref.Weak && !ref.Loose && len(s[what]) < maxStrangers && !slices.Contains(s[what], cloudID) {
			s[what] = append(s[what], cloudID)
		}
	}
	return nil
}

// list lists a kind on the cloud, and remembers what it shows that is not recorded here
// and uses something.
func (inv *Inventory) list(ctx context.Context, session driver.Session, connection string, k *resource.Kind, recorded func(cloudID string) bool) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		seen := strangers{}
		for item, err := range session.List(ctx, k.Name, driver.Filter{}) {
			if err == nil && !item.Part && !recorded(item.ID) {
				err = seen.note(k, item.ID, item.Spec)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
		inv.looks.saw(key{connection, k.Name}, seen)
	}
}

func (l *looks) saw(key key, seen strangers) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strangers[key] = seen
}

// leftThere is what is forgotten here and stays on the cloud; its spec has cloud ids.
type leftThere struct {
	kind    *resource.Kind
	cloudID string
	spec    json.RawMessage
}

// leaveThere reads what a resource uses on the cloud that is about to be forgotten here.
func leaveThere(ctx context.Context, q *store.Queries, row *store.Resource) (leftThere, error) {
	k, err := resource.KindNamed(row.Kind)
	if err != nil {
		return leftThere{}, err
	}
	uses, err := q.Uses(ctx, row.UID)
	if err != nil {
		return leftThere{}, err
	}
	ids := map[Named]string{}
	for _, target := range uses {
		ids[Named{target.Kind, target.Name}] = target.CloudID
	}
	spec, err := k.MapRefs(row.Effective, func(ref resource.Ref) (string, error) { return ids[Named{ref.Kind, ref.Name}], nil })
	return leftThere{k, row.CloudID, spec}, err
}

func (l *looks) leave(connection string, left []leftThere) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range left {
		key := key{connection, one.kind.Name}
		if l.strangers[key] == nil {
			l.strangers[key] = strangers{}
		}
		_ = l.strangers[key].note(one.kind, one.cloudID, one.spec) // it was read before
	}
}

// usersOf answers the strangers that use something, by kind.
func (l *looks) usersOf(connection string, what used) map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	users := map[string][]string{}
	for key, seen := range l.strangers {
		if ids := seen[what]; key.connection == connection && len(ids) > 0 {
			users[key.kind] = slices.Clone(ids)
		}
	}
	return users
}

// askStrangers is how long the cloud may take to answer whether strangers are still there.
const askStrangers = 5 * time.Second

// MeetStrangers looks at what on the cloud could use resources that are to be deleted
// together: when the cloud refuses one of them, others would be gone by then. While
// something is leaving, what uses them may be leaving with it, and the cloud decides; so it
// does about what it does not list in time.
func (inv *Inventory) MeetStrangers(ctx context.Context, connection string, items []Named) error {
	lag, err := inv.UsedLag(ctx, connection)
	if err != nil {
		return err
	}
	leaving, err := inv.store.Read().Leaving(ctx, connection, inv.store.Now(), lag)
	if err != nil || len(leaving) > 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askStrangers)
	defer cancel()
	var group sync.WaitGroup
	for _, k := range resource.Kinds() {
		if !slices.ContainsFunc(items, func(item Named) bool { return k.RefersTo(item.Kind) }) {
			continue
		}
		group.Go(func() {
			if _, err := inv.compare(ctx, connection, k.Name); err != nil && resource.CodeOf(err) != resource.CodeUnsupported {
				inv.logger.Warn("what could use the resources of a deletion cannot be listed; the cloud decides", "connection", connection, "kind", k.Name, "error", err)
			}
		})
	}
	group.Wait()
	return nil
}

// UsedLag is how long the cloud of a connection may take to notice that something is not
// used any more.
func (inv *Inventory) UsedLag(ctx context.Context, connection string) (time.Duration, error) {
	c, err := inv.store.Read().Connection(ctx, connection)
	if err != nil {
		return 0, err
	}
	d, err := inv.registry.Driver(ctx, c.Cloud)
	if err != nil {
		return 0, err
	}
	return time.Duration(d.UsedLagSeconds) * time.Second, nil
}

// UnusedThere refuses the deletion of what something uses that only the cloud has. See
// UsedThere.
func (inv *Inventory) UnusedThere(ctx context.Context, connection string, items []Named) error {
	rows := make([]store.Resource, len(items))
	for i, item := range items {
		row, err := inv.store.Read().Resource(ctx, connection, item.Kind, item.Name)
		if err != nil {
			return err
		}
		rows[i] = *row
	}
	used, err := inv.UsedThere(ctx, rows)
	for i := range rows {
		err = cmp.Or(err, used[rows[i].UID])
	}
	return err
}

// UsedThere answers, by uid, why resources cannot be deleted which something uses that only
// the clouds have, as far as the last looks know. Those are looked at again, so that nothing
// is refused for what is gone. A cloud that cannot be asked in time decides by itself.
func (inv *Inventory) UsedThere(ctx context.Context, rows []store.Resource) (map[string]error, error) {
	asking, cancel := context.WithTimeout(ctx, askStrangers)
	defer cancel()
	used := map[string]error{}
	for i := range rows {
		row := &rows[i]
		users, _, err := inv.UsersThere(asking, row)
		switch {
		case asking.Err() != nil && ctx.Err() == nil:
			return used, nil // the time is over
		case err != nil:
			return nil, err
		case len(users) > 0:
			used[row.UID] = resource.Errorf(resource.CodeDependency, "the %s %s is used by what only the cloud has: %s; delete that there, or adopt it and delete it here, first", row.Kind, row.Name, strings.Join(users, ", "))
		}
	}
	return used, nil
}

// UsersThere looks at the strangers that are known to use a resource. It answers those
// that do, for people, and whether some of them are going.
func (inv *Inventory) UsersThere(ctx context.Context, row *store.Resource) (users []string, going bool, err error) {
	known := inv.looks.usersOf(row.Connection, used{row.Kind, row.CloudID})
	if row.CloudID == "" || len(known) == 0 {
		return nil, false, nil
	}
	session, _, err := inv.registry.Session(ctx, row.Connection)
	if err != nil {
		return nil, false, err
	}
	for _, k := range resource.Kinds() {
		for _, id := range known[k.Name] {
			seen := Look(ctx, session, k.Name, id)
			if seen.Item == nil { // gone, or not known
				going = going || seen.Err == nil
				continue
			}
			now := strangers{}
			if err := now.note(k, id, seen.Item.Spec); err != nil {
				return nil, false, err
			}
			switch err := unmanaged(ctx, inv.store.Read(), row.Connection, k.Name, seen.Item); {
			case resource.CodeOf(err) == resource.CodeAlreadyExists || resource.CodeOf(err) == resource.CodeConflict: // the records know it
			case err != nil:
				return nil, false, err
			case len(now[used{row.Kind, row.CloudID}]) == 0:
			case seen.Item.State == resource.StateDeleting:
				going = true
			default:
				users = append(users, fmt.Sprintf("%s %s", k.Name, called(seen.Item)))
			}
		}
	}
	return users, going, nil
}

// called is an object on the cloud for people.
func called(item *driver.Item) string {
	if item.Name == "" || item.Name == item.ID {
		return item.ID
	}
	return fmt.Sprintf("%s (%s)", item.Name, item.ID)
}
