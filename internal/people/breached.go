package people

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // what the list is made of
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// breached is the file of a list of stolen passwords, as Pwned Passwords is downloaded: a line for
// each, HASH:COUNT, in the order of the SHA-1 hashes. It has tens of gigabytes and is never read
// as a whole. https://haveibeenpwned.com/Passwords
type breached string

// What a line is, and how long one can be: the hash, the count and the line's end.
var breachedLine = regexp.MustCompile(`^[0-9A-Fa-f]{40}(:[0-9]*)?$`) // compiled once, never changed

const longestLine = 128

// breachedSamples is how many lines are looked at to see that a file is such a list.
const breachedSamples = 1000

// check refuses a file that is no such list, or not in its order, as far as samples show.
func (b breached) check() error {
	if b == "" {
		return nil
	}
	err := b.reading(func(f io.ReaderAt, size int64) error {
		last := ""
		for i := range int64(breachedSamples) {
			_, _, hash, err := lineFrom(f, size/breachedSamples*i+size%breachedSamples*i/breachedSamples, size)
			switch {
			case err != nil:
				return err
			case hash == "" && i == 0:
				return fmt.Errorf("%s is empty; download the list again", b)
			case hash != "" && hash < last:
				return fmt.Errorf("%s is not in the order of its hashes: %s is behind %s; download it ordered by hash, or sort it", b, hash, last)
			case hash != "":
				last = hash
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the list of stolen passwords (--breached-passwords): %w", err)
	}
	return nil
}

// has reports whether a password is in the list.
func (b breached) has(password string) (found bool, err error) {
	if b == "" {
		return false, nil
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // as above
	wanted := strings.ToUpper(hex.EncodeToString(sum[:]))
	err = b.reading(func(f io.ReaderAt, size int64) error {
		low, high := int64(0), size // the line begins between them, if it is there
		for low < high {
			middle := low + (high-low)/2
			begin, end, hash, err := lineFrom(f, middle, size)
			switch {
			case err != nil:
				return err
			case hash == wanted:
				found = true
				return nil
			case hash != "" && begin < high && hash < wanted:
				low = end
			default:
				high = middle
			}
		}
		return nil
	})
	if err != nil {
		return false, resource.Errorf(resource.CodeUnavailable, "the list of stolen passwords cannot be read, without which no password is taken; who runs the server looks at its file (--breached-passwords): %w", err)
	}
	return found, nil
}

// reading opens the file, which may be replaced while the server runs.
func (b breached) reading(do func(f io.ReaderAt, size int64) error) error {
	f, err := os.Open(string(b))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file; name the file that was downloaded, ordered by hash", b)
	}
	return do(f, info.Size())
}

// lineFrom answers the hash of the first line that begins at an offset or behind it, where it
// begins and where it ends; "" if there is none.
func lineFrom(f io.ReaderAt, offset, size int64) (begin, end int64, hash string, err error) {
	buffer := make([]byte, 2*longestLine)
	from := max(offset-1, 0) // a line begins where the one before ends
	n, err := f.ReadAt(buffer, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, "", err
	}
	rest := buffer[:n]
	if offset > 0 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 && from+int64(n) < size {
			return 0, 0, "", fmt.Errorf("a line at byte %d is longer than any of such a list", from)
		}
		if i < 0 {
			return size, size, "", nil
		}
		from, rest = from+int64(i)+1, rest[i+1:]
	}
	if len(rest) == 0 {
		return size, size, "", nil
	}
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	end = from + int64(len(line))
	if whole {
		end++
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	if !breachedLine.Match(line) {
		return 0, 0, "", fmt.Errorf("the line at byte %d is not HASH:COUNT, with a SHA-1 hash of 40 hexadecimal digits", from)
	}
	return from, end, strings.ToUpper(string(line[:40])), nil
}
