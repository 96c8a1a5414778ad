package mock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// A journal is rewritten when it has more lines than this many for each object
// that lives, and some more.
const (
	journalWaste = 4
	journalSlack = 1000
)

// journal is the file that the cloud survives in: one JSON object per line, each
// an object after a change; the last line of an object counts. A line is in the
// kernel's hands before the change is answered, so that the process can be killed
// at any time. It need not survive the machine.
type journal struct {
	path      string
	file      *os.File
	size      int64
	lines     int
	compactAt int // lines at which it is worth looking
	broken    error
}

type journalLine struct {
	At      time.Time `json:"at"` // when it was written
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Kind    string    `json:"kind"`
	object
}

// openJournal reads what is there.
func openJournal(path string, put func(time.Time, shelfKey, *object)) (*journal, error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j := &journal{path: path}
	for raw := range bytes.Lines(content) {
		if raw[len(raw)-1] != '\n' { // the process was killed while it wrote this, before it answered
			break
		}
		j.lines++
		j.size += int64(len(raw))
		line, err := decodeLine(raw)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, j.lines, err)
		}
		put(line.At, shelfKey{place{line.Account, line.Region}, line.Kind}, &line.object)
	}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	if err := j.file.Truncate(j.size); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

func encodeLine(at time.Time, key shelfKey, o *object) ([]byte, error) {
	raw, err := json.Marshal(journalLine{at, key.Account, key.Region, key.Kind, *o})
	return append(raw, '\n'), err
}

// rawShape is a shape before its kind is known.
type rawShape struct {
	Spec   json.RawMessage `json:"spec"`
	Status json.RawMessage `json:"status"`
	Links  []link          `json:"links"`
}

func decodeLine(raw []byte) (*journalLine, error) {
	var line struct {
		journalLine
		rawShape
		Before *rawShape `json:"before"`
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return nil, err
	}
	kind, err := resource.KindNamed(line.Kind)
	if err != nil {
		return nil, err
	}
	read := &line.journalLine
	if read.shape, err = line.decode(kind); err != nil || line.Before == nil {
		return read, err
	}
	before, err := line.Before.decode(kind)
	read.Before = &before
	return read, err
}

func (r rawShape) decode(kind *resource.Kind) (shape, error) {
	spec, err := decodeAs(kind.SpecType(), r.Spec)
	if err != nil {
		return shape{}, err
	}
	status, err := decodeAs(kind.StatusType(), r.Status)
	return shape{spec, status, r.Links}, err
}

func decodeAs(t reflect.Type, raw json.RawMessage) (any, error) {
	value := reflect.New(t)
	err := json.Unmarshal(raw, value.Interface())
	return value.Elem().Interface(), err
}

// append writes a line whole or not at all.
func (j *journal) append(at time.Time, key shelfKey, o *object) error {
	if j.broken != nil {
		return j.broken
	}
	raw, err := encodeLine(at, key, o)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(raw); err != nil {
		if undo := j.file.Truncate(j.size); undo != nil {
			j.broken = fmt.Errorf("%s ends in the middle of a line: %w", j.path, undo)
		}
		return err
	}
	j.size += int64(len(raw))
	j.lines++
	return nil
}

// rewrite replaces the journal by what each writes.
func (j *journal) rewrite(at time.Time, each func(write func(shelfKey, *object) error) error) error {
	var (
		content bytes.Buffer
		lines   int
	)
	err := each(func(key shelfKey, o *object) error {
		raw, err := encodeLine(at, key, o)
		content.Write(raw)
		lines++
		return err
	})
	if err != nil {
		return err
	}
	next := j.path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(content.Bytes()); err == nil {
		err = os.Rename(next, j.path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(next))
	}
	old := j.file
	j.file, j.size, j.lines = file, int64(content.Len()), lines
	return old.Close()
}
