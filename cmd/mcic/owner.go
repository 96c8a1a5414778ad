package main

import (
	"os"
	"syscall"
)

// likeOwner gives a file the owner that another one has: who changes a server's files may
// be root, who runs it is not.
func likeOwner(path string, like os.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
