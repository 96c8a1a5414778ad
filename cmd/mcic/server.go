package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	v1 "github.com/m-cmp/mc-infra-connector/internal/api/v1"
	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/console"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// serverOptions are the flags of mcic server.
type serverOptions struct {
	data, databaseURL             string
	listen                        listenOptions
	masterKey                     keyFlags
	masterKeyText                 string
	driverDirs                    []string
	repositories                  string
	driverIdle                    time.Duration
	driverSandbox                 string
	driverReadable                []string
	driverMemory, driverFiles     uint64
	syncEvery, syncPassing        time.Duration
	keepOperations, keepAudit     time.Duration
	auditLog                      string
	spider                        auth.Password
	spiderRole                    string
	breached                      string
	spiderFresh                   time.Duration
	sso                           ssoOptions
	terminals                     int
	terminalIdle, terminalLongest time.Duration
	logLevel, logFormat           string
	newDatabase, dev              bool
}

func serverCommand(defaultData string, getenv func(string) string) *cobra.Command {
	var o serverOptions
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		Long: `Run the server until it is told to stop (SIGTERM or Ctrl-C).

It listens on 127.0.0.1 unless told otherwise, and every call but the health
checks needs a token: that of a user, or the admin token, which is made at the
first start and lies in the file token of the data folder. There is no way to
switch that off.

On an address that others reach it wants TLS, or to be told who else keeps others
from reading along: --behind-proxy or --insecure-http.`,
		Example: `  mcic server --dev
  mcic server --data /var/lib/mcic --listen 0.0.0.0:1024 --tls-cert tls.crt --tls-key tls.key
  mcic server --database-url postgres://mcic@db.example.com/mcic --master-key-file /etc/mcic/master.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.databaseURL == "" {
				o.databaseURL = getenv("MCIC_DATABASE_URL")
			}
			o.masterKeyText = getenv(masterKeyEnv)
			var err error
			if o.spider, err = auth.NewPassword(getenv("SPIDER_USERNAME"), getenv("SPIDER_PASSWORD")); err != nil {
				return fmt.Errorf("SPIDER_USERNAME and SPIDER_PASSWORD, for clients of CB-Spider: %w", err)
			}
			o.spiderRole = getenv("SPIDER_ROLE")
			if err := o.sso.read(getenv); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), defaultData)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", defaultData, "data `folder`: database, token, master key, drivers; created if missing")
	o.listen.flags(cmd)
	f.StringVar(&o.databaseURL, "database-url", "", "PostgreSQL database, postgres://user:password@host/name (default: SQLite in the data folder; also MCIC_DATABASE_URL)")
	f.BoolVar(&o.newDatabase, "new-database", false, "begin with a new database although a server has used the data folder before; for one start")
	o.masterKey.flags(cmd)
	f.StringArrayVar(&o.driverDirs, "driver-dir", nil, "`folder` whose drivers are used whatever is installed, for developing them; may be repeated")
	f.StringVar(&o.repositories, "repositories", "", "`file` with the repositories that drivers are installed from (default: repositories.yaml in the data folder, if it is there)")
	f.DurationVar(&o.driverIdle, "driver-idle", 30*time.Minute, "stop a driver that was unused for so long")
	f.DurationVar(&o.syncEvery, "sync-every", 5*time.Minute, "how often to look for what changed on the clouds without this server")
	f.DurationVar(&o.syncPassing, "sync-passing", 30*time.Second, "how often to look at what is in a passing state, such as starting, without an operation of this server")
	f.DurationVar(&o.keepOperations, "keep-operations", 30*24*time.Hour, "how long to keep operations that have ended and deleted resources")
	f.DurationVar(&o.keepAudit, "keep-audit", 365*24*time.Hour, "how long to keep the audit trail")
	f.StringVar(&o.auditLog, "audit-log", "", "send the audit trail out as lines of JSON: to a `file`, - for standard output, or tcp://host:port, udp://host:port or unix:///dev/log for syslog")
	o.sso.flags(cmd)
	f.StringVar(&o.breached, "breached-passwords", "", "`FILE` of stolen passwords that nobody may choose: lines of SHA-1 hashes in their order, as Pwned Passwords is downloaded")
	f.DurationVar(&o.spiderFresh, "spider-fresh", 2*time.Second, "how old what /spider shows of a cloud may be")
	f.IntVar(&o.terminals, "terminals", 100, "SSH sessions with VMs that may be open at once; 0 for none")
	f.DurationVar(&o.terminalIdle, "terminal-idle", 15*time.Minute, "end an SSH session in which nothing was written or read for so long")
	f.DurationVar(&o.terminalLongest, "terminal-longest", 8*time.Hour, "how long an SSH session may last")
	f.StringVar(&o.driverSandbox, "driver-sandbox", "auto", "keep drivers from the server's files: auto where the kernel can, require, or off")
	f.StringArrayVar(&o.driverReadable, "driver-readable", nil, "further `path` that drivers may read in spite of the sandbox; may be repeated")
	f.Uint64Var(&o.driverMemory, "driver-memory", 0, "`MiB` of data that a driver may have, on Linux; 0 for no limit")
	f.Uint64Var(&o.driverFiles, "driver-files", 4096, "files that a driver may have open, on Linux; 0 for no limit")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.BoolVar(&o.dev, "dev", false, "register the connection mock and say what to try")
	cmd.AddCommand(backupCommand(defaultData, getenv), restoreCommand(defaultData, getenv), rekeyCommand(defaultData, getenv), keygenCommand())
	cmd.SetUsageFunc(new(cobra.Command).UsageFunc()) // it runs by itself too, which the root's leaves out
	return cmd
}

// check refuses times that would have the server do nothing else, or forget at once.
func (o *serverOptions) check() error {
	for flag, given := range map[string]time.Duration{
		"sync-every": o.syncEvery, "sync-passing": o.syncPassing, "keep-operations": o.keepOperations, "keep-audit": o.keepAudit,
		"terminal-idle": o.terminalIdle, "terminal-longest": o.terminalLongest,
	} {
		if given < time.Second {
			return fmt.Errorf("--%s: %s is shorter than 1s; give a longer time, such as 5m or 720h", flag, given)
		}
	}
	return o.listen.check()
}

func (o *serverOptions) run(ctx context.Context, stdout, stderr io.Writer, defaultData string) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	logger, level, err := o.logger(stderr)
	if err != nil {
		return err
	}
	auditSink, err := o.auditSink(stdout)
	if err != nil {
		return err
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	if err := o.openFolder(logger); err != nil {
		return err
	}
	token, created, err := auth.OpenAdminToken(o.data)
	if err != nil {
		return err
	}
	masterKey, err := o.masterKey.source(o.masterKeyText, filepath.Join(o.data, masterKeyFile))
	if err != nil {
		return err
	}
	db, err := o.openStore(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keeper, err := keys.Open(ctx, db, masterKey, logger)
	if err != nil {
		return err
	}

	provider, err := o.sso.provider(o.listen.insecureHTTP)
	if err != nil {
		return err
	}
	who, err := people.New(ctx, people.Config{
		Store: db, Sealer: keeper.Sealer(), Admin: token, Sessions: auth.NewSessions(token.Token, db), Spider: o.spider, SpiderRole: o.spiderRole, SSO: provider, Breached: o.breached, Logger: logger,
	})
	if err != nil {
		return err
	}

	metrics := newMetrics()
	drivers, err := o.host(logger, level, metrics)
	if err != nil {
		return err
	}
	defer drivers.Close()

	installed, err := o.manager(ctx, db, drivers, keeper.Sealer(), logger)
	if err != nil {
		return err
	}
	bus := events.New(db, logger)
	reg := registry.New(registry.Config{Store: db, Host: drivers, Sealer: keeper.Sealer(), Events: bus, Logger: logger})
	reg.WatchConnections(who.Heard)
	inv := inventory.New(inventory.Config{
		Store: db, Registry: reg, Events: bus, Logger: logger, OnOperation: metrics.operation, SyncEvery: o.syncEvery, SyncPassing: o.syncPassing,
	})
	again := once.New(db, keeper.Sealer())
	eng := engine.New(engine.Config{
		Store: db, Host: drivers, Sealer: keeper.Sealer(), Registry: reg, Inventory: inv, Once: again, Events: bus, Logger: logger, OnOperation: metrics.operation,
		KeepFor: o.keepOperations, KeepAudit: o.keepAudit,
	})
	installed.Progress = bus.TellDriver
	metrics.watchQueue(eng)
	front, err := o.listen.open(ctx, logger)
	if err != nil {
		return err
	}
	trail := audit.New(audit.Config{Store: db, Logger: logger, Sink: auditSink})
	metrics.watchCertificate(front.certificate)
	metrics.watchCredentials(reg)
	state := &readiness{healthy: eng.Healthy, door: front}
	if o.dev {
		state.set(errStarting())
	}
	// Requests end with the server: those that wait answer what they know.
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	pages, err := console.Handler()
	if err != nil {
		return err
	}
	choices := catalog.New(reg.Session)
	terminals := terminal.New(terminal.Config{Store: db, Sealer: keeper.Sealer(), Logger: logger, Most: o.terminals, Idle: o.terminalIdle, Longest: o.terminalLongest})
	metrics.watchTerminals(terminals)
	web := &http.Server{
		Handler: auth.Addressed(v1.New(v1.Config{
			Audit:    trail,
			Registry: reg, Inventory: inv, Engine: eng, Once: again, Events: bus, Catalog: choices, Drivers: installed, People: who, Console: pages, PublicURL: o.sso.publicURL, Dev: o.dev, Ready: state.ready,
			Terminal: terminals, Metrics: metrics.registry, Logger: logger, Version: version,
			Spider: spider.New(spider.Config{
				Audit: trail, Registry: reg, Inventory: inv, Engine: eng, Catalog: choices, People: who, Terminal: terminals, Fresh: o.spiderFresh, Ready: state.ready, Logger: logger, Version: version,
			}),
		}), o.listen.behindProxy),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	failed := make(chan error, 4)
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{eng.Run, keeper.Run, db.Watch} {
		running.Go(func() {
			if err := run(work); err != nil {
				failed <- err
			}
		})
	}
	for _, run := range []func(context.Context){front.run, trail.Run, reg.Run, inv.Run, who.Run, installed.Run} {
		running.Go(func() { run(work) })
	}
	go func() {
		if err := web.Serve(front); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()

	logger.Info("server started", "address", front.address, "data", o.data, "version", version)
	var devErr error
	if o.dev {
		devErr = registerDev(ctx, reg)
		state.set(devErr)
	}
	o.greet(stdout, greeting{address: front.address, tokenCreated: created, defaultData: defaultData, devErr: devErr})
	debug.FreeOSMemory() // that only the start needed

	select {
	case <-ctx.Done():
		logger.Info("server stops")
	case err = <-failed:
	}
	endRequests()
	deadline, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(err, web.Shutdown(deadline))
	terminals.Close(deadline) // which Shutdown does not know
	stopWork()
	running.Wait()
	return err
}

// auditSink is where the audit trail is sent to, nil for nowhere.
func (o *serverOptions) auditSink(stdout io.Writer) (*audit.Sink, error) {
	if o.auditLog == "" {
		return nil, nil //nolint:nilnil // which is what was asked for
	}
	sink, err := audit.ParseSink(o.auditLog, stdout)
	if err != nil {
		return nil, fmt.Errorf("--audit-log: %w", err)
	}
	return sink, nil
}

func (o *serverOptions) logger(w io.Writer) (*slog.Logger, slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, 0, fmt.Errorf("--log-level %q is not one of debug, info, warn, error", o.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), level, nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), level, nil
	default:
		return nil, 0, fmt.Errorf("--log-format %q is not text or json", o.logFormat)
	}
}

// maxSocketDir keeps socket paths within what the system takes, 104 bytes on macOS
// and 108 on Linux, with room for the names below it.
const maxSocketDir = 60

func (o *serverOptions) host(logger *slog.Logger, level slog.Level, m *metrics) (*host.Host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program itself: %w", err)
	}
	sandbox := host.Sandbox{Readable: o.driverReadable, Memory: o.driverMemory << 20, OpenFiles: o.driverFiles}
	switch o.driverSandbox {
	case "auto", "require":
		sandbox.Mode = host.SandboxMode(o.driverSandbox)
	case "off":
		logger.Warn("drivers are not kept from reading the server's files: --driver-sandbox off")
	default:
		return nil, fmt.Errorf("--driver-sandbox %q is not one of auto, require, off", o.driverSandbox)
	}
	run := filepath.Join(o.data, "run")
	sockets := ""
	if o.databaseURL == "" { // this server's alone: what an earlier run left can go
		if err := os.RemoveAll(run); err != nil {
			return nil, fmt.Errorf("clear %s: %w", run, err)
		}
	}
	if len(run) <= maxSocketDir {
		if err := os.MkdirAll(run, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder for sockets: %w", err)
		}
		sockets = run
	}
	return host.New(host.Config{
		Override:    o.driverDirs,
		Dirs:        []string{filepath.Join(o.data, "drivers"), filepath.Dir(self)},
		BuiltIn:     map[string][]string{"mock": {self, mockCommand}},
		WorkDir:     filepath.Join(o.data, "work"),
		SocketDir:   sockets,
		LogLevel:    level,
		Logger:      logger,
		IdleTimeout: o.driverIdle,
		Observe:     m.call,
		Sandbox:     sandbox,
	}), nil
}

type greeting struct {
	address, defaultData string
	tokenCreated         bool
	devErr               error
}

// registerDev registers the connection of --dev, unless it is there.
func registerDev(ctx context.Context, reg *registry.Registry) error {
	_, err := reg.CreateConnection(ctx, []byte(`{"name":"`+devConnection+`","cloud":"mock","region":"mock-seoul"}`), true)
	if err == nil || resource.CodeOf(err) == resource.CodeAlreadyExists {
		return nil
	}
	return resource.Errorf(resource.CodeUnavailable, "the connection %s of --dev could not be registered: %w", devConnection, err)
}

// greet tells a person how to go on.
func (o *serverOptions) greet(w io.Writer, g greeting) {
	tokenFile := filepath.Join(o.data, auth.TokenFile)
	fmt.Fprintf(w, "\nmc-infra-connector %s is ready at %s (console in a browser; API: %s/docs)\n", version, g.address, g.address)
	if g.tokenCreated {
		if raw, err := os.ReadFile(tokenFile); err == nil { //nolint:gosec // in the operator's data folder
			fmt.Fprintf(w, "Admin token, shown this once: %s", raw)
		}
	}
	fmt.Fprintf(w, "The admin token lies in %s\n", tokenFile)
	switch {
	case !o.dev:
		return
	case g.devErr != nil:
		fmt.Fprintf(w, "The server is not ready: %v\n", g.devErr)
		return
	}
	fmt.Fprintf(w, "\nThe connection %s reaches a cloud that is only played. Try, in another terminal:\n\n", devConnection)
	if o.data != g.defaultData {
		fmt.Fprintf(w, "  export MCIC_DATA=%s\n", o.data)
	}
	if g.address != "http://"+defaultListen {
		fmt.Fprintf(w, "  export MCIC_SERVER=%s\n", g.address)
	}
	self, err := os.Executable()
	if err != nil {
		self = "mcic"
	}
	for _, line := range []string{
		"image list -c " + devConnection + " --filter os=ubuntu",
		"vpc create vpc1 -c " + devConnection + " --cidr 10.0.0.0/16 --wait",
		"operation list",
	} {
		fmt.Fprintf(w, "  %s %s\n", self, line)
	}
	fmt.Fprintln(w)
}

// defaultListen is where the server listens and the command line looks for it.
const defaultListen = "127.0.0.1:1024"

// devConnection is the connection that --dev registers.
const devConnection = "mock"
