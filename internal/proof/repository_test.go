package proof_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/internal/testkit"
)

// Tests must not encode a response with the struct that decodes it, because both would contain the
// same mistake. They must not run code before the tests, or use base URLs without a path.
func TestTestsAvoidMistakesOfOtherSDKs(t *testing.T) {
	require.Greater(t, len(testkit.BasePath), 1, "base URLs in tests have a path")
	var names []string
	for _, pattern := range []string{"*_test.go", "internal/proof/*_test.go", "internal/testkit/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		names = append(names, files...)
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				assert.NotContains(t, []string{"init", "TestMain"}, n.Name.Name, "%s runs code before the tests", name)
			case *ast.CompositeLit:
				if sel, ok := n.Type.(*ast.SelectorExpr); ok {
					assert.NotContains(t, []string{"Customer", "Account", "Bill"}, sel.Sel.Name, "%s builds a response from the struct that decodes it", name)
				}
			}
			return true
		})
	}
}

// A comparison that ends at the first difference reveals the length of the correct part of a forged
// signature. The test reads the source, because the difference in time cannot be measured here.
func TestSignaturesAreComparedInConstantTime(t *testing.T) {
	needsTheRepository(t)
	assert.Contains(t, sources(t, "internal/signature/signature.go"), "subtle.ConstantTimeCompare(")
}

// selfEvident lists the names of fields that need no comment.
var selfEvident = []string{"Name", "Email", "Phone", "Currency", "Metadata", "Month", "Day"}

// Every exported name of the public packages has a comment, including the names of a group, fields
// and methods of interfaces.
func TestEveryExportedSymbolIsDocumented(t *testing.T) {
	for _, dir := range []string{".", "momenttest", "momentsql"} {
		pkg := testkit.PackageDocs(t, filepath.Join(root, dir), path.Join("github.com/moment-billing/moment-go", dir))
		assert.NotEmpty(t, pkg.Doc, dir)
		values, funcs := slices.Concat(pkg.Consts, pkg.Vars), pkg.Funcs
		for _, typ := range pkg.Types {
			assert.NotEmpty(t, typ.Doc, typ.Name)
			values, funcs = slices.Concat(values, typ.Consts, typ.Vars), slices.Concat(funcs, typ.Funcs, typ.Methods)
			ast.Inspect(typ.Decl, func(n ast.Node) bool {
				if field, ok := n.(*ast.Field); ok {
					for _, name := range field.Names {
						known := !name.IsExported() || slices.Contains(selfEvident, name.Name)
						assert.True(t, known || field.Doc.Text()+field.Comment.Text() != "", "%s.%s", typ.Name, name)
					}
				}
				return true
			})
		}
		for _, v := range values {
			for _, spec := range v.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				assert.True(t, !v.Decl.Lparen.IsValid() && v.Doc != "" || spec.Doc.Text()+spec.Comment.Text() != "", spec.Names[0])
			}
		}
		for _, f := range funcs {
			assert.NotEmpty(t, f.Doc, "%s.%s", f.Recv, f.Name)
		}
	}
}
