package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Image is a file of L1 as it stands.
type Image struct {
	// Mode is octal, Owner "user:group" by their names, Hash that of the content.
	Mode, Owner, Hash string
}

// Images are files of L1 by path.
type Images map[string]Image

// Images looks at the files at and below paths of L1. A path that is not there has none.
func (t *T) Images(paths ...string) Images {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = host.Quote(p)
	}
	images := Images{}
	// find prints what it has before it runs another program.
	listed := t.Sh("find " + strings.Join(quoted, " ") + ` -type f -printf '%m %u:%g ' -exec sha256sum {} \; 2>/dev/null || true`)
	for line := range strings.Lines(listed) {
		facts, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		words := strings.Fields(facts)
		if !ok || len(words) != 3 {
			t.must(fault.Infraf("list images", "find printed %q", line), "")
		}
		images[path] = Image{Mode: words[0], Owner: words[1], Hash: words[2]}
	}
	return images
}

// Since tells in what the images differ from what they were before, by path.
func (now Images) Since(before Images) (changes []string) {
	all := maps.Clone(now)
	maps.Copy(all, before)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		was, there := before[path]
		is, still := now[path]
		switch {
		case !there:
			changes = append(changes, path+" is new")
			continue
		case !still:
			changes = append(changes, path+" is gone")
			continue
		}
		if is.Hash != was.Hash {
			changes = append(changes, path+" has another content")
		}
		if is.Mode != was.Mode {
			changes = append(changes, fmt.Sprintf("%s has mode %s, had %s", path, is.Mode, was.Mode))
		}
		if is.Owner != was.Owner {
			changes = append(changes, fmt.Sprintf("%s is of %s, was of %s", path, is.Owner, was.Owner))
		}
	}
	return changes
}

// OpenToOthers lists the images with which others than their owner and group may do
// anything.
func (now Images) OpenToOthers() (open []string) {
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if mode := now[path].Mode; !strings.HasSuffix(mode, "0") {
			open = append(open, path+" has mode "+mode)
		}
	}
	return open
}
