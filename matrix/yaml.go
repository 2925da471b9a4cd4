package matrix

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
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

// text returns a scalar as it is written in the file.
func (n node) text() (string, error) {
	var s string
	switch v := n.ast.(type) {
	case *ast.StringNode:
		s = v.Value
	case *ast.IntegerNode, *ast.FloatNode:
		s = n.ast.GetToken().Value
	default:
		return "", n.wrong("a text")
	}
	if s == "" {
		return "", n.errorf("the text is empty")
	}
	return s, nil
}

// text stores a scalar.
func text(to *string) reader {
	return func(n node) (err error) {
		*to, err = n.text()
		return err
	}
}

// boolean stores true or false.
func boolean(to *bool) reader {
	return func(n node) error {
		b, ok := n.ast.(*ast.BoolNode)
		if !ok {
			return n.wrong("true or false")
		}
		*to = b.Value
		return nil
	}
}

// number stores a number that is not below another.
func number(to *float64, least float64) reader {
	return func(n node) error {
		switch n.ast.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
		default:
			return n.wrong("a number")
		}
		f, err := strconv.ParseFloat(n.ast.GetToken().Value, 64)
		if err != nil {
			return n.errorf("%q is not a decimal number", n.ast.GetToken().Value)
		}
		if f < least {
			return n.errorf("%v is below %v", f, least)
		}
		*to = f
		return nil
	}
}

// weight stores a number above 0.
func weight(to *float64) reader {
	return func(n node) error {
		if err := number(to, 0)(n); err != nil {
			return err
		}
		if *to == 0 {
			return n.errorf("the weight is 0; name no value that does not matter")
		}
		return nil
	}
}

// integer stores a whole number from least to most.
func integer(to *int, least, most int) reader {
	return func(n node) error {
		i, ok := n.ast.(*ast.IntegerNode)
		if !ok {
			return n.wrong("a whole number")
		}
		v, err := strconv.Atoi(i.Token.Value)
		if err != nil || v < least || v > most {
			return n.errorf("%s is not from %d to %d", i.Token.Value, least, most)
		}
		*to = v
		return nil
	}
}

// each reads every element of a list that is not empty.
func each(read reader) reader {
	return func(n node) error {
		if l, ok := n.ast.(*ast.SequenceNode); ok && len(l.Values) == 0 {
			return n.errorf("the list is empty")
		}
		return list(read)(n)
	}
}

// list reads every element of a list.
func list(read reader) reader {
	return func(n node) error {
		l, ok := n.ast.(*ast.SequenceNode)
		if !ok {
			return n.wrong("a list")
		}
		for _, v := range l.Values {
			if err := read(newNode(n.file, v)); err != nil {
				return err
			}
		}
		return nil
	}
}

// word stores a scalar that must be one of the valid ones.
func word[T ~string](to *T, what string, valid []T) reader {
	return func(n node) error {
		s, err := n.text()
		if err != nil {
			return err
		}
		if !slices.Contains(valid, T(s)) {
			return n.wrap(Unknown(what, s, plain(valid)))
		}
		*to = T(s)
		return nil
	}
}

// words stores a list of valid words, none of them twice.
func words[T ~string](to *[]T, what string, valid []T) reader {
	return unique(to, what, func(w *T) reader { return word(w, what, valid) })
}

// texts stores a list of texts, none of them twice.
func texts(to *[]string, what string) reader { return unique(to, what, text) }

func unique[T ~string](to *[]T, what string, element func(*T) reader) reader {
	return each(func(n node) error {
		var w T
		if err := element(&w)(n); err != nil {
			return err
		}
		if slices.Contains(*to, w) {
			return n.errorf("duplicate %s %q", what, w)
		}
		*to = append(*to, w)
		return nil
	})
}

// glob stores a pattern of path.Match.
func glob(to *string) reader {
	return func(n node) error {
		if err := text(to)(n); err != nil {
			return err
		}
		if _, err := path.Match(*to, ""); err != nil {
			return n.errorf("%q is no pattern: %w", *to, err)
		}
		return nil
	}
}

// plain returns words as strings.
func plain[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
