package steps

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// facts counts what an XML document says: each element, attribute and text by the names of
// the elements around it, as in "/domain/vcpu=1" and "/domain/devices/serial/@type=pty".
// Order, comments and the space around texts do not count.
func facts(doc string) (map[string]int, error) {
	said, path := map[string]int{}, []string{""}
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return said, nil
		}
		if err != nil {
			return nil, fault.Infraf("read XML", "%w", err)
		}
		here := strings.Join(path, "/")
		switch e := tok.(type) {
		case xml.StartElement:
			here += "/" + e.Name.Local
			path = append(path, e.Name.Local)
			said[here]++
			for _, a := range e.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					said[here+"/@"+a.Name.Local+"="+a.Value]++
				}
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if text := strings.TrimSpace(string(e)); text != "" {
				said[here+"="+text]++
			}
		}
	}
}

// ExpectSays asserts that a document says all these facts, as in "/domain/vcpu=1" and
// "/domain/devices/serial/@type=pty".
func (t *T) ExpectSays(what, doc string, want ...string) {
	said, err := facts(doc)
	t.must(err, "read XML")
	lost := slices.DeleteFunc(slices.Clone(want), func(fact string) bool { return said[fact] > 0 })
	if len(lost) > 0 {
		t.Fail(t.Layer, "%s lacks what was asked for:\n%s", what, strings.Join(lost, "\n"))
	}
}

// ExpectKept asserts that a document says all that another one says and a third one, which
// it was made from, does not.
func (t *T) ExpectKept(what, base, sent, kept string) {
	var said [3]map[string]int
	for i, doc := range []string{base, sent, kept} {
		var err error
		said[i], err = facts(doc)
		t.must(err, "compare XML")
	}
	var lost []string
	for fact, n := range said[1] {
		if own := n - said[0][fact]; own > 0 && said[2][fact] < own {
			lost = append(lost, fact)
		}
	}
	slices.Sort(lost)
	if len(lost) > 0 {
		t.Fail(t.Layer, "%s lacks what was sent:\n%s", what, strings.Join(lost, "\n"))
	}
}
