package lifecycle

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// canonical writes an XML document as one line for each text and attribute, as
// in "/domain/vcpu[1]=1" and "/domain/devices[1]/serial[1]/@type=pty". Elements
// keep their order and say their number among their namesakes; attributes are
// sorted; space around texts, comments and the spelling of empty elements do
// not count. Lines that an exception matches are left out.
func canonical(doc string, except ...exception) ([]string, error) {
	dec := xml.NewDecoder(strings.NewReader(doc))
	var lines []string
	var path []string
	counts := []map[string]int{{}}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return slices.DeleteFunc(lines, func(l string) bool { return excepted(l, except) }), nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read XML: %w", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			name := qualified(e.Name)
			n := counts[len(counts)-1]
			n[name]++
			path = append(path, fmt.Sprintf("/%s[%d]", name, n[name]))
			counts = append(counts, map[string]int{})
			lines = append(lines, strings.Join(path, ""))
			for _, a := range sorted(e.Attr) {
				lines = append(lines, fmt.Sprintf("%s/@%s=%s", strings.Join(path, ""), qualified(a.Name), a.Value))
			}
		case xml.EndElement:
			path, counts = path[:len(path)-1], counts[:len(counts)-1]
		case xml.CharData:
			if text := strings.TrimSpace(string(e)); text != "" {
				lines = append(lines, strings.Join(path, "")+"="+text)
			}
		}
	}
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func sorted(attrs []xml.Attr) []xml.Attr {
	return slices.SortedFunc(slices.Values(attrs), func(a, b xml.Attr) int {
		return strings.Compare(qualified(a.Name), qualified(b.Name))
	})
}

// exception is what may differ between two documents, and why.
type exception struct {
	lines  *regexp.Regexp
	reason string
}

func excepted(line string, except []exception) bool {
	return slices.ContainsFunc(except, func(e exception) bool { return e.lines.MatchString(line) })
}

// difference returns the lines that only one of two documents has, marked - for
// the first and + for the second; empty when they are the same in the same
// order.
func difference(a, b []string) string {
	if slices.Equal(a, b) {
		return ""
	}
	var out []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out = append(out, "+ "+l)
		}
	}
	if len(out) == 0 {
		return "the same lines in another order"
	}
	return strings.Join(out, "\n")
}
