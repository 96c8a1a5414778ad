// Package digest says what a run of the conformance suite depends on, in a form in which
// two states of the source can be compared: if nothing of it has changed, the run need not
// be repeated.
//
// A driver has one file for each kind. What is in such files, of the driver, of its family
// and of package resource, counts for that kind, and for the kinds whose files mention what
// it declares. Everything else counts for all kinds: the suite, package driver, what the
// drivers' other files have, the counterpart that the tests start, and the versions of the
// modules of others. Comments and the tests of other things do not count.
package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Entry is the test that runs the suite. Other tests count as far as it uses what they declare.
const Entry = "conformance_test.go"

// Digest is what a driver and its suite are made of.
type Digest struct {
	Base string            // of what is under all kinds
	Own  map[string]string // of what counts for one kind or catalog only
}

// written reports whether a file is one that a run of the suite writes.
func written(name string) bool { return name == "conformance.json" || name == "calls.json" }

// Of reads the source of the package in a folder. The names are those of kinds and catalogs.
func Of(ctx context.Context, dir string, names []string) (Digest, error) {
	packages, err := list(ctx, dir)
	if err != nil {
		return Digest{}, fmt.Errorf("find what the driver is made of: %w", err)
	}
	s := sources{names: names, base: map[string]string{}, own: map[string]map[string]string{}}
	for _, p := range packages {
		if err := s.add(p); err != nil {
			return Digest{}, fmt.Errorf("read the source of %s: %w", p.ImportPath, err)
		}
	}
	d := Digest{Base: sum(s.base), Own: map[string]string{}}
	for _, name := range names {
		d.Own[name] = sum(s.own[name])
	}
	return d, nil
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Dir, ForTest string
	Module                   *struct {
		Path, Version string
		Main          bool
	}
	GoFiles, EmbedFiles, TestGoFiles, XTestGoFiles []string
}

// list answers the package in a folder and all that it and its tests are made of.
func list(ctx context.Context, dir string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-test", "-json=ImportPath,Dir,ForTest,Module,GoFiles,EmbedFiles,TestGoFiles,XTestGoFiles", ".")
	cmd.Dir = dir
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, complaint.String())
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module != nil && p.ForTest == "" && !strings.HasSuffix(p.ImportPath, ".test") { // without those that only tests make
			all = append(all, p)
		}
	}
}

// sources are the files that count, by name, each with what is in it.
type sources struct {
	names []string
	base  map[string]string
	own   map[string]map[string]string
}

func (s *sources) add(p listed) error {
	if !p.Module.Main {
		s.base[p.Module.Path] = p.Module.Version
		return nil
	}
	files := map[string]source{}
	for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
		file, err := read(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		files[name] = file
	}
	tests := maps.Clone(files)
	maps.DeleteFunc(tests, func(name string, _ source) bool { return !strings.HasSuffix(name, "_test.go") })
	for _, name := range mentioned(tests, []string{Entry}) {
		s.base[p.ImportPath+"/"+name] = tests[name].text
	}
	kinds := map[string]source{}
	for _, name := range p.GoFiles {
		if s.owner(name) == "" || !s.ordered(p) {
			s.base[p.ImportPath+"/"+name] = files[name].text
			continue
		}
		kinds[name] = files[name]
	}
	for _, kind := range s.names {
		var first []string
		for name := range kinds {
			if s.owner(name) == kind {
				first = append(first, name)
			}
		}
		for _, name := range mentioned(kinds, first) {
			if s.own[kind] == nil {
				s.own[kind] = map[string]string{}
			}
			s.own[kind][p.ImportPath+"/"+name] = kinds[name].text
		}
	}
	return s.addOthers(p)
}

// ordered reports whether the files of a package are named after kinds.
func (s *sources) ordered(p listed) bool {
	return strings.Contains(p.ImportPath, "/drivers/") || strings.HasSuffix(p.ImportPath, "/resource")
}

// owner is the kind or catalog that a file is of, such as vm for vms.go, and nlb for
// nlbparts.go; "" if it is of all.
func (s *sources) owner(file string) string {
	owner := ""
	for _, name := range s.names {
		if strings.HasPrefix(file, name) && len(name) > len(owner) {
			owner = name
		}
	}
	return owner
}

// addOthers adds what is not Go: what is built in, what the suite is told of the driver,
// and all that a counterpart is made of.
func (s *sources) addOthers(p listed) error {
	paths := map[string]bool{}
	for _, name := range p.EmbedFiles {
		paths[filepath.Join(p.Dir, name)] = true
	}
	var folders []string
	if slices.Contains(slices.Concat(p.TestGoFiles, p.XTestGoFiles), Entry) {
		folders = append(folders, filepath.Join(p.Dir, "testdata"))
	}
	if strings.Contains(p.ImportPath, "/test/") {
		folders = append(folders, p.Dir)
	}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && filepath.Ext(e.Name()) != ".go" {
				paths[filepath.Join(folder, e.Name())] = true
			}
		}
	}
	for path := range paths {
		if written(filepath.Base(path)) {
			continue
		}
		raw, err := os.ReadFile(path) //nolint:gosec // a file of the source
		if err != nil {
			return err
		}
		s.base[p.ImportPath+"/"+filepath.Base(path)] = string(raw)
	}
	return nil
}

// source is a file of Go: its text without comments, and the names in it.
type source struct {
	text               string
	declares, mentions map[string]bool
}

func read(path string) (source, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		return source{}, err
	}
	var text bytes.Buffer
	if err := (&printer.Config{}).Fprint(&text, token.NewFileSet(), file); err != nil { // without positions, which comments move
		return source{}, err
	}
	s := source{text: text.String(), declares: map[string]bool{}, mentions: map[string]bool{}}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil { // methods come with their type
				s.declares[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					s.declares[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						s.declares[name.Name] = true
					}
				}
			}
		}
	}
	for _, name := range file.Unresolved { // which are declared elsewhere
		s.mentions[name.Name] = true
	}
	return s, nil
}

// mentioned are the first files and those that declare what they mention, and so on.
func mentioned(files map[string]source, first []string) []string {
	found := map[string]bool{}
	for next := first; len(next) > 0; {
		name := next[0]
		next = next[1:]
		from, there := files[name]
		if !there || found[name] {
			continue
		}
		found[name] = true
		for other, to := range files {
			for declared := range to.declares {
				if from.mentions[declared] {
					next = append(next, other)
					break
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// sum is a digest of texts by name, short enough to read.
func sum(texts map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(hash, "%d %s %d %s", len(name), name, len(texts[name]), texts[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
