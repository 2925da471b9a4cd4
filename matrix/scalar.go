package matrix

import (
	"path"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

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

// weight stores a number above 0.
func weight(to *float64) reader {
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
		switch {
		case f < 0:
			return n.errorf("%v is below 0", f)
		case f == 0:
			return n.errorf("the weight is 0; name no value that does not matter")
		}
		*to = f
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
