package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/code"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/machine"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Tags build the libvirt bindings without libvirt's headers.
const Tags = "libvirt_dlopen"

const (
	// FreshEnv makes `ginkgo run ./suites` ask every check again.
	FreshEnv = "VIRTMATRIX_FRESH"
	// CodeEnv names the state of the code before the suites were compiled. Only
	// with it their answers are kept: it tells what they were compiled from.
	CodeEnv = "VIRTMATRIX_CODE"
)

// Kept is the folder of the answers that are kept.
func Kept(home string) string { return filepath.Join(home, "verdicts") }

// Verdicts is the cache of verdicts as a plan sees it: it knows everything that
// can influence an answer to what the plan asks.
type Verdicts struct {
	store *verdict.Store
	plan  *matrix.Plan
	// images are those that are built: what made each one, what went in, and the
	// digest of what came out.
	images map[matrix.ImageRef]string
	// machine holds how hosts of a tier are run and what of L0 their answers depend
	// on. A tier that nothing runs here is not in it.
	machine map[matrix.Tier]map[string]string
	// code is the version of the code that answers the checks of a family, by the
	// family's folder; state tells whether any of it was touched.
	code  map[string]string
	state string
	// Known says whether a failure is one that a rule explains. Such a one of a check that
	// compares what images hold is given again; nil gives none.
	Known func(journal.Record) bool
	// uncacheable is why nobody knows what code gives the answers: none is kept then.
	uncacheable error
}

// errAskedAnew says that an answer is never kept: repositories change.
var errAskedAnew = errors.New("what repositories serve is asked anew each time")

// module is the path of this module.
const module = "github.com/virtmatrix/virtmatrix/"

// answering are the packages that give any answer, besides those of the check's
// family: they hold the checks together, boot hosts and work in them.
func answering() []string {
	packages := []string{module + "suites/runner", module + "suites/steps", module + "internal/run"}
	for _, p := range programs {
		packages = append(packages, module+strings.TrimPrefix(p, "./"))
	}
	return packages
}

// throughTheCell are files that are built in and count only by what of them is in
// a cell, its checks, and the recipes of its images.
var throughTheCell = []string{"matrix/*.yaml", "matrix/checks.json", "fixtures/recipes.yaml"}

// ErrNotProbed says that nobody knows what runs hosts here: Driver.Probe finds out.
var ErrNotProbed = errors.New("what runs hosts here was not found out since the machine booted; a run does")

// Verdicts opens the cache for a plan before anything of it is run. It reads
// what images there are, and what runs L1 here by the answer that the last probe
// left; without one the error wraps ErrNotProbed. source is the checkout whose
// suites would run. An error says why nothing can be looked up: the checks must be
// asked.
func (d *Driver) Verdicts(ctx context.Context, plan *matrix.Plan, source string) (*Verdicts, error) {
	images := d.builtImages(plan)
	em := d.emulator(plan, images)
	probed, ok := accel.Kept(accelCache(d.config.Home), em)
	if !ok {
		return nil, fmt.Errorf("cannot look up verdicts: %w", ErrNotProbed)
	}
	return d.verdicts(ctx, plan, source, images, em, probed.Accel)
}

// Verdicts opens the cache for what these hosts answer. When nobody knows what
// code answers, it keeps nothing, and forgets what it had kept of what is answered.
func (h *Hosts) Verdicts(ctx context.Context, plan *matrix.Plan) (*Verdicts, error) {
	source, err := ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	v, err := h.driver.verdicts(ctx, plan, source, h.images, h.emulator, h.probed.Accel)
	if err != nil {
		return nil, err
	}
	v.uncacheable = v.compiledOf(os.Getenv(CodeEnv))
	return v, nil
}

// compiledOf says why what was compiled after the code had a state may not be of
// the code that it is now. The guests' programs are built by now, too.
func (v *Verdicts) compiledOf(before string) error {
	switch before {
	case v.state:
		return nil
	case "":
		return errors.New("cannot keep verdicts: nothing tells what code the suites were compiled from; `virtmatrix run` does")
	}
	return errors.New("cannot keep verdicts: the code was changed since the run began")
}

func (d *Driver) verdicts(ctx context.Context, plan *matrix.Plan, source string, images *Images, em host.Emulator, accelerator string) (*Verdicts, error) {
	v := &Verdicts{store: verdict.In(Kept(d.config.Home)), plan: plan, images: map[matrix.ImageRef]string{}}
	for ref, img := range images.byRef {
		v.images[ref] = ref.Role + " " + img.Meta.Key + " " + img.Content()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return v.readMachine(ctx, d.config.Home, em, accelerator) })
	group.Go(func() error { return v.readCode(ctx, source) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return v, nil
}

// readMachine finds out what runs the plan's hosts. Without the L0 emulator, or
// without Docker, there is no answer of such hosts to be looked up.
func (v *Verdicts) readMachine(ctx context.Context, home string, em host.Emulator, accelerator string) error {
	traits, err := machine.Traits(ctx, accelerator == accel.KVM)
	if err != nil {
		return err
	}
	traits["accelerator"] = accelerator
	v.machine = map[matrix.Tier]map[string]string{}
	if image, ok := v.images[v.plan.Emulator]; ok {
		v.machine[matrix.Nested] = maps.Clone(traits)
		v.machine[matrix.Nested]["emulator"] = image
		v.machine[matrix.Nested]["host"] = fmt.Sprint(em.Machine, em.CPU, hostCPUs, hostMemoryMB)
	}
	if !v.plan.Has(matrix.Container) {
		return nil
	}
	engine, err := container.Connect(ctx)
	if err != nil {
		return nil
	}
	contained, err := machine.ContainerTraits(Scratch(home))
	if err != nil {
		return err
	}
	maps.Copy(traits, contained)
	traits["Docker"] = engine.String() + ", " + engine.Made
	v.machine[matrix.Container] = traits
	return nil
}

// builtImages are those of the plan's images that are in the store. Their files
// are not looked at.
func (d *Driver) builtImages(plan *matrix.Plan) *Images {
	images := &Images{byRef: map[matrix.ImageRef]store.Image{}}
	for _, ref := range refsOf(plan) {
		spec, err := d.recipes.Spec(ref, plan.PackageSets[ref.Packages])
		if err != nil {
			continue
		}
		if img, err := d.store.Look(spec); err == nil {
			images.byRef[ref] = img
		}
	}
	return images
}

func (v *Verdicts) readCode(ctx context.Context, source string) error {
	tree, err := readCode(ctx, source)
	if err != nil {
		return err
	}
	v.state, v.code = tree.State(), map[string]string{}
	for _, cell := range v.plan.Cells {
		for _, check := range cell.Checks {
			if v.code[check.Family] != "" {
				continue
			}
			if v.code[check.Family], err = tree.Version(append(answering(), module+"suites/"+check.Family)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func readCode(ctx context.Context, source string) (*code.Tree, error) {
	return code.Read(ctx, code.Options{
		Root: source, Tags: Tags, Packages: append(answering(), "./suites/..."), Ignore: throughTheCell,
	})
}

// CodeState is what CodeEnv is to hold for suites of the checkout that are compiled
// after this.
func CodeState(ctx context.Context, source string) (string, error) {
	tree, err := readCode(ctx, source)
	if err != nil {
		return "", err
	}
	return tree.State(), nil
}

// key is the key of the question that a check asks of a cell. Without the images,
// and what runs the host, it cannot be asked.
func (v *Verdicts) key(cell *matrix.Cell, check matrix.PlannedCheck) (string, error) {
	if check.OfDelivery() {
		return "", errAskedAnew
	}
	q := verdict.Question{Check: check, Cell: *cell, Code: v.code[check.Family], Machine: v.machine[cell.Tier]}
	if q.Machine == nil {
		return "", fmt.Errorf("nothing runs hosts of tier %s here", cell.Tier)
	}
	images := slices.Concat(cell.Images, check.Hosts.Images())
	for _, id := range check.Others() {
		if other := v.plan.Cell(id); other != nil {
			images = slices.Concat(images, other.Images)
		}
	}
	for _, ref := range images {
		image, ok := v.images[ref]
		if !ok {
			return "", fmt.Errorf("image %s of %s is not built", ref.Role, ref.Release)
		}
		q.Images = append(q.Images, image)
	}
	return q.Key()
}
