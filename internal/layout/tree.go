package layout

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// Tree is a root file system to be looked into.
type Tree struct {
	// Entries are the paths of everything in it: of a link what it leads to, of
	// anything else "".
	Entries map[string]string
	// Read returns the content of a file.
	Read func(path string) ([]byte, error)
}

// maxLinks is how many links a path may lead over, as for the kernel (path_resolution(7)).
const maxLinks = 40

// real is the path of what a path leads to, over links; empty when nothing is there.
func (t Tree) real(name string) string {
	for range maxLinks {
		link, target := t.link(name)
		if target == "" {
			if _, ok := t.Entries[name]; ok {
				return name
			}
			return ""
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(link), target)
		}
		name = path.Join(target, name[len(link):])
	}
	return ""
}

// link is the first link on a path, and what it leads to.
func (t Tree) link(name string) (link, target string) {
	for i := 1; i <= len(name); i++ {
		if i == len(name) || name[i] == '/' {
			if target := t.Entries[name[:i]]; target != "" {
				return name[:i], target
			}
		}
	}
	return "", ""
}

// there is the path itself when something is there.
func (t Tree) there(name string) string {
	if t.real(name) == "" {
		return ""
	}
	return name
}

// glob lists the entries that match a pattern of path.Match, sorted.
func (t Tree) glob(pattern string) (found []string) {
	for name := range t.Entries {
		if ok, _ := path.Match(pattern, name); ok {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// merged are the top folders that are links in a root whose /usr alone is an image:
// packages are unpacked so (source.Source).
var merged = []string{"bin", "sbin", "lib", "lib64"}

// Squashfs lists a squashfs: a root, or the /usr of one.
func Squashfs(ctx context.Context, file string, usr bool) (Tree, error) {
	prefix := ""
	if usr {
		prefix = "/usr"
	}
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"unsquashfs", "-dest", prefix, "-llnumeric", file}})
	t := Tree{Entries: map[string]string{}, Read: func(name string) ([]byte, error) {
		text, _, err := tool.Run(ctx, tool.Command{Argv: []string{"unsquashfs", "-cat", file, strings.TrimPrefix(name, prefix)}})
		return text, err
	}}
	for line := range strings.Lines(string(out)) {
		// MODE UID/GID SIZE DATE TIME /PATH, and of a link " -> TARGET".
		_, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " /")
		if !ok {
			continue
		}
		target := ""
		if strings.HasPrefix(line, "l") {
			name, target, _ = strings.Cut(name, " -> ")
		}
		t.Entries["/"+name] = target
	}
	for _, name := range merged {
		if usr {
			t.Entries["/"+name] = "usr/" + name
		}
	}
	return t, err
}
