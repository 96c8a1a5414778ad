//go:build !linux

package host

import "syscall"

// ownGroup keeps a terminal's Ctrl-C away from drivers. Where the kernel cannot
// end them with the server they notice the end of their standard input.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
