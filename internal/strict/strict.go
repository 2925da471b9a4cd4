// Package strict reads YAML files that people write and review: an unknown key, a
// second document and a value of another type are errors that name file, line and
// the cure.
package strict

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Decode reads the one document of a file. An empty file leaves what is there.
func Decode(file string, r io.Reader, to any) error {
	dec := yaml.NewDecoder(r, yaml.DisallowUnknownField())
	if err := dec.Decode(to); err != nil && err != io.EOF {
		return at(file, err, keys(reflect.TypeOf(to), map[reflect.Type]bool{}))
	}
	if err := dec.Decode(new(any)); err != io.EOF {
		return fmt.Errorf("%s: a second document follows; keep one", file)
	}
	return nil
}

// at gives an error of the decoder its file, its line and the cure.
func at(file string, err error, keys []string) error {
	var placed yaml.Error
	if !errors.As(err, &placed) || placed.GetToken() == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	problem := errors.New(placed.GetMessage())
	if unknown := (*yaml.UnknownFieldError)(nil); errors.As(err, &unknown) {
		problem = matrix.Unknown("key", placed.GetToken().Value, keys)
	}
	return fmt.Errorf("%s:%d: %w", file, placed.GetToken().Position.Line, problem)
}

// keys are the keys that a type has anywhere in it.
func keys(t reflect.Type, seen map[reflect.Type]bool) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			names = append(names, name)
		}
		names = append(names, keys(t.Field(i).Type, seen)...)
	}
	return names
}

// Wrong is an error about the value of a node, for the methods that read one.
func Wrong(n ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: n.GetToken()}
}

// Word is a text that knows its line.
type Word struct {
	Text string
	Line int
}

// UnmarshalYAML reads a scalar as it is written.
func (w *Word) UnmarshalYAML(n ast.Node) error {
	s, ok := n.(ast.ScalarNode)
	if !ok || s.GetToken().Value == "" {
		return Wrong(n, "want a text here")
	}
	*w = Word{s.GetToken().Value, s.GetToken().Position.Line}
	return nil
}
