package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/internal/certificate"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
)

func (a *app) repositoryCommand() *cobra.Command {
	group := a.group("repository", groupSetup, "Places that drivers are installed from",
		`A repository holds packages of drivers: any OCI registry, or a folder. The server
installs only packages that are signed with a key that you trust for the repository.`,
		"  mcic repository create team --url oci://registry.example.com/drivers --key team.pub\n  mcic repository list\n  mcic repository serve /srv/drivers")
	group.Aliases = []string{"repositories"}
	nameOf := func(r api.Repository) string { return r.Name }
	repositories := func(ctx context.Context, c *client.Client) ([]api.Repository, error) {
		return client.Collect(c.Repositories(ctx))
	}
	group.AddCommand(a.repositoryCreate(), a.repositoryUpdate(),
		setupList(a, "repository", repositories, nameOf, []column[api.Repository]{
			{"NAME", nameOf},
			{"PRIORITY", func(r api.Repository) string { return strconv.Itoa(r.Priority) }},
			{"URL", func(r api.Repository) string { return r.URL }},
			{"TRUST", func(r api.Repository) string {
				if r.Insecure {
					return "INSECURE"
				}
				return fmt.Sprintf("%d keys", len(r.Keys))
			}},
			{"CONFIGURED", func(r api.Repository) string {
				if r.Configured {
					return "yes"
				}
				return ""
			}},
		}),
		setupGet(a, "repository", (*client.Client).Repository, nameOf),
		setupDelete(a, "repository", (*client.Client).DeleteRepository),
		a.repositoryServe(), a.repositorySweep())
	return group
}

// repositoryFlags say where a repository is and whom to trust.
type repositoryFlags struct {
	api.RepositoryRequest
	keys     []string
	password string
}

func (r *repositoryFlags) add(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&r.URL, "url", "", "`URL`: oci://host/namespace of a registry, or file:///folder on the server")
	f.StringArrayVar(&r.keys, "key", nil, "`FILE` with a public key that is trusted, or PREFIX=FILE for some drivers only; may be repeated")
	f.IntVar(&r.Priority, "priority", 0, "`NUMBER`; of several repositories that have a driver the highest is used")
	f.StringVar(&r.Username, "username", "", "`USER` to log in as")
	f.StringVar(&r.password, "password", "", "`PASSWORD` or token; - asks for it")
	f.BoolVar(&r.PlainHTTP, "plain-http", false, "speak HTTP without TLS to the registry")
	f.BoolVar(&r.Insecure, "insecure", false, "install packages without a trusted signature: whoever can write to the repository can run programs on the server")
}

// read reads the keys and the password.
func (r *repositoryFlags) read(ctx context.Context, a *app) error {
	for _, text := range r.keys {
		prefix, file, ok := strings.Cut(text, "=")
		if !ok {
			prefix, file = "", text
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return usageError("--key: %w", err)
		}
		r.Keys = append(r.Keys, api.TrustedKey{Key: string(raw), Prefix: prefix})
	}
	if r.password != "" {
		values, err := a.credentialValues(ctx, []string{"password=" + r.password}, nil)
		if err != nil {
			return err
		}
		r.Password = values["password"]
	}
	return nil
}

func (a *app) repositoryCreate() *cobra.Command {
	var (
		out   format
		given repositoryFlags
	)
	cmd := &cobra.Command{
		Use: "create NAME --url URL", Args: oneName, ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Register a repository",
		Long: `Registers a repository with the public keys whose signatures are trusted. A key can
be bound to the drivers whose names begin with a prefix: --key aws=aws-team.pub.

Without a password the server uses the login in Docker's configuration of its own
user, if there is one for the host.`,
		Example: "  mcic repository create team --url oci://registry.example.com/drivers --key team.pub\n  mcic repository create site --url file:///srv/drivers --key site.pub --priority 10",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case given.URL == "":
				return usageError("--url is required: where the repository is, such as oci://registry.example.com/drivers")
			case len(given.keys) == 0 && !given.Insecure:
				return usageError("--key is required: a file with the public key of those whose drivers may run on the server")
			}
			if err := given.read(cmd.Context(), a); err != nil {
				return err
			}
			given.Name = args[0]
			return shown(a, cmd, out, repositoryName, func(ctx context.Context, c *client.Client) (*api.Repository, error) {
				return c.CreateRepository(ctx, given.RepositoryRequest)
			})
		},
	}
	given.add(cmd.Flags())
	addOutput(cmd, &out)
	return cmd
}

func repositoryName(r *api.Repository) string { return r.Name }

func (a *app) repositoryUpdate() *cobra.Command {
	var (
		out   format
		given repositoryFlags
	)
	cmd := &cobra.Command{
		Use: "update NAME", Args: oneName, ValidArgsFunction: a.completeSetup("repository", 1),
		Short: "Change a repository",
		Long: `Changes what is given and leaves the rest as it is. --key replaces all keys. What was
installed from the repository stays installed.`,
		Example: "  mcic repository update team --priority 20\n  mcic repository update team --key new.pub\n  mcic repository update team --insecure=false --key team.pub",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := given.read(cmd.Context(), a); err != nil {
				return err
			}
			change := api.RepositoryChange{Keys: given.Keys}
			changed := cmd.Flags().Changed
			change.URL = ifGiven(changed("url"), given.URL)
			change.Priority = ifGiven(changed("priority"), given.Priority)
			change.Username = ifGiven(changed("username"), given.Username)
			change.Password = ifGiven(changed("password"), given.Password)
			change.PlainHTTP = ifGiven(changed("plain-http"), given.PlainHTTP)
			change.Insecure = ifGiven(changed("insecure"), given.Insecure)
			return shown(a, cmd, out, repositoryName, func(ctx context.Context, c *client.Client) (*api.Repository, error) {
				return c.UpdateRepository(ctx, args[0], change)
			})
		},
	}
	given.add(cmd.Flags())
	addOutput(cmd, &out)
	return cmd
}

// ifGiven is what a flag changes, nil if it was not given.
func ifGiven[T any](given bool, value T) *T {
	if !given {
		return nil
	}
	return &value
}

// The served repository's token lies in a file in its folder, unless another is named.
const serveTokenFile = ".token"

func (a *app) repositoryServe() *cobra.Command {
	var (
		listen, tokenFile string
		files             certificate.Files
		public            bool
	)
	cmd := &cobra.Command{
		Use: "serve FOLDER", Args: oneFile,
		Short: "Serve a folder of packages as an OCI registry",
		Long: `Serves a folder of packages over the OCI distribution protocol, so that a team can
share drivers with no other software. It speaks to mcic and to any other OCI client,
such as oras.

Pulling and pushing need a token, which is made at the first start and lies in the
file .token of the folder: as a bearer token, or as the password of any user.`,
		Example: "  mcic repository serve /srv/drivers\n  mcic repository serve /srv/drivers --listen 0.0.0.0:5000 --tls-cert cert.pem --tls-key key.pem --public",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // packages are for others to read
				return err
			}
			if tokenFile == "" {
				tokenFile = filepath.Join(dir, serveTokenFile)
				if _, err := os.Stat(tokenFile); errors.Is(err, fs.ErrNotExist) {
					if err := writeNew(tokenFile, []byte(rand.Text()+"\n"), 0o600); err != nil {
						return err
					}
				}
			}
			token, err := os.ReadFile(tokenFile)
			if err != nil {
				return usageError("--token-file: %w", err)
			}
			access := repository.Access{Token: strings.TrimSpace(string(token)), Public: public}
			if access.Token == "" {
				return usageError("%s is empty; put a token into it, or remove it", tokenFile)
			}
			handler, err := repository.Serve(dir, access)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), listen, handler, files, "the packages in "+dir+" are served at %s; the token lies in "+tokenFile+"\n")
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:5000", "`ADDRESS` to listen on; port 0 takes a free one")
	f.StringVar(&tokenFile, "token-file", "", "`FILE` with the token (default: .token in the folder, made if it is not there)")
	f.StringVar(&files.Certificate, "tls-cert", "", "`FILE` with the certificate in PEM, read anew when it changes; without it HTTP is spoken")
	f.StringVar(&files.Key, "tls-key", "", "`FILE` with the certificate's key in PEM")
	f.BoolVar(&public, "public", false, "let everybody pull; pushing needs the token")
	return cmd
}

func (a *app) repositorySweep() *cobra.Command {
	var (
		out      format
		age      time.Duration
		untagged bool
	)
	cmd := &cobra.Command{
		Use: "gc FOLDER", Args: oneFile,
		Short: "Remove from a folder of packages what nothing needs",
		Long: `Removes from a folder of packages, served or not, the contents that no package needs,
and uploads that did not end. What is younger than --older-than stays, as a package that
is being pushed may need it in a moment; the folder can be in use meanwhile.

With --untagged it removes packages too that have no version (any more), after one was
deleted or replaced. A server that runs such a package cannot install it anew then.`,
		Example: "  mcic repository gc /srv/drivers\n  mcic repository gc /srv/drivers --untagged --older-than 720h",
		RunE: func(_ *cobra.Command, args []string) error {
			swept, err := repository.Sweep(args[0], age, untagged)
			if err != nil {
				return err
			}
			return a.printObject(out, swept, args[0], func() error {
				return a.write(fmt.Sprintf("removed %d packages or parts of them, %d files (%d bytes) and %d uploads that did not end\n", swept.Manifests, swept.Blobs, swept.Bytes, swept.Uploads))
			})
		},
	}
	cmd.Flags().DurationVar(&age, "older-than", 24*time.Hour, "`AGE` of what can go")
	cmd.Flags().BoolVar(&untagged, "untagged", false, "remove packages that have no version (any more), too")
	addOutput(cmd, &out)
	return cmd
}

// serve serves until the context ends. greeting has a place for the address.
func (a *app) serve(ctx context.Context, listen string, handler http.Handler, files certificate.Files, greeting string) error {
	secure, err := files.Given()
	if err != nil {
		return usageError("%w", err)
	}
	logger := slog.New(slog.NewTextHandler(a.env.Stderr, nil))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	scheme := "http"
	if secure {
		shown, err := certificate.Open(files, logger)
		if err != nil {
			return err
		}
		go shown.Run(ctx)
		scheme, server.TLSConfig = "https", shown.Config()
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", listen, err)
	}
	failed := make(chan error, 1)
	go func() {
		if secure {
			failed <- server.ServeTLS(listener, "", "")
			return
		}
		failed <- server.Serve(listener)
	}()
	if err := a.write(fmt.Sprintf(greeting, scheme+"://"+listener.Addr().String())); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
