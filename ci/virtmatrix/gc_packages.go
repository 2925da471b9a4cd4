package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// packages removes the package files that no run's plan names.
func (g *collector) packages() error {
	plans, err := g.plans()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, p := range plans {
		for _, set := range p.PackageSets {
			for _, pkg := range set.Packages {
				used[pkg.SHA256] = true
			}
		}
	}
	dir := filepath.Join(g.Home, "packages")
	// A file is named by its digest and the kind of package, what is being made begins with a
	// dot, and the names of folders that stay have none.
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil || len(files) == 0 {
		return err
	}
	release, ok, err := disk.TryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return fmt.Errorf("cannot remove packages: %w", err)
	}
	if !ok {
		return errors.New("cannot remove packages: a run is fetching some; try again when it is done")
	}
	defer release()
	var gone, bytes int64
	for _, f := range files {
		if used[strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))] || beingMade(f) {
			continue
		}
		gone++
		bytes += sizeOf(f)
		if !g.dry {
			if err := os.RemoveAll(f); err != nil {
				return fmt.Errorf("cannot remove package: %w", err)
			}
		}
	}
	if gone == 0 {
		return nil
	}
	return g.remove(number(gone, "package"), bytes, func() error { return nil })
}

// beingMade says whether somebody may be working on something among the packages: its name
// begins with a dot (cache.Scratch), and it is younger than a day, which no work takes.
func beingMade(path string) bool {
	info, err := os.Stat(path)
	return strings.HasPrefix(filepath.Base(path), ".") && err == nil && time.Since(info.ModTime()) < 24*time.Hour
}
