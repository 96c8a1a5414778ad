// Package guard keeps other users of the machine from what the server uses: its data
// folder, and the programs that it starts.
package guard

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Only has everything that the process makes from now on belong to its user alone.
func Only() { syscall.Umask(0o077) }

// Folder checks a data folder with everything in it, but for what lies in the working
// folders of drivers. What others than its user could have written is refused: it may not
// be what the server has put there, and whether it is only a person can say. What they could
// only read is closed, the folder itself and files that are named in it, as there is nothing
// else that anybody could do; the answer says what that was.
func Folder(dir string, files ...string) (closed []string, err error) {
	drivers := []string{filepath.Join(dir, "run"), filepath.Join(dir, "work")}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if path == dir {
			info, err = os.Stat(dir) // it may be a link
		}
		switch {
		case os.IsNotExist(err): // such as a file of another program that is about to end
			return nil
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0: // what it leads to is looked at when it is used
			return nil
		}
		if err := own(path, info); err != nil {
			return fmt.Errorf("the data folder %s is not used: %w", dir, err)
		}
		if d.IsDir() && slices.Contains(drivers, path) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for path, mode := range modes(dir, files) {
		info, err := os.Stat(path)
		switch {
		case os.IsNotExist(err) || err == nil && (info.Mode().Perm()&^mode == 0 || !mine(info)):
			continue
		case err == nil:
			err = os.Chmod(path, info.Mode().Perm()&mode)
		}
		if err != nil {
			return closed, fmt.Errorf("close %s to others: %w", path, err)
		}
		closed = append(closed, fmt.Sprintf("%s (mode %#o)", path, info.Mode().Perm()))
	}
	return closed, nil
}

// modes are the widest that a folder and files in it may have.
func modes(dir string, files []string) map[string]fs.FileMode {
	widest := map[string]fs.FileMode{dir: 0o700}
	for _, name := range files {
		widest[filepath.Join(dir, name)] = 0o600
	}
	return widest
}

// Program refuses a program that others can change: itself, or by putting another one into
// its place. In a folder such as /tmp they cannot do the latter.
func Program(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, path := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
			continue
		}
		if err := own(path, info); err != nil {
			return err
		}
	}
	return nil
}

// own refuses what somebody else than this user, and root, can write.
func own(path string, info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if owner.Uid != 0 && !mine(info) {
		return resource.Errorf(resource.CodeUnavailable, "%s belongs to the user %s, and the server runs as %s; run it as that user, or see what is there and give it to this one: chown -R %[3]s %[1]s", path, userName(owner.Uid), userName(uint32(os.Geteuid()))) //nolint:gosec // ids are no larger
	}
	mode := info.Mode().Perm()
	var who string
	switch {
	case mode&0o002 != 0:
		who = "everybody"
	case mode&0o020 != 0 && !private(owner.Gid):
		who = "the group " + groupName(owner.Gid)
	default:
		return nil
	}
	return resource.Errorf(resource.CodeUnavailable, "%s can be written by %s (mode %#o), so that it may not be what you have put there; see whether it is, and then: chmod go-w %[1]s", path, who, mode)
}

func mine(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(owner.Uid) == int64(os.Geteuid())
}

// private reports whether a group is root's, or by its name that of this user alone, which
// many systems give to each.
func private(gid uint32) bool {
	if gid == 0 {
		return true
	}
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	return err == nil && groupName(gid) == u.Username
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return strings.TrimSpace(g.Name)
	}
	return id
}
