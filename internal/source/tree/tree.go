// Package tree makes the folders that packages are unpacked into, with /bin, /sbin
// and /lib* merged into /usr whatever the release does.
package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// aliased are the top folders that are links into /usr in a merged layout. Older
// packages still carry files in them: Debian's up to bookworm.
var aliased = []string{"bin", "sbin", "lib", "lib64"}

// Empty makes dir when it is missing and refuses one that holds anything.
func Empty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}

// Merged makes dir, which must be empty or missing, a tree that holds nothing but the
// links.
func Merged(dir string) error {
	if err := Empty(dir); err != nil {
		return err
	}
	for _, name := range aliased {
		if err := os.MkdirAll(filepath.Join(dir, "usr", name), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// CheckMerged makes sure that no package turned a link back into a folder.
func CheckMerged(dir string) error {
	for _, name := range aliased {
		target, err := os.Readlink(filepath.Join(dir, name))
		if err != nil || target != "usr/"+name {
			return fmt.Errorf("the tree is not merged: /%s is not a link to usr/%s", name, name)
		}
	}
	return nil
}

// InUsr is where a path is in a merged tree.
func InUsr(path string) string {
	for _, name := range aliased {
		if strings.HasPrefix(path, "/"+name+"/") {
			return "/usr" + path
		}
	}
	return path
}
