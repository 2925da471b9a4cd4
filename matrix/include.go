package matrix

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// inclusion is a file on the way to the one that is being read.
type inclusion struct {
	file string
	// at is where it includes the next one.
	at string
}

// document is one file of a catalogue together with those it includes.
type document struct {
	fsys fs.FS
	keys []key
	// read are the files that were read already.
	read map[string]bool
	// found holds the values of each key: those of an included file come before
	// those of the file that includes it.
	found map[string][]node
}

// readFile reads a file of the catalogue with these keys at its top, and those
// that it includes. A required key must be in one of them.
func (l *loader) readFile(name string, keys []key) error {
	d := &document{fsys: l.fsys, keys: keys, read: map[string]bool{}, found: map[string][]node{}}
	root, err := d.parse(name)
	if err == nil {
		err = d.collect(root, nil)
	}
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.required && len(d.found[k.name]) == 0 {
			return root.errorf("the key %q is missing", k.name)
		}
		for _, n := range d.found[k.name] {
			if err := k.read(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *document) parse(name string) (node, error) {
	b, err := fs.ReadFile(d.fsys, name)
	if err != nil {
		return node{}, err
	}
	return parse(name, b)
}

// collect gathers the values of a file's keys, after those of the files that
// it includes. The way tells which files led here.
func (d *document) collect(root node, way []inclusion) error {
	d.read[root.file] = true
	own := map[string]node{}
	keys := []key{optional("include", func(n node) error {
		if len(own) > 0 {
			return n.errorf("include must be the first key: what it brings comes first")
		}
		return each(func(n node) error { return d.include(n, way) })(n)
	})}
	for _, k := range d.keys {
		keys = append(keys, optional(k.name, func(n node) error {
			own[k.name] = n
			return nil
		}))
	}
	if err := root.object(keys...); err != nil {
		return err
	}
	for name, n := range own {
		d.found[name] = append(d.found[name], n)
	}
	return nil
}

// include collects the file that a node names. A file that was read already
// adds nothing, unless it is on the way here.
func (d *document) include(n node, way []inclusion) error {
	name, err := n.text()
	if err != nil {
		return err
	}
	if !fs.ValidPath(name) || name == "." {
		return n.errorf("cannot include %q: name a file of the catalogue's folder, without . or .. in its path", name)
	}
	way = append(slices.Clone(way), inclusion{file: n.file, at: n.place()})
	for i, w := range way {
		if w.file == name {
			return n.errorf("the files include each other: %s", circle(way[i:], name))
		}
	}
	if d.read[name] {
		return nil
	}
	root, err := d.parse(name)
	if errors.Is(err, fs.ErrNotExist) {
		files, globErr := fs.Glob(d.fsys, "*.yaml")
		if globErr != nil {
			return globErr
		}
		return n.wrap(Unknown("file", name, slices.DeleteFunc(files, func(f string) bool { return f == n.file })))
	}
	if err != nil {
		return err
	}
	return d.collect(root, way)
}

// circle writes a circle of files as "a.yaml:1 -> b.yaml:1 -> a.yaml".
func circle(way []inclusion, back string) string {
	var places []string
	for _, w := range way {
		places = append(places, w.at)
	}
	return strings.Join(append(places, back), " -> ")
}
