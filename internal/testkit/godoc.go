package testkit

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// PackageDocs returns the documentation of the package in dir, with its examples.
func PackageDocs(t *testing.T, dir, importPath string) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	files := make([]*ast.File, len(names))
	for i, name := range names {
		files[i], err = parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
	}
	pkg, err := doc.NewFromFiles(fset, files, importPath)
	require.NoError(t, err)
	return pkg
}
