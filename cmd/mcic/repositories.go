package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/drivers"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// repositoriesFile is the name of the file with the configured repositories in the
// data folder.
const repositoriesFile = "repositories.yaml"

// The repository that comes with the programs lies beside them, as does the key that
// it is signed with: whoever can change the one can change mcic itself.
const (
	ownRepository    = "local"
	ownRepositoryDir = "repository"
	ownRepositoryKey = "repository.pub"
	ownPriority      = -1000
)

// configured is a repository as it is written in the file.
type configured struct {
	Name         string          `json:"name"`
	URL          string          `json:"url"`
	Priority     int             `json:"priority"`
	Keys         []configuredKey `json:"keys"`
	Insecure     bool            `json:"insecure"`
	PlainHTTP    bool            `json:"plainHTTP"`
	Username     string          `json:"username"`
	PasswordFile string          `json:"passwordFile"`
}

// configuredKey is a key, as text or in a file.
type configuredKey struct {
	Key    string `json:"key"`
	File   string `json:"file"`
	Prefix string `json:"prefix"`
}

// readRepositories reads the configured repositories. Paths in the file are relative
// to its folder.
func readRepositories(path string, must bool) ([]drivers.Configured, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the repositories: %w", err)
	}
	var list []configured
	if err := yaml.UnmarshalStrict(raw, &list); err != nil {
		return nil, fmt.Errorf("%s is not a list of repositories: %w", path, err)
	}
	var all []drivers.Configured
	for i, c := range list {
		d, err := c.read(filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("%s: repository %d (%s): %w", path, i+1, c.Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func (c configured) read(dir string) (drivers.Configured, error) {
	spec := repository.Spec{Name: c.Name, URL: c.URL, PlainHTTP: c.PlainHTTP, Insecure: c.Insecure, Username: c.Username}
	file := func(name string) (string, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		text, err := os.ReadFile(name) //nolint:gosec // the operator names it
		return strings.TrimSpace(string(text)), err
	}
	for _, k := range c.Keys {
		if k.File != "" {
			var err error
			if k.Key, err = file(k.File); err != nil {
				return drivers.Configured{}, err
			}
		}
		spec.Keys = append(spec.Keys, api.TrustedKey{Key: k.Key, Prefix: k.Prefix})
	}
	if c.PasswordFile != "" {
		var err error
		if spec.Password, err = file(c.PasswordFile); err != nil {
			return drivers.Configured{}, err
		}
	}
	switch {
	case c.Name == "":
		return drivers.Configured{}, errors.New("it has no name")
	case len(spec.Keys) == 0 && !spec.Insecure:
		return drivers.Configured{}, errors.New("it has no keys: give the public keys of those whose drivers may run here")
	}
	_, err := repository.Open(spec)
	return drivers.Configured{Spec: spec, Priority: c.Priority}, err
}

// ownRepositories is the repository beside the programs, if there is one.
func ownRepositories() ([]drivers.Configured, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program itself: %w", err)
	}
	dir := filepath.Join(filepath.Dir(self), ownRepositoryDir)
	key, err := os.ReadFile(filepath.Join(filepath.Dir(self), ownRepositoryKey))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of the repository beside mcic: %w", err)
	}
	spec := repository.Spec{Name: ownRepository, URL: "file://" + filepath.ToSlash(dir), Keys: []api.TrustedKey{{Key: string(key)}}}
	_, err = repository.Open(spec)
	return []drivers.Configured{{Spec: spec, Priority: ownPriority}}, err
}

// manager keeps the installed drivers.
func (o *serverOptions) manager(ctx context.Context, db *store.Store, h *host.Host, sealer *secret.Sealer, logger *slog.Logger) (*drivers.Manager, error) {
	file, must := o.repositories, true
	if file == "" {
		file, must = filepath.Join(o.data, repositoriesFile), false
	}
	all, err := readRepositories(file, must)
	if err != nil {
		return nil, err
	}
	own, err := ownRepositories()
	if err != nil {
		return nil, err
	}
	all = append(all, own...)
	for _, c := range all {
		if c.Spec.Insecure {
			logger.Warn("an insecure repository is configured: whoever can write to it can run programs on this server", "repository", c.Spec.Name, "url", c.Spec.URL)
		}
	}
	shelf, err := repository.OpenShelf(filepath.Join(o.data, "installed"))
	if err != nil {
		return nil, err
	}
	return drivers.New(ctx, drivers.Config{Store: db, Host: h, Sealer: sealer, Shelf: shelf, Logger: logger, Repositories: all})
}
