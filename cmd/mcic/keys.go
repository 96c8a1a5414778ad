package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// masterKeyFile is the name of the master key's file in the data folder.
const masterKeyFile = "master.key"

// Where keys can be given beside files.
const (
	masterKeyEnv    = "MCIC_MASTER_KEY"
	newMasterKeyEnv = "MCIC_NEW_MASTER_KEY"
)

// keyFlags are the ways to give a master key.
type keyFlags struct{ file, command string }

func (k *keyFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.file, "master-key-file", "", "`file` with the key that seals secrets (default: master.key in the data folder)")
	cmd.Flags().StringVar(&k.command, "master-key-command", "", "shell `command` that prints the key instead, such as one that asks a KMS (or give the key in "+masterKeyEnv+")")
}

// source answers where the key comes from; with none of the ways that is a file.
func (k *keyFlags) source(text, file string) (keys.Source, error) {
	given := 0
	for _, way := range []string{k.file, k.command, text} {
		if way != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return keys.Source{}, resource.Errorf(resource.CodeInvalid, "the master key is given in several ways; leave all but one away: a file, a command, a variable of the environment")
	case given == 0:
		return keys.Source{File: file}, nil
	}
	return keys.Source{File: k.file, Command: k.command, Text: text, Env: commandEnv()}, nil
}

// commandEnv is what a command for the key knows of the server's environment: all but
// secrets that are not its business.
func commandEnv() []string {
	var env []string
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		switch name {
		case masterKeyEnv, newMasterKeyEnv, "MCIC_DATABASE_URL", "MCIC_TOKEN", "SPIDER_PASSWORD":
		default:
			env = append(env, line)
		}
	}
	return env
}

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a master key",
		Long: `Write a new master key to FILE, which must not be there yet and is readable only by
you. It is for servers that share a PostgreSQL, for a KMS that is to encrypt it, and
for mcic server rekey. A server alone makes its own at the first start.`,
		Example: "  mcic server keygen master.key",
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := secret.NewKey()
			if err != nil {
				return err
			}
			err = secret.WriteNew(args[0], key.Text())
			if errors.Is(err, fs.ErrExist) {
				return resource.Errorf(resource.CodeAlreadyExists, "%s is there already and is not overwritten; choose another name", args[0])
			}
			if err != nil {
				return fmt.Errorf("write the master key: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The master key %s is in %s. Keep a copy of it, apart from backups.\n", key.ID(), args[0])
			return nil
		},
	}
}

// rekeyOptions are the flags of mcic server rekey.
type rekeyOptions struct {
	data, databaseURL      string
	now, next              keyFlags
	nowText, nextText      string
	finish                 bool
	stdout                 io.Writer
	logger                 *slog.Logger
	source                 keys.Source
	nextSource, ownNewFile keys.Source // given, or beside the file of the one before
}

func rekeyCommand(defaultData string, getenv func(string) string) *cobra.Command {
	var o rekeyOptions
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Change the master key, while servers run",
		Long: `Seal all secrets anew with another master key. Servers may run meanwhile and need not
be stopped: the new key lies in the database, sealed with the one before, and the
other way round, until the change is finished. So each of the two keys still opens
everything. A change that was interrupted goes on with the same command.

With a data folder and its master.key all is done at once: a new key is made, takes
the place of master.key, and the one before stays beside it under its id, since
backups of before need it.

Elsewhere there are two steps. The first one seals everything anew. Then give every
server the new key, as the one before was given, and start it again. The second step,
with --finish and with the new key, forgets the one before: nothing in the database
can be opened with it from then on.

Whoever had the old key and a copy of the database has what was in it: if the key has
leaked, change the credentials at the clouds too.`,
		Example: `  mcic server rekey --data /var/lib/mcic
  mcic server rekey --database-url postgres://… --master-key-file old.key --new-master-key-file new.key
  mcic server rekey --database-url postgres://… --master-key-file new.key --finish`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.databaseURL == "" {
				o.databaseURL = getenv("MCIC_DATABASE_URL")
			}
			o.nowText, o.nextText, o.stdout = getenv(masterKeyEnv), getenv(newMasterKeyEnv), cmd.OutOrStdout()
			o.logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", defaultData, "data `folder` of the server")
	f.StringVar(&o.databaseURL, "database-url", "", "PostgreSQL database of the servers (also MCIC_DATABASE_URL)")
	o.now.flags(cmd)
	f.StringVar(&o.next.file, "new-master-key-file", "", "`file` with the new key, made if missing (default: master.key.new beside master.key)")
	f.StringVar(&o.next.command, "new-master-key-command", "", "shell `command` that prints the new key (or give the key in "+newMasterKeyEnv+")")
	f.BoolVar(&o.finish, "finish", false, "forget the key before; all servers have the new one")
	return cmd
}

func (o *rekeyOptions) run(ctx context.Context) (err error) {
	if o.source, err = o.now.source(o.nowText, filepath.Join(o.data, masterKeyFile)); err != nil {
		return err
	}
	if o.source.File != "" {
		o.ownNewFile = keys.Source{File: o.source.File + ".new"}
	}
	if o.nextSource, err = o.next.source(o.nextText, o.ownNewFile.File); err != nil {
		return err
	}
	db, err := store.OpenBeside(ctx, o.data, o.databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := o.source.Read(ctx); err != nil { // none is made here
		return err
	}
	keeper, err := keys.Open(ctx, db, o.source, o.logger)
	if err != nil {
		return err
	}
	before, after := keeper.Changing()
	if o.finish || after != nil && after.ID() == keeper.Given().ID() && o.besideOwn() {
		return o.end(ctx, keeper)
	}
	next, err := o.newKey(ctx, after)
	if err != nil {
		return err
	}
	if before == nil {
		before = keeper.Given()
	}
	if err := keeper.Change(ctx, next); err != nil {
		return err
	}
	done, err := keeper.Reseal(ctx)
	if err != nil {
		return fmt.Errorf("%w; %d values were sealed anew; go on with the same command", err, done.Values)
	}
	o.tell(done, next)
	if !o.atOnce() {
		fmt.Fprintf(o.stdout, "The key before, %s, opens everything too, until the change is finished. Give all servers the new key (%s) and start them again, and then: mcic server rekey --finish, with the new key.\n", before.ID(), o.nextSource)
		return nil
	}
	if err := o.swap(before, next); err != nil {
		return fmt.Errorf("put the new master key in the place of the one before: %w; both still open everything; go on with the same command", err)
	}
	if keeper, err = keys.Open(ctx, db, o.source, o.logger); err != nil {
		return err
	}
	return o.end(ctx, keeper)
}

// newKey answers the key to change to. One that a change has begun with is not made anew:
// the database has it.
func (o *rekeyOptions) newKey(ctx context.Context, begun *secret.Key) (*secret.Key, error) {
	if begun != nil && o.nextSource.File != "" {
		if err := secret.WriteNew(o.nextSource.File, begun.Text()); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("write the new master key: %w", err)
		}
	}
	key, _, err := o.nextSource.Make(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the new master key: %w", err)
	}
	return key, nil
}

// atOnce reports whether the one server reads its key from a file that can be replaced
// here.
func (o *rekeyOptions) atOnce() bool {
	info, err := os.Lstat(o.source.File)
	return o.databaseURL == "" && o.besideOwn() && err == nil && info.Mode().IsRegular()
}

// besideOwn reports whether the new key lies beside the file of the one before.
func (o *rekeyOptions) besideOwn() bool {
	return o.ownNewFile.File != "" && o.nextSource.File == o.ownNewFile.File
}

// swap puts the new key in the place of the one before, which stays beside it. The file
// goes on to be its owner's.
func (o *rekeyOptions) swap(before, next *secret.Key) error {
	file, fresh := o.source.File, o.ownNewFile.File
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if err := likeOwner(fresh, info); err != nil {
		return err
	}
	if err := os.Link(file, keptKey(file, before)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := errors.Join(os.Rename(fresh, file), syncFolder(filepath.Dir(file))); err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "The new master key %s is now in %s, the one before in %s: backups of before need it.\n", next.ID(), file, keptKey(file, before))
	return nil
}

func keptKey(file string, key *secret.Key) string { return file + "." + key.ID() }

func (o *rekeyOptions) end(ctx context.Context, keeper *keys.Keeper) error {
	before, _ := keeper.Changing()
	if before == nil {
		fmt.Fprintf(o.stdout, "No change of the master key is under way; it is %s.\n", keeper.Given().ID())
		return nil
	}
	done, err := keeper.Finish(ctx)
	if err != nil {
		return err
	}
	if done.Values > 0 {
		o.tell(done, keeper.Given())
	}
	fmt.Fprintf(o.stdout, "The master key is %s. Nothing in the database can be opened with %s any more. Keep a copy of the new key, apart from backups.\n", keeper.Given().ID(), before.ID())
	return nil
}

func (o *rekeyOptions) tell(done keys.Resealed, key *secret.Key) {
	fmt.Fprintf(o.stdout, "%d values were sealed anew with the master key %s.\n", done.Values, key.ID())
	if n := len(done.Lost); n > 0 {
		fmt.Fprintf(o.stdout, "%d values are opened by neither key and were left as they are: %s\n", n, strings.Join(done.Lost, ", "))
	}
}
