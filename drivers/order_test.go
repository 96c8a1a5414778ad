package drivers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// The file of a kind is read alike in every driver: List, Get, Make, Complete, Delete, actions,
// views, and below them the helpers.
func TestFilesOfKindsAreInOneOrder(t *testing.T) {
	files := map[string]*resource.Kind{}
	for _, kind := range resource.Kinds() {
		files[kind.Plural()+".go"] = kind
	}
	checked := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		kind, ok := files[filepath.Base(path)]
		if err != nil || entry.IsDir() || !ok {
			return err
		}
		checked++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		last, before := 0, "the beginning"
		for _, name := range verbs(file) {
			at := place(kind, name)
			assert.GreaterOrEqual(t, at, last, "%s: %s comes after %s", path, name, before)
			last, before = at, name
		}
		return nil
	}))
	assert.Greater(t, checked, 2*len(files), "of several drivers")
}

// verbs are the functions of a file from the first that a kind can do on.
func verbs(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name == "UnmarshalJSON" || len(names) == 0 && !f.Name.IsExported() {
			continue
		}
		names = append(names, f.Name.Name)
	}
	return names
}

// place is where a function belongs in a file.
func place(kind *resource.Kind, name string) int {
	const actions, views, helpers = 5, 6, 7
	if at := slices.Index([]string{"List", "Get", "Make", "Complete", "Delete"}, name); at >= 0 {
		return at
	}
	if !ast.IsExported(name) {
		return helpers
	}
	if slices.ContainsFunc(kind.Views, func(v resource.View) bool { return v.Name == strings.ToLower(name) }) {
		return views
	}
	return actions
}
