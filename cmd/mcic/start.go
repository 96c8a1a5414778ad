package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/m-cmp/mc-infra-connector/internal/guard"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// openFolder makes the data folder, or sees that it is this user's alone.
func (o *serverOptions) openFolder(logger *slog.Logger) error {
	guard.Only()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	closed, err := guard.Folder(o.data, store.SQLiteFiles()...)
	if len(closed) > 0 {
		logger.Warn("others could read what is in the data folder, and cannot any more", "was", closed)
	}
	return err
}
