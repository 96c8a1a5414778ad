package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a file, and what a folder beside that, can be accessed for. Each version of
// the kernel's interface added some; it refuses those that it does not know.
const (
	accessRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	accessExecute = accessRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	accessFile    = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	accessFirst   = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1
)

// landlockVersion answers the version of the kernel's interface, an error if it has none.
func landlockVersion() (int, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("the kernel has no Landlock (Linux 5.13 and later have it, unless it was left out or switched off): %w", errno)
	}
	return int(version), nil
}

// handled are the accesses that the kernel can restrict.
func handled(version int) uint64 {
	access := uint64(accessFirst)
	if version >= 2 {
		access |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		access |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		access |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return access
}

// sandboxSupported tells why processes cannot be confined here.
func sandboxSupported() error {
	_, err := landlockVersion()
	return err
}

// apply confines the calling thread, and what it starts from then on, for good. The
// thread must be locked and must end with its goroutine.
func (c *confinement) apply() error {
	version, err := landlockVersion()
	if err != nil {
		return err
	}
	rules := unix.LandlockRulesetAttr{Handled_access_fs: handled(version)}
	size := unsafe.Offsetof(rules.Handled_access_net)
	if version >= 6 { // no signals to processes outside, no abstract sockets of theirs
		rules.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		size = unsafe.Offsetof(rules.Quiet_access_fs)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), size, 0) //nolint:gosec // the kernel reads it during the call
	if errno != 0 {
		return fmt.Errorf("make a Landlock ruleset: %w", errno)
	}
	defer func() { _ = unix.Close(int(fd)) }()
	for _, group := range []struct {
		paths  []string
		access uint64
	}{{c.execute, accessExecute}, {c.read, accessRead}, {c.write, rules.Handled_access_fs &^ unix.LANDLOCK_ACCESS_FS_EXECUTE}} {
		for _, path := range group.paths {
			if err := allow(int(fd), path, group.access&rules.Handled_access_fs); err != nil {
				return fmt.Errorf("let a driver reach %s: %w", path, err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("confine a driver: %w", errno)
	}
	return nil
}

// allow lets accesses through to a file, or to all below a folder. What is not there
// needs no rule.
func allow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= accessFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}                                                                                    //nolint:gosec // a descriptor is small
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 { //nolint:gosec // a descriptor is small; the kernel reads the rule during the call
		return errno
	}
	return nil
}

// limit bounds what a process that has just started may use.
func (s Sandbox) limit(p *os.Process) error {
	none := uint64(0) // a core file would hold secrets
	for _, l := range []struct {
		resource int
		most     uint64
		set      bool
	}{{unix.RLIMIT_DATA, s.Memory, s.Memory > 0}, {unix.RLIMIT_NOFILE, s.OpenFiles, s.OpenFiles > 0}, {unix.RLIMIT_CORE, none, true}} {
		if !l.set {
			continue
		}
		if err := unix.Prlimit(p.Pid, l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit what a driver may use: %w", err)
		}
	}
	return nil
}
