package engine

import (
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// effect is what becomes of an error that a driver answers. The page of the protocol has
// them all in a table, which a test compares with this one.
type effect string

const (
	fails    effect = "fails"
	unclear  effect = "fails, unclear"          // what the call may have made is looked for
	again    effect = "again"                   // later and later
	againAs  effect = "again, unclear"          // the same, and what the call may have made is looked for
	steadily effect = "again, steadily"         // the limit on calls spreads them already
	freed    effect = "again while users leave" // it may be possible at any moment
	gone     effect = "gone"
	looked   effect = "looked at again" // nothing is concluded from it
)

// call is what a driver was asked for.
type call int

const (
	creates call = iota
	deletes
	acts
	reads
)

// effects are what becomes of each code, by call.
func effects() map[resource.Code][4]effect {
	no := [4]effect{fails, fails, fails, looked}
	return map[resource.Code][4]effect{
		resource.CodeInvalid:         no,
		resource.CodeNotFound:        {fails, fails, fails, gone},
		resource.CodeAlreadyExists:   no,
		resource.CodeConflict:        no,
		resource.CodeDependency:      {fails, freed, fails, looked},
		resource.CodeQuota:           no,
		resource.CodeCapacity:        no,
		resource.CodeUnauthenticated: no,
		resource.CodeDenied:          no,
		resource.CodeThrottled:       {steadily, steadily, steadily, looked},
		resource.CodeUnavailable:     {againAs, again, again, looked},
		resource.CodeUnsupported:     no,
		resource.CodeInternal:        {unclear, fails, fails, looked},
	}
}

// callOf is the call that a change stands for.
func callOf(change store.Change) call {
	switch change.(type) {
	case store.Creation:
		return creates
	case store.Deletion:
		return deletes
	}
	return acts
}

func effectOf(c call, e *resource.Error) effect { return effects()[e.Code][c] }

// isUnclear reports whether what the call has done is not known.
func (e effect) isUnclear() bool { return e == unclear || e == againAs }
