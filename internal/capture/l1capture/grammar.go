package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// takeSchemas takes the elements, attributes and values that each schema allows.
func takeSchemas(t *taker) error { return takeGrammars(t, "/usr/share/libvirt/schemas") }

func takeGrammars(t *taker, dir string) error {
	paths, err := filepath.Glob(dir + "/*.rng")
	if err != nil {
		return err
	}
	for _, path := range paths {
		g := grammar{dir: dir, defines: map[string][]element{}, seen: map[string]bool{}, read: map[string]bool{}}
		if err := g.load(filepath.Base(path)); err != nil {
			return fmt.Errorf("cannot read schema %s: %w", path, err)
		}
		g.schema = strings.TrimSuffix(filepath.Base(path), ".rng")
		g.facts = append(g.facts, capture.Fact{Path: g.schema})
		for _, e := range g.starts {
			g.walk(g.schema, e)
		}
		t.add("schemas", g.facts...)
	}
	return nil
}

// grammar is a RELAX NG grammar with those that it includes. How it is cut into
// definitions is nobody's business, so they are followed.
type grammar struct {
	dir, schema string
	starts      []element
	defines     map[string][]element
	// read are the files, seen the definitions that were followed below a path.
	read, seen map[string]bool
	facts      []capture.Fact
}

func (g *grammar) load(file string) error {
	if g.read[file] {
		return nil
	}
	g.read[file] = true
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return err
	}
	root, err := parseXML(string(text))
	if err != nil {
		return err
	}
	return g.collect(root.Children, len(g.read) == 1)
}

// collect takes the definitions of a grammar, and the start of the outermost.
func (g *grammar) collect(parts []element, outermost bool) error {
	for _, e := range parts {
		switch e.Name.Local {
		case "start":
			if outermost {
				g.starts = append(g.starts, e)
			}
		case "define":
			g.defines[e.attr("name")] = append(g.defines[e.attr("name")], e)
		case "include":
			if err := g.load(e.attr("href")); err != nil {
				return err
			}
		case "div":
			if err := g.collect(e.Children, outermost); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk writes what a pattern allows. A path has the schema, the element and the one of
// its attributes or children that it is about: whole paths have no end.
func (g *grammar) walk(path string, e element) {
	switch e.Name.Local {
	case "ref":
		key := path + " " + e.attr("name")
		if g.seen[key] {
			return
		}
		g.seen[key] = true
		for _, d := range g.defines[e.attr("name")] {
			g.children(path, d)
		}
	case "element":
		for _, name := range names(e) {
			g.facts = append(g.facts, capture.Fact{Path: g.schema + "/" + name}, capture.Fact{Path: path + "/<" + name + ">"})
			g.children(g.schema+"/"+name, e)
		}
	case "attribute":
		for _, name := range names(e) {
			g.facts = append(g.facts, capture.Fact{Path: path + "/@" + name})
			g.children(path+"/@"+name, e)
		}
	case "value":
		g.facts = append(g.facts, capture.Fact{Path: path + "/=" + strings.ReplaceAll(strings.TrimSpace(e.Text), "/", "|")})
	default:
		g.children(path, e)
	}
}

func (g *grammar) children(path string, e element) {
	for _, c := range e.Children {
		g.walk(path, c)
	}
}

// names are those that an element or attribute may have.
func names(e element) (all []string) {
	if name := e.attr("name"); name != "" {
		return []string{name}
	}
	for _, c := range e.Children {
		switch c.Name.Local {
		case "name":
			all = append(all, strings.TrimSpace(c.Text))
		case "choice":
			for _, n := range c.Children {
				if n.Name.Local == "name" {
					all = append(all, strings.TrimSpace(n.Text))
				}
			}
		}
	}
	return all
}
