package xml

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// element is an element of a document, without comments and declarations of namespaces.
type element struct {
	name, text string
	attrs      []attr
	children   []*element
}

type attr struct{ name, value string }

// parse reads a document.
func parse(doc string) (*element, error) {
	dec := xml.NewDecoder(strings.NewReader(doc))
	root := &element{}
	open := []*element{root}
	for {
		token, err := dec.Token()
		if err == io.EOF && len(root.children) == 1 {
			return root.children[0], nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read XML: %w", err)
		}
		parent := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: qualified(token.Name), attrs: attrsOf(token)}
			parent.children, open = append(parent.children, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			parent.text += strings.TrimSpace(string(token))
		}
	}
}

func attrsOf(start xml.StartElement) (attrs []attr) {
	for _, a := range start.Attr {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			attrs = append(attrs, attr{qualified(a.Name), a.Value})
		}
	}
	return attrs
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// loss is what of a document another lacks, or has otherwise.
type loss struct {
	path string
	// sent is what was there, kept what is there now; empty for nothing.
	sent, kept string
}

func (l loss) String() string {
	switch {
	case l.kept != "":
		return fmt.Sprintf("%s is %q and was sent as %q", l.path, l.kept, l.sent)
	case l.sent != "":
		return fmt.Sprintf("%s=%q is gone", l.path, l.sent)
	}
	return l.path + " is gone"
}

// lost lists what of a document was not kept. What was added does not count, nor do
// places among siblings: libvirt sorts devices, and adds what a machine has anyway.
func lost(sent, kept *element) []loss { return lostAt("/"+sent.name, sent, kept) }

func lostAt(path string, sent, kept *element) (all []loss) {
	if sent.text != "" && sent.text != kept.text {
		all = append(all, loss{path, sent.text, kept.text})
	}
	for _, a := range sent.attrs {
		i := slices.IndexFunc(kept.attrs, func(k attr) bool { return k.name == a.name })
		if i < 0 {
			all = append(all, loss{path + "/@" + a.name, a.value, ""})
		} else if k := kept.attrs[i]; k.value != a.value {
			all = append(all, loss{path + "/@" + a.name, a.value, k.value})
		}
	}
	left := slices.Clone(kept.children)
	for _, child := range sent.children {
		at := path + "/" + child.name
		best, losses := -1, []loss{{path: at}}
		for i, other := range left {
			if other.name != child.name {
				continue
			}
			if l := lostAt(at, child, other); best < 0 || len(l) < len(losses) {
				best, losses = i, l
			}
		}
		if best >= 0 {
			left = slices.Delete(left, best, best+1)
		}
		all = append(all, losses...)
	}
	return all
}
