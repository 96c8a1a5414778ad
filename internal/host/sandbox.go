package host

import (
	"path/filepath"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Sandbox says what keeps drivers apart from the server and from each other, beside
// their being processes. docs/security.md says what that guarantees.
type Sandbox struct {
	Mode      SandboxMode
	Readable  []string // further files and folders that drivers may read
	Memory    uint64   // bytes of data that a driver may have; 0 for no limit. Linux only
	OpenFiles uint64   // files that a driver may have open; 0 for no limit. Linux only
}

// SandboxMode says what happens where the kernel cannot restrict a process's files.
type SandboxMode string

// The modes.
const (
	SandboxOff     SandboxMode = ""        // drivers can read what the server's user can
	SandboxAuto    SandboxMode = "auto"    // they are restricted where the kernel can; a warning says where it cannot
	SandboxRequire SandboxMode = "require" // they are restricted, or not started
)

// confinement is what one process may reach.
type confinement struct {
	execute []string // files and folders to read and run
	read    []string
	write   []string // folders to do everything in
}

// systemPrograms and systemFiles are what a program needs of the system: libraries,
// interpreters, certificates, names of hosts. Nothing else of /etc is in them: the
// master key or another program's secrets may lie there. Nor is what /proc shows of
// processes: the server's environment may hold the database's password.
func systemPrograms() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
}

func systemFiles() []string {
	return []string{
		"/sys", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems",
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/var/lib/ca-certificates",
		"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/run/systemd/resolve",
		"/etc/localtime", "/etc/services", "/etc/protocols", "/etc/mime.types", "/etc/passwd", "/etc/group",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
	}
}

func devices() []string {
	return []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
}

// confine says what a driver's process may reach, nil for everything.
func (h *Host) confine(c command, work, sockets string) (*confinement, error) {
	if h.sandboxMissing != nil && h.config.Sandbox.Mode == SandboxRequire {
		return nil, resource.Errorf(resource.CodeUnsupported, "drivers shall be kept from the server's files, and this system cannot do that: %w; start the server with --driver-sandbox auto to run them nevertheless", h.sandboxMissing)
	}
	if !h.confines {
		return nil, nil //nolint:nilnil // no confinement is none
	}
	program := c.path
	if c.check != nil { // a package is a folder
		program = filepath.Dir(c.path)
	}
	return &confinement{
		execute: append(systemPrograms(), program),
		read:    append(systemFiles(), h.config.Sandbox.Readable...),
		write:   append(devices(), work, sockets),
	}, nil
}
