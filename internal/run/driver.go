// Package run carries a plan through its stages: it resolves the packages,
// builds the images, and hands each cell's host to the suites. The command and
// `ginkgo run ./suites` share it, so that both do the same.
package run

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/registry"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// DefaultRuntime is where sockets and the files of running hosts are. It is
// short, because a Unix socket's path may have 107 bytes.
const DefaultRuntime = "/run/virtmatrix"

// RuntimeEnv is the environment variable that overrides DefaultRuntime.
const RuntimeEnv = "VIRTMATRIX_RUNTIME"

// MatrixEnv is the environment variable that names the folder of another
// catalogue than the built-in one.
const MatrixEnv = "VIRTMATRIX_MATRIX"

// The environment through which the command speaks to the suites, besides the
// folders.
const (
	// ResumeEnv makes the suites skip what the journal has answered.
	ResumeEnv = "VIRTMATRIX_RESUME"
	// KeepEnv keeps the evidence of passes too.
	KeepEnv = "VIRTMATRIX_KEEP"
	// SelftestEnv has each check run under its control, which it must see.
	SelftestEnv = "VIRTMATRIX_SELFTEST"
)

// Catalog reads the catalogue in a folder, empty for the built-in one, and leaves
// out what does not concern this machine. home is the cache, empty for the default.
func Catalog(dir, home string) (*matrix.Catalog, error) {
	cat, err := matrix.Default()
	if dir != "" {
		cat, err = matrix.Load(os.DirFS(dir))
	}
	if err != nil {
		return nil, err
	}
	return cat.On(accel.Emulates(accelCache(cmp.Or(home, store.Home())))), nil
}

// accelCache is where the answer of the accelerator's probe is kept.
func accelCache(home string) string { return filepath.Join(home, "accel.json") }

// Config says where a driver works.
type Config struct {
	// Home is the cache: packages and images; empty means store.Home().
	Home string
	// Runtime is the folder for sockets and hosts' files; empty means
	// $VIRTMATRIX_RUNTIME or DefaultRuntime.
	Runtime string
	// Mirror overrides the package mirror of the machine's apt sources.
	Mirror string
	// Fresh asks the mirror again even when the lists at hand are young.
	Fresh bool
	// Events is told what happens; nil for nobody.
	Events progress.Sink
}

func (c Config) withDefaults() Config {
	c.Home = cmp.Or(c.Home, store.Home())
	c.Runtime = cmp.Or(c.Runtime, os.Getenv(RuntimeEnv), DefaultRuntime)
	if c.Events == nil {
		c.Events = func(progress.Event) {}
	}
	return c
}

// Driver resolves, builds and boots.
type Driver struct {
	config  Config
	recipes *fixtures.Recipes
	store   *store.Store
	room    *admit.Room
	// Swept are the folders of killed runs that Open removed.
	Swept []string
}

// Open prepares a driver and removes what killed runs left behind.
func Open(c Config) (*Driver, error) {
	c = c.withDefaults()
	recipes, err := fixtures.Load()
	if err != nil {
		return nil, err
	}
	st, err := store.Open(c.Home)
	if err != nil {
		return nil, err
	}
	d := &Driver{config: c, recipes: recipes, store: st, room: openRoom(c.Runtime)}
	for _, dir := range Owned(c.Runtime, c.Home) {
		swept, err := owner.Sweep(dir)
		if err != nil {
			return nil, err
		}
		d.Swept = append(d.Swept, swept...)
	}
	if err := snapshot.In(Snapshots(c.Home)).Sweep(); err != nil {
		return nil, fault.Infraf("sweep snapshots", "%w", disk.Explain(err, c.Home))
	}
	return d, nil
}

// Scratch is the folder for large files that end with their owner: hosts'
// disks, compiled suites. It is on the disk of the cache, because the run-time
// folder is often in memory.
func Scratch(home string) string { return filepath.Join(home, "tmp") }

// Owned are the folders in which every folder belongs to a living process, or
// to nobody any more.
func Owned(runtime, home string) []string { return []string{runtime, Scratch(home)} }

// Runtime is the folder for sockets and hosts' files.
func (d *Driver) Runtime() string { return d.config.Runtime }

func (d *Driver) tell(e progress.Event) {
	e.Time = time.Now().UTC()
	d.config.Events(e)
}

// sources makes the sources of a catalogue's releases.
func (d *Driver) sources(ctx context.Context, cat *matrix.Catalog) (source.Sources, error) {
	return registry.Open(ctx, registry.Options{Home: d.config.Home, Mirror: d.config.Mirror, Fresh: d.config.Fresh}, cat)
}

// Tools lists the programs that a driver needs on the machine for a catalogue, of nil
// for any.
func Tools(cat *matrix.Catalog) []tool.Tool {
	return slices.Concat(fixtures.Tools(), registry.Tools(cat), host.Tools())
}

// Plan freezes what is asked for: cells and checks from the catalogue, exact
// packages from the sources, which also say what does not go together. The plan
// is sealed.
func (d *Driver) Plan(ctx context.Context, cat *matrix.Catalog, req matrix.Request) (*matrix.Plan, error) {
	cat, req, err := d.lay(ctx, cat, req)
	if err != nil {
		return nil, err
	}
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return nil, err
	}
	cat, err = d.derive(ctx, cat, req, sources)
	if err != nil {
		return nil, err
	}
	plan, err := matrix.New(cat, req)
	if err != nil {
		return nil, err
	}
	d.tell(progress.Event{Phase: progress.Resolving, Text: fmt.Sprintf("packages of %d cells", len(plan.Cells))})
	if err := d.recipes.Resolve(ctx, plan, cat, sources); err != nil {
		return nil, err
	}
	if err := d.resolveEmulator(ctx, plan, sources); err != nil {
		return nil, err
	}
	cat.AskRefused(plan)
	return plan, plan.Seal()
}
