package matrix

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// inputError is a mistake in one of the matrix's files, with its place.
type inputError struct {
	file string
	// line and column count from 1.
	line, column int
	err          error
}

// Error returns "FILE:LINE:COLUMN: what is wrong".
func (e *inputError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.file, e.line, e.column, e.err)
}

// Unwrap returns what is wrong.
func (e *inputError) Unwrap() error { return e.err }

// node is a value in a YAML file that knows where it stands. Files are read
// from the syntax tree and not through Go structs for two reasons: every error
// can name its place, and 5.10 stays "5.10" without quotes.
type node struct {
	file string
	at   *token.Position
	ast  ast.Node
}

func newNode(file string, n ast.Node) node {
	at := n.GetToken().Position
	if m, ok := n.(ast.MapNode); ok {
		// A mapping's own token is its first colon.
		if it := m.MapRange(); it.Next() {
			at = it.Key().GetToken().Position
		}
	}
	return node{file: file, at: at, ast: n}
}

// parse reads a file that holds one YAML document.
func parse(file string, text []byte) (node, error) {
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		at, message := syntax.Token.Position, syntax.Message
		if strings.HasPrefix(message, "invalid header option") {
			// YAML takes a bare ">" for a text of several lines.
			message = `put a text that begins with ">" or "|" in quotes: ">= 6.2"`
		}
		return node{}, &inputError{file, at.Line, at.Column, errors.New(message)}
	}
	if err != nil {
		return node{}, fmt.Errorf("%s: %w", file, err)
	}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return node{}, &inputError{file, 1, 1, errors.New("the file is empty")}
	}
	if len(tree.Docs) > 1 {
		at := tree.Docs[1].Start.Position
		return node{}, &inputError{file, at.Line, at.Column, errors.New("a second document begins here; keep one")}
	}
	return newNode(file, tree.Docs[0].Body), nil
}

// place returns "FILE:LINE".
func (n node) place() string { return fmt.Sprintf("%s:%d", n.file, n.at.Line) }

func (n node) isMapping() bool {
	_, ok := n.ast.(ast.MapNode)
	return ok
}

func (n node) isList() bool {
	_, ok := n.ast.(*ast.SequenceNode)
	return ok
}

// wrap gives an error the place of the node.
func (n node) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{n.file, n.at.Line, n.at.Column, err}
}

func (n node) errorf(format string, args ...any) error {
	return n.wrap(fmt.Errorf(format, args...))
}

// wrong is the error for a node of another shape than asked for.
func (n node) wrong(want string) error {
	return n.errorf("want %s here, found %s", want, n.ast.Type().YAMLName())
}

// reader takes the value of a node, or says what is wrong with it.
type reader func(node) error

// key is one key of a mapping whose keys are fixed.
type key struct {
	name     string
	required bool
	read     reader
}

func required(name string, read reader) key { return key{name, true, read} }
func optional(name string, read reader) key { return key{name, false, read} }

// object reads a mapping with these keys and no others.
func (n node) object(keys ...key) error {
	var names, seen []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	err := n.entries(func(name string, at, value node) error {
		i := slices.Index(names, name)
		if i < 0 {
			return at.wrap(Unknown("key", name, names))
		}
		seen = append(seen, name)
		return keys[i].read(value)
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.required && !slices.Contains(seen, k.name) {
			return n.errorf("the key %q is missing", k.name)
		}
	}
	return nil
}

// entries reads a mapping whose keys are free, in the file's order.
func (n node) entries(read func(name string, at, value node) error) error {
	m, ok := n.ast.(ast.MapNode)
	if !ok {
		return n.wrong("a mapping")
	}
	lines := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		at := newNode(n.file, it.Key())
		name, err := at.text()
		if err != nil {
			return err
		}
		if line, ok := lines[name]; ok {
			return at.errorf("duplicate key %q, first in line %d", name, line)
		}
		lines[name] = at.at.Line
		if err := read(name, at, newNode(n.file, it.Value())); err != nil {
			return err
		}
	}
	return nil
}

// keyed reads a mapping whose keys must be among the valid ones.
func keyed[T ~string](what string, valid []T, read func(T, node) error) reader {
	return func(n node) error {
		return n.entries(func(name string, at, value node) error {
			if !slices.Contains(valid, T(name)) {
				return at.wrap(Unknown(what, name, plain(valid)))
			}
			return read(T(name), value)
		})
	}
}
