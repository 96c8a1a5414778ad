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
		last := map[string]int{} // by the type that the functions are of: what kinds share has its own order
		for _, f := range verbs(file) {
			at := place(kind, f.name)
			assert.GreaterOrEqual(t, at, last[f.of], "%s: %s of %s comes too late", path, f.name, f.of)
			last[f.of] = at
		}
		return nil
	}))
	assert.Greater(t, checked, len(files), "of several drivers")
}

// verb is a function of a file, and the type that it is of, or the one before is.
type verb struct{ name, of string }

// verbs are the functions of a file from the first that a kind can do on.
func verbs(file *ast.File) []verb {
	var found []verb
	of := ""
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name == "UnmarshalJSON" || len(found) == 0 && !f.Name.IsExported() {
			continue
		}
		if f.Recv != nil && f.Name.IsExported() {
			of = receiver(f.Recv.List[0].Type)
		}
		found = append(found, verb{f.Name.Name, of})
	}
	return found
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
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
