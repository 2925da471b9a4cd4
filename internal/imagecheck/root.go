package imagecheck

import (
	"errors"
	"fmt"
	"strings"
)

// openRoot finds the root file system, and where boot loaders may have their
// configuration.
func (img *image) openRoot() error {
	img.table = readTable(img.disk, img.bytes)
	parts := img.parts()
	var problems []error
	for i := range parts {
		p := &parts[i]
		if p.holds != "ext4" && p.holds != "xfs" {
			continue
		}
		var t *tree
		var isRoot bool
		err := guarded(func() (err error) {
			if t, err = openTree(img.disk, *p); err == nil {
				isRoot, err = t.there("etc/passwd")
			}
			return err
		})
		switch {
		case err != nil:
			problems = append(problems, err)
		case isRoot && img.root != nil:
			problems = append(problems, fmt.Errorf("%s and %s both hold a system: which one is meant is not known", img.at, p))
		case isRoot:
			img.root, img.at = t, *p
		default:
			img.boots = append(img.boots, t)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("not all of its file systems can be read: %w", err)
	}
	if img.root == nil {
		img.rootless = img.table.wrong == nil
		return fmt.Errorf("no root file system was found on ext4 or XFS: %s", (&table{parts: parts}).holdings())
	}
	return img.readRelease()
}

// parts are the partitions, or the whole disk where there is none.
func (img *image) parts() []partition {
	if img.table.kind != "" {
		return img.table.parts
	}
	whole := partition{size: img.bytes}
	whole.holds = held(img.disk, whole)
	return []partition{whole}
}

// readRelease reads os-release(5).
func (img *image) readRelease() error {
	_, text, err := img.root.readAny("etc/os-release", "usr/lib/os-release")
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	img.release = assigned(text, "PRETTY_NAME")
	for _, id := range strings.Fields(assigned(text, "ID") + " " + assigned(text, "ID_LIKE")) {
		switch {
		case img.family != "":
		case id == "debian" || id == "ubuntu":
			img.family = Debian
		case id == "rhel" || id == "centos" || id == "fedora":
			img.family = EL
		}
	}
	return nil
}

// assigned is the last value of a variable in a file of shell assignments.
func assigned(text, key string) (value string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = strings.Trim(v, `"'`)
		}
	}
	return value
}

// settings are the lines of a file that are neither empty nor comments, as fields.
func settings(text string) (lines [][]string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			lines = append(lines, f)
		}
	}
	return lines
}
