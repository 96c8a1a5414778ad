package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The commands of a driver's author need no server.

// defaultDist is the folder that packages are made in.
const defaultDist = "dist"

// defaultPlatforms is what a driver in Go is built for.
func defaultPlatforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}
}

func (a *app) driverKeygen() *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Args: oneFile,
		Short:   "Make a key pair to sign packages with",
		Long:    "Writes a private key to FILE, readable for you alone, and the public key to\nFILE.pub. Who installs your drivers registers the public key with the repository.\nThe private key is not encrypted: keep it where only you and your release build\ncan read it.",
		Example: "  mcic driver keygen release.key",
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := repository.NewKey()
			if err != nil {
				return err
			}
			secret, err := key.PEM()
			if err != nil {
				return err
			}
			if err := writeNew(args[0], secret, 0o600); err != nil {
				return err
			}
			if err := writeNew(args[0]+".pub", []byte(key.Public().PEM()), 0o644); err != nil {
				return err
			}
			return a.write(fmt.Sprintf("private key: %s (keep it secret)\npublic key:  %[1]s.pub (%s)\n", clean(args[0]), key.Public().Fingerprint()))
		},
	}
}

// oneFile wants exactly one argument, which is no name on the server.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError("%s takes one argument: %s", cmd.CommandPath(), argument(cmd))
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return usageError("%s is there already; choose another name, or move it away", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// packaging is what driver package is told.
type packaging struct {
	dist, source, licenses, description string
	platforms, builds                   []string
}

func (a *app) driverPackage() *cobra.Command {
	var (
		p   packaging
		out format
	)
	cmd := &cobra.Command{
		Use:   "package [FOLDER]",
		Short: "Make a package of a driver",
		Long: `Makes a package of a driver, in a folder that mcic driver publish takes it from.

FOLDER is the driver's main package in Go, which is built for each platform. What was
built before, in whatever language, is given with --build instead: an executable, or
a folder with the executable mcic-driver-CLOUD and what it needs beside it.

The driver itself is asked for its name, its version and what it offers, so one of
the builds must run here; otherwise give what it answers to describe.`,
		Example: "  mcic driver package ./cmd/mcic-driver-shelf\n  mcic driver package --build linux/amd64=build/mcic-driver-shelf --license Apache-2.0",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 0 == (len(p.builds) == 0) {
				return usageError("give either the folder of a driver in Go, or what was built with --build PLATFORM=FILE")
			}
			release, err := p.pack(cmd.Context(), a.env.Stderr, args)
			if err != nil {
				return err
			}
			d := release.Description
			return a.printObject(out, map[string]any{"name": d.Name, "version": d.Version, "digest": release.Digest, "platforms": release.Platforms, "folder": p.dist}, d.Name, func() error {
				return a.write(clean(fmt.Sprintf("packed %s %s for %s in %s (%s)", d.Name, d.Version, strings.Join(release.Platforms, ", "), p.dist, release.Digest)) + "\n")
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.dist, "to", defaultDist, "`FOLDER` to make the package in")
	f.StringSliceVar(&p.platforms, "platform", defaultPlatforms(), "`PLATFORMS` to build for")
	f.StringArrayVar(&p.builds, "build", nil, "what was built, as `PLATFORM=FILE` or PLATFORM=FOLDER; may be repeated")
	f.StringVar(&p.description, "description", "", "`FILE` with what the driver answers to describe, if no build runs here")
	f.StringVar(&p.source, "source", "", "`URL` of the source code")
	f.StringVar(&p.licenses, "license", "", "licence, as an `SPDX` expression")
	addOutput(cmd, &out)
	return cmd
}

func (p *packaging) pack(ctx context.Context, log io.Writer, args []string) (*repository.Release, error) {
	dist, err := openFolder(p.dist)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "mcic-package-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	made, err := pairs("build", p.builds)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 {
		if made, err = buildGo(ctx, log, args[0], work, p.platforms); err != nil {
			return nil, err
		}
	}
	d, err := p.describe(ctx, made)
	if err != nil {
		return nil, err
	}
	name := "mcic-driver-" + d.Name
	var builds []repository.Build
	for _, platform := range sortedKeys(made) {
		dir, err := asFolder(made[platform], filepath.Join(work, "folder", strings.ReplaceAll(platform, "/", "-")), name)
		if err != nil {
			return nil, err
		}
		builds = append(builds, repository.Build{Platform: platform, Dir: dir})
	}
	return dist.Pack(ctx, d, builds, p.source, p.licenses)
}

// buildGo builds a main package for each platform and answers the executables.
func buildGo(ctx context.Context, log io.Writer, dir, work string, platforms []string) (map[string]string, error) {
	made := map[string]string{}
	for _, platform := range platforms {
		system, arch, ok := strings.Cut(platform, "/")
		if !ok {
			return nil, usageError("--platform: %q is not a platform such as linux/amd64", platform)
		}
		fmt.Fprintln(log, "building for", platform)
		made[platform] = filepath.Join(work, "built", system+"-"+arch, "driver")
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", made[platform], ".") //nolint:gosec // the author's own program
		cmd.Dir = absolute
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "the driver in %s cannot be built for %s: %w", dir, platform, err)
		}
	}
	return made, nil
}

// describe asks the driver what it is.
func (p *packaging) describe(ctx context.Context, made map[string]string) (*driver.Description, error) {
	var raw []byte
	if p.description != "" {
		var err error
		if raw, err = os.ReadFile(p.description); err != nil {
			return nil, usageError("--description: %w", err)
		}
	} else {
		program, ok := made[repository.Platform()]
		if !ok {
			return nil, usageError("none of the builds runs here (%s), so that the driver cannot be asked what it is; add one, or give --description FILE", repository.Platform())
		}
		if info, err := os.Stat(program); err == nil && info.IsDir() {
			found, err := filepath.Glob(filepath.Join(program, "mcic-driver-*"))
			if err != nil || len(found) != 1 {
				return nil, usageError("--build: %s must have exactly one file mcic-driver-CLOUD", program)
			}
			program = found[0]
		}
		cmd := exec.CommandContext(ctx, program, "describe") //nolint:gosec // the author's own program
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "the driver does not answer %s describe: %w: %s", program, err, bytes.TrimSpace(errs.Bytes()))
		}
		raw = out
	}
	d := &driver.Description{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "what the driver answers to describe is no description: %w", err)
	}
	return d, nil
}

// asFolder is a build as a folder: a lone executable gets one, under its proper name.
func asFolder(build, dir, name string) (string, error) {
	info, err := os.Stat(build)
	if err != nil {
		return "", usageError("--build: %w", err)
	}
	if info.IsDir() {
		return build, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	raw, err := os.ReadFile(build)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, name), raw, 0o700) //nolint:gosec // an executable
}

// openFolder opens a folder as a repository.
func openFolder(dir string) (*repository.Repository, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return repository.Open(repository.Spec{Name: dir, URL: "file://" + filepath.ToSlash(absolute)})
}

// publishing is what driver publish is told.
type publishing struct {
	dist, to, key, username, passwordFile string
	unsigned, plainHTTP, replace          bool
}

func (a *app) driverPublish() *cobra.Command {
	var p publishing
	cmd := &cobra.Command{
		Use: "publish [NAME[:VERSION]…] --to URL", ValidArgsFunction: cobra.NoFileCompletions,
		Short: "Sign packages and put them into a repository",
		Long: `Copies packages from a folder into a repository and signs them with your private
key. A package can be found only once its signature is there. Without names all
drivers in the folder are published, without a version the newest of each.

The repository is an OCI registry, oci://HOST/NAMESPACE, or a folder. For a registry
the login of Docker's configuration is used, unless a password is given.`,
		Example: "  mcic driver publish --to oci://registry.example.com/drivers --key release.key\n  mcic driver publish shelf:1.2.0 --to file:///srv/drivers --key release.key",
		RunE: func(cmd *cobra.Command, names []string) error {
			return p.publish(cmd.Context(), a, names)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.dist, "from", defaultDist, "`FOLDER` that the packages were made in")
	f.StringVar(&p.to, "to", "", "`URL` of the repository: oci://host/namespace, or a folder (required)")
	f.StringVar(&p.key, "key", "", "`FILE` with the private key, or - for standard input (see mcic driver keygen)")
	f.BoolVar(&p.unsigned, "unsigned", false, "publish without a signature; servers refuse such a package")
	f.BoolVar(&p.replace, "replace", false, "replace a version that is there with other contents")
	f.BoolVar(&p.plainHTTP, "plain-http", false, "speak HTTP without TLS to the registry")
	f.StringVar(&p.username, "username", "", "`USER` to log in as")
	f.StringVar(&p.passwordFile, "password-file", "", "`FILE` with the password or token; - for standard input")
	return cmd
}

func (p *publishing) publish(ctx context.Context, a *app, names []string) error {
	switch {
	case p.to == "":
		return usageError("--to is required: the repository, such as oci://registry.example.com/drivers or /srv/drivers")
	case p.key == "" && !p.unsigned:
		return usageError("--key is required: the private key to sign with; make one with: mcic driver keygen")
	}
	spec := repository.Spec{Name: p.to, URL: p.to, PlainHTTP: p.plainHTTP, Username: p.username}
	if !strings.Contains(p.to, "://") {
		absolute, err := filepath.Abs(p.to)
		if err != nil {
			return err
		}
		spec.URL = "file://" + filepath.ToSlash(absolute)
	}
	var key *repository.PrivateKey
	if p.key != "" {
		raw, err := a.readFile(p.key)
		if err != nil {
			return usageError("--key: %w", err)
		}
		if key, err = repository.ParsePrivateKey(raw); err != nil {
			return err
		}
	}
	if p.passwordFile != "" {
		raw, err := a.readFile(p.passwordFile)
		if err != nil {
			return usageError("--password-file: %w", err)
		}
		spec.Password = strings.TrimSpace(string(raw))
	}
	to, err := repository.Open(spec)
	if err != nil {
		return err
	}
	from, err := openFolder(p.dist)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if names, err = from.Names(ctx); err != nil {
			return err
		}
	}
	for _, text := range names {
		name, version, _ := strings.Cut(text, ":")
		if version == "" {
			versions, err := from.Versions(ctx, name)
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				return resource.Errorf(resource.CodeNotFound, "there is no package of %s in %s; make one with: mcic driver package", name, p.dist)
			}
			version = versions[0]
		}
		release, err := to.Publish(ctx, from, name, version, key, p.replace)
		if err != nil {
			return err
		}
		signed := "not signed"
		if key != nil {
			signed = "signed with " + key.Public().Fingerprint()
		}
		if err := a.write(clean(fmt.Sprintf("published %s %s to %s, %s (%s)", name, version, p.to, signed, release.Digest)) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// textOf answers the text that a flag's value stands for: @FILE is the content of a file,
// @- standard input, and @@ begins a text with an @.
func (a *app) textOf(flag, value string) (string, error) {
	file, ok := strings.CutPrefix(value, "@")
	if !ok || strings.HasPrefix(file, "@") {
		return file, nil
	}
	raw, err := a.readFile(file)
	if err != nil {
		return "", usageError("%s: %w", flag, err)
	}
	return string(raw), nil
}

// readFile reads a file, or standard input.
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.env.Stdin)
	}
	return os.ReadFile(name)
}
