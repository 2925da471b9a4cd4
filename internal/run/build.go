package run

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"golang.org/x/sync/errgroup"
)

// resolveEmulator puts the L0 emulator's packages into the plan.
func (d *Driver) resolveEmulator(ctx context.Context, plan *matrix.Plan, sources source.Sources) error {
	ref := d.recipes.L0Emulator()
	set, err := d.recipes.ResolveImage(ctx, ref, sources)
	if err != nil {
		return fmt.Errorf("cannot resolve L0 emulator: %w", err)
	}
	ref.Packages = set.Key()
	plan.PackageSets[ref.Packages] = set
	plan.Emulator = ref
	return nil
}

// Build makes every image that the plan's cells need, and the L0 emulator.
func (d *Driver) Build(ctx context.Context, cat *matrix.Catalog, plan *matrix.Plan) (_ *Images, err error) {
	if plan.Emulator.Packages == "" {
		return nil, fault.Infraf("build images", "the plan's packages are not resolved; plan again")
	}
	if err := fixtures.AllApply(plan); err != nil {
		return nil, fault.Infraf("build images", "%w", err)
	}
	if err := containable(ctx, plan); err != nil {
		return nil, err
	}
	if cat, err = laid(cat, plan); err != nil {
		return nil, fault.Infraf("build images", "%w", err)
	}
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return nil, err
	}
	images := &Images{byRef: map[matrix.ImageRef]store.Image{}, layouts: map[matrix.ImageRef]layout.Manifest{}, sources: sources}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(buildsAtOnce, runtime.GOMAXPROCS(0)))
	for _, ref := range refsOf(plan) {
		group.Go(func() error {
			img, err := d.buildImage(ctx, plan, ref, sources)
			if err != nil {
				return err
			}
			found, err := fixtures.Layout(ctx, img, d.store)
			mu.Lock()
			defer mu.Unlock()
			images.byRef[ref], images.layouts[ref] = img, found
			return err
		})
	}
	return images, group.Wait()
}

// buildsAtOnce is how many images are built or verified side by side at least, as
// far as there is room for builds: one waits for the mirror and for the disk
// about as long as it computes.
const buildsAtOnce = 2

func (d *Driver) buildImage(ctx context.Context, plan *matrix.Plan, ref matrix.ImageRef, sources source.Sources) (store.Image, error) {
	set, ok := plan.PackageSets[ref.Packages]
	if !ok {
		return store.Image{}, fault.Infraf("build image "+ref.Role, "the plan has no package set %.12s; plan again", ref.Packages)
	}
	start := time.Now()
	img, err := d.recipes.Build(ctx, ref, set, d.site(sources))
	if err == nil {
		d.tell(progress.Event{Phase: progress.Finished, Image: img.Name, Seconds: time.Since(start).Seconds()})
	}
	return img, err
}

// site is where the driver builds.
func (d *Driver) site(sources source.Sources) fixtures.Site {
	return fixtures.Site{Store: d.store, Sources: sources, Room: d.room, Progress: d.tellBuild}
}

// refsOf lists each image of a plan once, the emulator first. A cell that is asked
// nothing needs none, unless another cell's checks need what it has.
func refsOf(plan *matrix.Plan) []matrix.ImageRef {
	refs := []matrix.ImageRef{plan.Emulator}
	seen := map[matrix.ImageRef]bool{plan.Emulator: true}
	needed := map[string]bool{}
	for _, c := range plan.Cells {
		for _, p := range c.Checks {
			others := p.Others()
			if p.OfDelivery() {
				others = append(others, c.Baseline)
			}
			for _, id := range others {
				needed[id] = needed[id] || p.Asked()
			}
		}
	}
	for _, c := range plan.Cells {
		if c.Asked() == 0 && !needed[c.ID] {
			continue
		}
		wanted := c.Images
		for _, p := range c.Checks {
			if p.Asked() {
				wanted = slices.Concat(wanted, p.Hosts.Images())
			}
		}
		for _, ref := range wanted {
			if !seen[ref] {
				seen[ref] = true
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

func (d *Driver) tellBuild(e fixtures.Event) {
	switch e.Stage {
	case "fetch":
		d.tell(progress.Event{Phase: progress.Fetching, Image: e.Image, Done: e.Done, Total: e.Total})
	case "wait":
		d.tell(progress.Event{Phase: progress.Waiting, Image: e.Image, Text: e.Why})
	case "build":
		d.tell(progress.Event{Phase: progress.Building, Image: e.Image})
	}
}

// Images are the built images of a plan, and what was found in them.
type Images struct {
	byRef   map[matrix.ImageRef]store.Image
	layouts map[matrix.ImageRef]layout.Manifest
	// sources are what they were built from.
	sources source.Sources
}

// layout is the manifest of a cell's image with one of the roles.
func (im *Images) layout(cell *matrix.Cell, roles ...string) layout.Manifest {
	for _, role := range roles {
		if ref, ok := cell.Image(role); ok {
			return im.layouts[ref]
		}
	}
	return layout.Manifest{}
}

// file returns a file of a cell's image with one of the roles.
func (im *Images) file(cell *matrix.Cell, name string, roles ...string) string {
	if image := im.image(cell, roles...); image.Dir != "" {
		return image.Path(name)
	}
	return ""
}

// folder is where an image is; empty for none.
func (im *Images) folder(ref matrix.ImageRef) string { return im.byRef[ref].Dir }

// sums are the SHA-256 of all images' files, by path.
func (im *Images) sums() map[string]string {
	sums := map[string]string{}
	for _, image := range im.byRef {
		for _, f := range image.Meta.Files {
			sums[image.Path(f.Path)] = f.SHA256
		}
	}
	return sums
}

// programs are the static programs of the guests, as import paths.
var programs = map[string]string{
	"l1init": "./internal/agent/l1init",
	"launch": "./internal/agent/launch",
	"l2init": "./fixtures/l2/init",

	probe.Program:   "./internal/probe/l1probe",
	capture.Program: "./internal/capture/l1capture",
}

// tools are those of the programs that checks run in L1.
var tools = []string{probe.Program}

// SourceEnv is the environment variable that names the checkout of virtmatrix
// to a process that does not run in it.
const SourceEnv = "VIRTMATRIX_SOURCE"

// ModuleRoot finds the folder of this module, from the working directory up
// unless the environment names it: the guests' programs are built from source,
// as the suites are.
func ModuleRoot(ctx context.Context) (string, error) {
	if root := os.Getenv(SourceEnv); root != "" {
		return root, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	mod := strings.TrimSpace(string(out))
	if err != nil || mod == "" || mod == os.DevNull {
		return "", fault.Infraf("find virtmatrix's source", "no go.mod from the working directory upwards; run from a checkout of virtmatrix")
	}
	return filepath.Dir(mod), nil
}

// Programs builds the guests' programs into dir and returns their paths.
func Programs(ctx context.Context, dir string) (map[string]string, error) {
	built := map[string]string{}
	for name := range programs {
		out, err := buildProgram(ctx, name, dir)
		if err != nil {
			return nil, err
		}
		built[name] = out
	}
	return built, nil
}

// buildProgram builds one of the programs into dir.
func buildProgram(ctx context.Context, name, dir string) (path string, err error) {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	// Without the commit's name in it, a program changes when its source does.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, programs[name])
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fault.Infraf("build "+name, "%w: %s", err, strings.TrimSpace(string(text)))
	}
	return path, nil
}
