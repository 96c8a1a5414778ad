package host

import "syscall"

// ownGroup keeps a terminal's Ctrl-C away from drivers and lets the kernel end
// them with the server.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
