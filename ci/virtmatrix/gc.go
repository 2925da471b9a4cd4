package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/machine"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type gcVerb struct {
	Images    []string       `placeholder:"NAME" help:"Remove these images; the next build makes them again."`
	Snapshots bool           `help:"Remove all snapshots of ready hosts; the next boots make them again."`
	Cache     bool           `help:"Remove the images and packages that the plan of no run in the runs folder names, and the snapshots that need an image which is gone."`
	Verdicts  *time.Duration `placeholder:"AGE" help:"Remove the kept verdicts that are older: 720h; 0 removes all."`
	DryRun    bool           `help:"Only say what would be removed."`
}

// Help is what virtmatrix gc --help says beyond the flags.
func (*gcVerb) Help() string {
	return `Without flags it removes what killed runs left and shows the size of the cache. What belongs to a living run is left alone.

Examples:
  virtmatrix gc
  virtmatrix gc -cache -dry-run
  virtmatrix gc -snapshots
  virtmatrix gc -verdicts 720h
  virtmatrix gc -images qemu-trixie-0123456789ab`
}

// Run removes what is not needed.
func (v *gcVerb) Run(a *app) error {
	g := &collector{app: a, dry: v.DryRun}
	// Without a Docker there is nothing of it to remove.
	if engine, err := container.Connect(a.ctx); err == nil {
		g.engine = engine
	}
	if err := g.leftovers(); err != nil {
		return err
	}
	st, err := store.Open(a.Home)
	if err != nil {
		return err
	}
	images, err := st.List()
	if err != nil {
		return err
	}
	chosen, err := v.choose(a, st, images)
	if err != nil {
		return err
	}
	for _, image := range images {
		if slices.Contains(chosen, image.Name) {
			if err := g.remove("image "+image.Name, image.Size(), func() error { return st.Remove(image.Name) }); err != nil {
				return err
			}
		}
	}
	if v.Cache {
		if err := g.packages(); err != nil {
			return err
		}
	}
	kept := slices.DeleteFunc(images, func(i store.Image) bool { return slices.Contains(chosen, i.Name) })
	if err := g.snapshots(v, kept); err != nil {
		return err
	}
	if err := g.derived(kept); err != nil {
		return err
	}
	if v.Verdicts != nil {
		if err := g.verdicts(*v.Verdicts); err != nil {
			return err
		}
	}
	return g.sizes()
}

// choose returns the names of the images that go. A medium stays while all that it is made
// of does.
func (v *gcVerb) choose(a *app, st *store.Store, images []store.Image) ([]string, error) {
	var names, chosen []string
	for _, i := range images {
		names = append(names, i.Name)
	}
	for _, name := range v.Images {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("cannot remove image: %w", matrix.Unknown("image", name, names))
		}
		chosen = append(chosen, name)
	}
	if !v.Cache {
		return chosen, nil
	}
	used, err := a.usedImages(st)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		parts := fixtures.MadeOf(i)
		of := len(parts) > 0 && !slices.ContainsFunc(parts, func(part string) bool { return !used[part] })
		if !used[i.Name] && !of && !slices.Contains(chosen, i.Name) {
			chosen = append(chosen, i.Name)
		}
	}
	return chosen, nil
}

// plans reads the plans of all runs. One that cannot be read is an error: what
// it names is not known, and must not be removed.
func (a *app) plans() ([]*matrix.Plan, error) {
	names, err := rundir.List(a.Runs)
	if err != nil {
		return nil, err
	}
	var plans []*matrix.Plan
	for _, name := range names {
		d, err := a.openRun(name)
		if err != nil {
			return nil, err
		}
		p, err := d.ReadPlan()
		if err != nil {
			return nil, fmt.Errorf("cannot tell what run %s uses: %w; remove that run first", name, err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// usedImages are the names of the images of the plans of runs, and of their layouts.
func (a *app) usedImages(st *store.Store) (map[string]bool, error) {
	plans, err := a.plans()
	if err != nil {
		return nil, err
	}
	recipes, err := fixtures.Load()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, p := range plans {
		refs := []matrix.ImageRef{p.Emulator}
		for _, c := range p.Cells {
			refs = append(refs, c.Images...)
			for _, check := range c.Checks {
				refs = append(refs, check.Hosts.Machine)
			}
		}
		for _, ref := range refs {
			// A recipe that is gone makes no image any more.
			spec, err := recipes.Spec(ref, p.PackageSets[ref.Packages])
			if err != nil {
				continue
			}
			used[spec.Name()] = true
			if image, err := st.Look(spec); err == nil {
				used[fixtures.LayoutSpec(image).Name()] = true
			}
		}
	}
	return used, nil
}

// collector removes, or only says what it would.
type collector struct {
	*app
	dry bool
	// engine is nil when no Docker answers.
	engine *container.Engine
}

func (g *collector) remove(what string, bytes int64, remove func() error) error {
	size := ""
	if bytes > 0 {
		size = fmt.Sprintf(" (%s)", megabytes(bytes))
	}
	if g.dry {
		fmt.Fprintf(g.stdout, "would remove %s%s\n", what, size)
		return nil
	}
	if err := remove(); err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "removed %s%s\n", what, size)
	return nil
}

// leftovers removes what runs leave when they are killed: mounts first, lest
// what is mounted be removed with the folder.
func (g *collector) leftovers() error {
	if err := g.orphans(); err != nil {
		return err
	}
	mounts, err := machine.Mounts(g.Runtime)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if err := g.remove("mount "+m, 0, func() error { return machine.Unmount(m) }); err != nil {
			return err
		}
	}
	loops, err := machine.Loops(g.Home, g.Runtime)
	if err != nil {
		return err
	}
	for _, l := range loops {
		if err := g.remove(l.String(), 0, l.Detach); err != nil {
			return err
		}
	}
	for _, dir := range run.Owned(g.Runtime, g.Home) {
		dead, err := owner.Dead(dir)
		if err != nil {
			return err
		}
		for _, path := range dead {
			if err := g.remove(path, 0, func() error { return os.RemoveAll(path) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// snapshots removes all of them, or those that no host can be restored from any
// more: what they need is not among the images, or they are no good.
func (g *collector) snapshots(v *gcVerb, images []store.Image) error {
	st := snapshot.In(run.Snapshots(g.Home))
	if !g.dry {
		if err := st.Sweep(); err != nil {
			return fmt.Errorf("cannot look at snapshots: %w", err)
		}
	}
	all, err := st.List()
	if err != nil {
		return err
	}
	there := digests(images)
	for _, snap := range all {
		useless := snap.Size() == 0 || slices.ContainsFunc(snap.Manifest.Images, func(sum string) bool { return !there[sum] })
		if !v.Snapshots && !(v.Cache && useless) {
			continue
		}
		if err := g.remove("snapshot "+snap.Name, snap.Size(), func() error { return st.Remove(snap.Name) }); err != nil {
			return err
		}
	}
	return nil
}

// sizes prints what the cache takes, by kind.
func (g *collector) sizes() error {
	entries, err := os.ReadDir(g.Home)
	if err != nil {
		return fmt.Errorf("cannot read cache: %w", err)
	}
	fmt.Fprintf(g.stdout, "cache %s:\n", g.Home)
	var total int64
	for _, e := range entries {
		n := sizeOf(filepath.Join(g.Home, e.Name()))
		total += n
		if n > 0 && e.IsDir() {
			fmt.Fprintf(g.stdout, "  %-10s %10s\n", e.Name(), megabytes(n))
		}
	}
	_, err = fmt.Fprintf(g.stdout, "  %-10s %10s\n", "total", megabytes(total))
	return err
}

// sizeOf sums the files at and below a path; what vanishes meanwhile is nothing.
func sizeOf(path string) int64 {
	var sum int64
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}

func megabytes(n int64) string {
	return strings.TrimSpace(fmt.Sprintf("%8.1f MB", float64(n)/1e6))
}
