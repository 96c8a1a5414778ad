package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A backup is a tar.gz: a manifest, and then the files that it names, which lie in
// a data folder under the same names.
const (
	manifestFile  = "manifest.json"
	backupFormat  = "mcic-backup"
	backupVersion = 1
	maxSmallFile  = 64 << 10 // bytes of the manifest, the token and the master key
	maxTrailer    = 64 << 10 // bytes of zeros that a tar may end with
)

type manifest struct {
	Format    string       `json:"format"`
	Version   int          `json:"version"`
	MCIC      string       `json:"mcic"` // version of the program that wrote it
	CreatedAt time.Time    `json:"createdAt"`
	Files     []backupFile `json:"files"`
	Keys      []string     `json:"keys,omitempty"` // ids of the master keys that open what is sealed
	Sealed    int          `json:"sealed"`         // values
}

type backupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func (m *manifest) has(name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

type backupOptions struct {
	data, databaseURL, masterKeyFile string
	withMasterKey, force             bool
	passphraseFile                   string
	passphrase                       []byte
}

func (o *backupOptions) flags(cmd *cobra.Command, defaultData string) {
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data `folder` of the server")
	cmd.Flags().StringVar(&o.databaseURL, "database-url", "", "PostgreSQL database of the server; the answer then names the tools for it (also MCIC_DATABASE_URL)")
	cmd.Flags().StringVar(&o.passphraseFile, "passphrase-file", "", "`file` with the passphrase that the backup is encrypted with; - for standard input")
}

// onPostgres reports whether the server's database is another program's to copy.
func (o *backupOptions) onPostgres(getenv func(string) string) bool {
	return o.databaseURL != "" || getenv("MCIC_DATABASE_URL") != ""
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return resource.Errorf(resource.CodeInvalid, "%s takes one file: %[1]s FILE", cmd.CommandPath())
	}
	return nil
}

func backupCommand(defaultData string, getenv func(string) string) *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy a server's data into a file, also while the server runs",
		Long: `Copy the SQLite database and the admin token of a data folder into FILE, a tar.gz
that only its owner can read. The server may run meanwhile; the copy is the
database of one moment.

The master key is not in it unless --with-master-key is given. Without the master
key, credentials and private keys in the backup cannot be opened by anyone: keep a
copy of it, and keep it apart from the backups. With it, whoever has the file has
every cloud that the server can reach.

With --passphrase-file the file is encrypted with age (https://age-encryption.org),
so that it can be opened with the program age too: age -d FILE. Whoever loses the
passphrase loses the backup.

Drivers in the data folder are not in it either.

A server on PostgreSQL is backed up with PostgreSQL's own pg_dump.`,
		Example: `  mcic server backup /backup/mcic-$(date +%F).tar.gz --data /var/lib/mcic
  mcic server backup everything.tar.gz.age --with-master-key --passphrase-file -`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.onPostgres(getenv) {
				return resource.Errorf(resource.CodeUnsupported, "the server's database is PostgreSQL; back it up with: pg_dump --format=custom --file=mcic.dump URL, and keep the master key apart from it. mcic server backup is for SQLite")
			}
			var err error
			if o.passphrase, err = readPassphrase(cmd, o.passphraseFile); err != nil {
				return err
			}
			return o.backup(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.flags(cmd, defaultData)
	cmd.Flags().BoolVar(&o.withMasterKey, "with-master-key", false, "put the master key into the file too: whoever has the file can then open all that is sealed")
	cmd.Flags().StringVar(&o.masterKeyFile, "master-key-file", "", "`file` with the master key, if it is not master.key in the data folder")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace FILE if it is there already")
	return cmd
}

func restoreCommand(defaultData string, getenv func(string) string) *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder from a backup",
		Long: `Make a data folder from a file that mcic server backup has written. The folder may
exist, but not hold a database, and no server may run in it. The file is checked
before anything of it is used.

If the backup has no master key, put the one of the backed up server into the
folder as master.key before the server is started: with another one, or none, it
does not start. One that is encrypted needs the --passphrase-file it was made with.

A server on PostgreSQL is restored with PostgreSQL's own pg_restore.`,
		Example: `  mcic server restore /backup/mcic-2026-01-31.tar.gz --data /var/lib/mcic`,
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.onPostgres(getenv) {
				return resource.Errorf(resource.CodeUnsupported, "the server's database is PostgreSQL; restore it into an empty database with: pg_restore --no-owner --dbname=URL mcic.dump, and start the servers with the same master key. mcic server restore is for SQLite")
			}
			var err error
			if o.passphrase, err = readPassphrase(cmd, o.passphraseFile); err != nil {
				return err
			}
			return o.restore(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.flags(cmd, defaultData)
	return cmd
}

func (o *backupOptions) backup(ctx context.Context, stdout io.Writer, file string) error {
	if o.masterKeyFile != "" && !o.withMasterKey {
		return resource.Errorf(resource.CodeInvalid, "--master-key-file is only used with --with-master-key; give both or neither")
	}
	if o.masterKeyFile == "" {
		o.masterKeyFile = filepath.Join(o.data, masterKeyFile)
	}
	if _, err := os.Stat(filepath.Join(o.data, store.SQLiteFile)); errors.Is(err, fs.ErrNotExist) {
		return resource.Errorf(resource.CodeNotFound, "there is no database in %s; name the server's data folder with: mcic server backup FILE --data FOLDER", o.data)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !o.force {
		return fileExists(file)
	}
	// What is written first lies beside the file, out of sight of others.
	work, err := os.MkdirTemp(filepath.Dir(file), ".mcic-backup-*")
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	plain := work
	if o.passphrase != nil { // what is not encrypted goes nowhere that it is not already
		if plain, err = os.MkdirTemp(o.data, ".mcic-backup-*"); err != nil {
			return fmt.Errorf("copy the data: %w", err)
		}
		defer func() { _ = os.RemoveAll(plain) }()
	}
	m, archive, err := o.pack(ctx, plain, work)
	if err != nil {
		return err
	}
	if o.force {
		err = os.Rename(archive, file)
	} else if err = os.Link(archive, file); errors.Is(err, fs.ErrExist) { // unlike a rename it replaces nothing
		return fileExists(file)
	}
	if err := errors.Join(err, syncFolder(filepath.Dir(file))); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	fmt.Fprintf(stdout, "Backed up %s into %s.\n", o.data, file)
	m.tell(stdout, o.passphrase != nil)
	if !m.has(masterKeyFile) {
		fmt.Fprintln(stdout, "Keep a copy of the master key, apart from the backups: without it, sealed credentials, private keys and second steps of logins are lost.")
	}
	return nil
}

// tell says what is in a backup.
func (m *manifest) tell(w io.Writer, encrypted bool) {
	fmt.Fprintf(w, "It contains the database, with %d sealed values, and the admin token.\n", m.Sealed)
	switch {
	case m.has(masterKeyFile):
		fmt.Fprintln(w, "It contains the master key: whoever opens the file can open every credential. Guard it so.")
	case len(m.Keys) > 0:
		fmt.Fprintf(w, "The master key is not in it, which is %s.\n", strings.Join(m.Keys, " or "))
	default:
		fmt.Fprintln(w, "The master key is not in it.")
	}
	if encrypted {
		fmt.Fprintln(w, "It is encrypted with the passphrase.")
	} else {
		fmt.Fprintln(w, "It is not encrypted: whoever can read it has the admin token and all records.")
	}
}

func fileExists(file string) error {
	return resource.Errorf(resource.CodeAlreadyExists, "%s is there already; choose another name, or replace it with: mcic server backup --force", file)
}

// pack copies what is backed up into one folder, and writes the archive into another.
func (o *backupOptions) pack(ctx context.Context, plain, dir string) (m *manifest, archive string, err error) {
	database := filepath.Join(plain, store.SQLiteFile)
	if err := store.BackupSQLite(ctx, o.data, database); err != nil {
		return nil, "", fmt.Errorf("back up %s: %w", o.data, err)
	}
	if err := store.CheckSQLite(ctx, database); err != nil {
		return nil, "", fmt.Errorf("check the copy of %s: %w", o.data, err)
	}
	m = &manifest{Format: backupFormat, Version: backupVersion, MCIC: version, CreatedAt: time.Now().UTC().Truncate(time.Second)}
	if m.Keys, m.Sealed, err = store.SealedInSQLite(ctx, database); err != nil {
		return nil, "", fmt.Errorf("see what is sealed in the copy of %s: %w", o.data, err)
	}
	sources := map[string]string{store.SQLiteFile: database, auth.TokenFile: filepath.Join(o.data, auth.TokenFile)}
	names := []string{auth.TokenFile, store.SQLiteFile}
	if o.withMasterKey {
		key, err := secret.ReadKey(o.masterKeyFile)
		switch {
		case errors.Is(err, secret.ErrNoKey):
			return nil, "", resource.Errorf(resource.CodeNotFound, "%w; name its file with: mcic server backup --with-master-key --master-key-file FILE", err)
		case err != nil:
			return nil, "", err
		case len(m.Keys) > 0 && !slices.Contains(m.Keys, key.ID()):
			return nil, "", resource.Errorf(resource.CodeInvalid, "the master key in %s is %s, but the database has %s; name that one with: mcic server backup --with-master-key --master-key-file FILE", o.masterKeyFile, key.ID(), strings.Join(m.Keys, " or "))
		}
		sources[masterKeyFile] = filepath.Join(plain, masterKeyFile) // a copy: the key may be changed meanwhile
		if err := secret.WriteNew(sources[masterKeyFile], key.Text()); err != nil {
			return nil, "", fmt.Errorf("copy the master key: %w", err)
		}
		names = append([]string{masterKeyFile}, names...)
	}
	for _, name := range names {
		sum := sha256.New()
		size, err := readInto(ctx, sum, sources[name])
		if err != nil {
			return nil, "", fmt.Errorf("read what is backed up: %w", err)
		}
		m.Files = append(m.Files, backupFile{name, size, hex.EncodeToString(sum.Sum(nil))})
	}
	archive = filepath.Join(dir, "backup.tar.gz")
	out, err := os.OpenFile(archive, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in our own folder
	if err != nil {
		return nil, "", fmt.Errorf("write the backup: %w", err)
	}
	err = o.encrypted(out, func(w io.Writer) error { return writeArchive(ctx, w, m, sources) })
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return nil, "", fmt.Errorf("write the backup: %w", err)
	}
	return m, archive, nil
}

func writeArchive(ctx context.Context, w io.Writer, m *manifest, sources map[string]string) error {
	packed := gzip.NewWriter(w)
	out := tar.NewWriter(packed)
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	header := func(name string, size int64) error {
		return out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: m.CreatedAt, Format: tar.FormatPAX})
	}
	if err := header(manifestFile, int64(len(raw))); err != nil {
		return err
	}
	if _, err := out.Write(raw); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := header(f.Name, f.Size); err != nil {
			return err
		}
		if _, err := readInto(ctx, out, sources[f.Name]); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), packed.Close())
}

func readInto(ctx context.Context, w io.Writer, path string) (int64, error) {
	f, err := os.Open(path) //nolint:gosec // in the operator's data folder, or named by the operator
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return io.Copy(w, whileWanted{ctx, f})
}

// whileWanted reads until its context ends, so that Ctrl-C is heard in large files.
type whileWanted struct {
	ctx context.Context //nolint:containedctx // io.Reader has no place for it
	r   io.Reader
}

func (w whileWanted) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

func (o *backupOptions) restore(ctx context.Context, stdout io.Writer, file string) (err error) {
	dir, err := filepath.Abs(o.data)
	if err != nil {
		return err
	}
	_, err = os.Stat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	beside := dir
	if fresh {
		beside = filepath.Dir(dir)
		if err := os.MkdirAll(beside, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	} else {
		guard, err := store.LockForRestore(dir)
		if err != nil {
			return err
		}
		defer func() { _ = guard.Close() }()
	}
	work, err := os.MkdirTemp(beside, ".mcic-restore-*") // mode 0700
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	m, err := o.unpack(ctx, file, work)
	if err != nil {
		return err
	}
	if fresh {
		err = os.Rename(work, dir)
	} else {
		err = moveInto(dir, work, m)
	}
	if err := errors.Join(err, syncFolder(beside), syncFolder(dir)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	fmt.Fprintf(stdout, "Restored %s, written by mcic %.50q at %s.\n", dir, m.MCIC, m.CreatedAt.Format(time.RFC3339))
	tellKey(stdout, filepath.Join(dir, masterKeyFile), m)
	fmt.Fprintf(stdout, "Start the server with: mcic server --data %s\nThe backed up server must not run any more: both would change the same clouds. What was created since the backup shows: mcic connection inventory NAME\n", dir)
	return nil
}

// tellKey says if the folder does not have the master key that the backup needs.
func tellKey(w io.Writer, path string, m *manifest) {
	key, err := secret.ReadKey(path)
	needed := "that of the backed up server"
	if len(m.Keys) > 0 {
		needed = strings.Join(m.Keys, " or ")
	}
	switch {
	case errors.Is(err, secret.ErrNoKey):
		fmt.Fprintf(w, "The master key is missing: before the server is started, put %s at %s with mode 0600, or give it in another way. Without it the server does not start, unless nothing is sealed.\n", needed, path)
	case err != nil:
		fmt.Fprintf(w, "The master key cannot be used: %v\n", err)
	case len(m.Keys) > 0 && !slices.Contains(m.Keys, key.ID()):
		fmt.Fprintf(w, "The master key at %s is %s, but the backup needs %s: replace it before the server is started.\n", path, key.ID(), needed)
	}
}

// moveInto moves the restored files into a data folder that is locked. The database
// comes last: until it is there, the same can be done again.
func moveInto(dir, work string, m *manifest) error {
	for _, f := range m.Files {
		if err := sameFile(filepath.Join(work, f.Name), filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	for _, name := range []string{masterKeyFile, auth.TokenFile, store.SQLiteFile} {
		if !m.has(name) {
			continue
		}
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// sameFile accepts a token or a master key that is in the data folder already if it
// is that of the backup.
func sameFile(restored, have string) error {
	b, err := os.ReadFile(have) //nolint:gosec // in the operator's data folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := os.ReadFile(restored) //nolint:gosec // just unpacked
	if err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) {
		return resource.Errorf(resource.CodeConflict, "%s is there already, and differs from the one in the backup; move it away, and then again: mcic server restore", have)
	}
	return nil
}

// unpack reads a backup into an empty folder and checks all of it.
func (o *backupOptions) unpack(ctx context.Context, file, dir string) (*manifest, error) {
	in, err := os.Open(file) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, resource.Errorf(resource.CodeNotFound, "there is no file %s; name one that mcic server backup has written", file)
	}
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	defer func() { _ = in.Close() }()
	plain, err := o.decrypted(whileWanted{ctx, in})
	var m *manifest
	if err == nil {
		m, err = readArchive(plain, dir)
	}
	if err == nil {
		err = store.CheckSQLite(ctx, filepath.Join(dir, store.SQLiteFile))
	}
	_, ofDisk := errors.AsType[*fs.PathError](err)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case ofDisk:
		return nil, fmt.Errorf("unpack the backup: %w", err)
	case err != nil:
		return nil, resource.Errorf(resource.CodeInvalid, "%s cannot be restored: %w; nothing was changed; choose another backup", file, err)
	}
	return m, nil
}

func readArchive(r io.Reader, dir string) (*manifest, error) {
	packed, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is no backup of mcic: %w", err)
	}
	in := tar.NewReader(packed)
	m, err := readManifest(in)
	if err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		header, err := in.Next()
		if err != nil {
			return nil, damaged(err)
		}
		if header.Name != f.Name || header.Typeflag != tar.TypeReg || header.Size != f.Size {
			return nil, fmt.Errorf("it is damaged: %.100q is not what its manifest says", header.Name)
		}
		if err := writeChecked(filepath.Join(dir, f.Name), in, f, sha256.New()); err != nil {
			return nil, err
		}
	}
	switch header, err := in.Next(); {
	case err == nil:
		return nil, fmt.Errorf("it is damaged: %.100q is not in its manifest", header.Name)
	case !errors.Is(err, io.EOF):
		return nil, damaged(err)
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(packed, maxTrailer+1)) // to the checksum
	if err != nil || rest > maxTrailer {
		return nil, damaged(err)
	}
	return m, nil
}

func damaged(err error) error {
	switch {
	case err == nil:
		return errors.New("it is damaged: something follows its end")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is damaged: its end is missing")
	default:
		return fmt.Errorf("it is damaged: %w", err)
	}
}

// readManifest reads what the archive begins with. Only names of a closed set pass,
// so that no file can be written elsewhere.
func readManifest(in *tar.Reader) (*manifest, error) {
	header, err := in.Next()
	if err != nil || header.Name != manifestFile || header.Size > maxSmallFile {
		return nil, errors.Join(errors.New("it is no backup of mcic: it does not begin with a manifest"), err)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		return nil, damaged(err)
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil || m.Format != backupFormat {
		return nil, errors.New("it is no backup of mcic: its manifest is another one")
	}
	if m.Version != backupVersion {
		return nil, fmt.Errorf("its format has version %d, this program knows %d; it was written by mcic %.50q, which restores it", m.Version, backupVersion, m.MCIC)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		small := f.Name == auth.TokenFile || f.Name == masterKeyFile
		if !small && f.Name != store.SQLiteFile || seen[f.Name] || f.Size < 0 || small && f.Size > maxSmallFile {
			return nil, fmt.Errorf("its manifest names %.100q with %d bytes, which no backup has", f.Name, f.Size)
		}
		seen[f.Name] = true
	}
	if !seen[store.SQLiteFile] || !seen[auth.TokenFile] {
		return nil, errors.New("its manifest lacks the database or the token")
	}
	return &m, nil
}

func writeChecked(path string, r io.Reader, f backupFile, sum hash.Hash) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the name is one of a closed set
	if err != nil {
		return err
	}
	size, err := io.Copy(io.MultiWriter(out, sum), r)
	_, ofDisk := errors.AsType[*fs.PathError](err)
	if err != nil && !ofDisk {
		err = damaged(err)
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if size != f.Size || !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), f.SHA256) {
		return fmt.Errorf("it is damaged: %s is not what its manifest says", f.Name)
	}
	return nil
}

// syncFolder makes a rename in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // a folder that the operator chose
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
