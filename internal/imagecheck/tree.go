package imagecheck

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// fileSystem reads one file system. Names are as for fs.FS, and no symbolic link is on
// the way to them.
type fileSystem interface {
	ReadDir(name string) ([]fs.DirEntry, error)
	ReadFile(name string) ([]byte, error)
	ReadLink(name string) (string, error)
}

// tree is a file system of an image, whose links lead nowhere but into itself.
type tree struct {
	from fileSystem
	// dirs are the folders that were read.
	dirs map[string]map[string]fs.DirEntry
}

func newTree(from fileSystem) *tree {
	return &tree{from: from, dirs: map[string]map[string]fs.DirEntry{}}
}

// Limits of what is read of one tree.
const (
	mostLinks   = 40 // as Linux
	mostEntries = 100_000
	longestFile = 4 << 20
)

// dir reads a folder whose path has no links.
func (t *tree) dir(name string) (map[string]fs.DirEntry, error) {
	if known, ok := t.dirs[name]; ok {
		return known, nil
	}
	entries, err := t.from.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %q: %w", "/"+name, err)
	}
	if len(entries) > mostEntries {
		return nil, fmt.Errorf("cannot read folder %q: it has %d entries", "/"+name, len(entries))
	}
	known := map[string]fs.DirEntry{}
	for _, e := range entries {
		if strings.ContainsAny(e.Name(), "/\x00") {
			return nil, fmt.Errorf("cannot read folder %q: it has an entry %q, which no file can be named", "/"+name, e.Name())
		}
		if _, ok := known[e.Name()]; ok {
			return nil, fmt.Errorf("cannot read folder %q: it has %q twice", "/"+name, e.Name())
		}
		known[e.Name()] = e
	}
	t.dirs[name] = known
	return known, nil
}

// walk follows a path, at its end only if asked to, and returns it without links. Absolute
// targets and .. end at the root of the tree.
func (t *tree) walk(name string, last bool) (at string, e fs.DirEntry, err error) {
	todo, links := strings.Split(name, "/"), 0
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			at, e = strings.TrimPrefix(path.Dir("/"+at), "/"), nil
			continue
		}
		entries, err := t.dir(cmp.Or(at, "."))
		if err != nil {
			return "", nil, err
		}
		found, ok := entries[next]
		if !ok {
			return "", nil, fmt.Errorf("%q: %w", "/"+name, fs.ErrNotExist)
		}
		here := path.Join(at, next)
		switch {
		case found.Type() == fs.ModeSymlink && (len(todo) > 0 || last):
			if links++; links > mostLinks {
				return "", nil, fmt.Errorf("cannot follow %q: more than %d symbolic links, which go in circles", "/"+name, mostLinks)
			}
			target, err := t.from.ReadLink(here)
			if err != nil {
				return "", nil, fmt.Errorf("cannot follow %q: %w", "/"+here, err)
			}
			if strings.HasPrefix(target, "/") {
				at = ""
			}
			todo = append(strings.Split(target, "/"), todo...)
		case len(todo) > 0 && !found.IsDir():
			return "", nil, fmt.Errorf("%q: %w", "/"+name, fs.ErrNotExist)
		default:
			at, e = here, found
		}
	}
	return at, e, nil
}

// read reads a file.
func (t *tree) read(name string) (string, error) {
	at, e, err := t.walk(name, true)
	if err != nil {
		return "", err
	}
	if e == nil || !e.Type().IsRegular() {
		return "", fmt.Errorf("cannot read %q: it is no regular file", "/"+name)
	}
	text, err := t.content(at, e)
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", "/"+name, err)
	}
	return text, nil
}

func (t *tree) content(at string, e fs.DirEntry) (string, error) {
	info, err := e.Info()
	if err != nil || info.Size() == 0 {
		return "", err
	}
	if info.Size() > longestFile {
		return "", fmt.Errorf("it has %s; files of this kind are small", size(info.Size()))
	}
	text, err := t.from.ReadFile(at)
	return string(text), err
}

// readAny reads the first of some files that is there, and says which.
func (t *tree) readAny(names ...string) (name, text string, err error) {
	for _, name := range names {
		text, err = t.read(name)
		if !absent(err) {
			return name, text, err
		}
	}
	return "", "", err
}

// list names what is in a folder; nothing where there is none.
func (t *tree) list(name string) ([]string, error) {
	at, e, err := t.walk(name, true)
	if absent(err) || err == nil && e != nil && !e.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := t.dir(cmp.Or(at, "."))
	if err != nil {
		return nil, err
	}
	return sortedNames(entries), nil
}

// there says whether something of this name is there, whatever it is.
func (t *tree) there(name string) (bool, error) {
	_, _, err := t.walk(name, false)
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

// match lists the paths below folder whose last element is of one of the patterns.
func (t *tree) match(folder string, patterns ...string) (found []string, err error) {
	names, err := t.list(folder)
	for _, name := range names {
		for _, p := range patterns {
			if ok, bad := path.Match(p, name); bad != nil {
				return nil, errors.Join(err, bad)
			} else if ok {
				found = append(found, folder+"/"+name)
				break
			}
		}
	}
	return found, err
}

// find lists files so deep below a folder whose names are of one of the patterns. It follows
// no links.
func (t *tree) find(folder string, depth int, patterns ...string) (found []string, err error) {
	found, err = t.match(folder, patterns...)
	names, problem := t.list(folder)
	err = errors.Join(err, problem)
	for _, name := range names {
		at, e, problem := t.walk(folder+"/"+name, false)
		err = errors.Join(err, problem)
		if problem == nil && e != nil && e.IsDir() && depth > 0 {
			deeper, problem := t.find(at, depth-1, patterns...)
			found, err = append(found, deeper...), errors.Join(err, problem)
		}
	}
	return found, err
}
