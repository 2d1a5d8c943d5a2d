// Command exported writes the exported API of the module's public packages to api/exported.txt, so
// that each change of the API is a diff to review.
package main

import (
	"errors"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:generate go run .

const root = "../.." // from this directory, in which go generate and go test run

func main() {
	text, err := exported()
	if err == nil {
		err = os.WriteFile(root+"/api/exported.txt", []byte(text), 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// exported returns the API of each package that other modules can import: those of this module, and
// momentotel, which is a nested module.
func exported() (text string, err error) {
	text = "# Written by go generate ./... Do not edit.\n\n"
	err = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		_, noModule := os.Stat(dir + "/go.mod")
		nested := noModule == nil && entry.Name() != "momentotel"
		if dir != root && (nested || entry.Name() == "internal") {
			return fs.SkipDir
		}
		pkg, err := build.ImportDir(dir, 0)
		var none *build.NoGoError
		if errors.As(err, &none) || err == nil && pkg.IsCommand() {
			return nil
		}
		if err != nil {
			return err
		}
		fset, files := token.NewFileSet(), make([]*ast.File, len(pkg.GoFiles))
		for i, name := range pkg.GoFiles {
			if files[i], err = parser.ParseFile(fset, filepath.Join(dir, name), nil, 0); err != nil {
				return err
			}
		}
		api, err := doc.NewFromFiles(fset, files, dir)
		if err == nil {
			text += "# package " + api.Name + "\n" + describe(api) + "\n"
		}
		return err
	})
	return text, err
}

// describe sorts by name, so that the output does not change if a declaration moves to another
// file.
func describe(api *doc.Package) string {
	var values, types, funcs []string
	add := func(consts, vars []*doc.Value, made []*doc.Func) {
		for _, value := range slices.Concat(consts, vars) {
			for _, spec := range value.Decl.Specs {
				values = append(values, value.Decl.Tok.String()+" "+source(spec))
			}
		}
		for _, f := range made {
			funcs = append(funcs, source(f.Decl))
		}
	}
	add(api.Consts, api.Vars, api.Funcs)
	for _, t := range api.Types {
		add(t.Consts, t.Vars, t.Funcs)
		types = append(types, "\n"+source(t.Decl))
		for _, method := range t.Methods { // sorted by name
			types = append(types, source(method.Decl))
		}
	}
	slices.Sort(values)
	slices.Sort(funcs)
	return strings.Join(slices.Concat(values, types, []string{"\n"}, funcs), "")
}

// source prints a node without alignment and, because the file set is empty, on as few lines as
// possible, so that the output does not depend on the layout of the source.
func source(node ast.Node) string {
	ast.Inspect(node, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructType); ok && s.Incomplete { // because literals need field names
			s.Incomplete, s.Fields.List = false, append(s.Fields.List, &ast.Field{Type: ast.NewIdent("/* unexported fields */")})
		}
		if i, ok := n.(*ast.InterfaceType); ok && i.Incomplete { // because other packages cannot implement it
			i.Incomplete, i.Methods.List = false, append(i.Methods.List, &ast.Field{Type: ast.NewIdent("/* unexported methods */")})
		}
		return true
	})
	var text strings.Builder
	config := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
	_ = config.Fprint(&text, token.NewFileSet(), node) // cannot fail, because the parser made the node
	return regexp.MustCompile(` {2,}`).ReplaceAllString(text.String(), " ") + "\n"
}
