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
	store    *verdict.Store
	plan     *matrix.Plan
	images   map[matrix.ImageRef]verdict.Image
	emulator host.Emulator
	accel    string
	traits   map[string]string
	// docker is what makes containers, and contained what of the machine counts as
	// well for them; empty when the plan has none, or nothing makes any.
	docker    string
	contained map[string]string
	// code is the version of the code of each package of checks, and of all that
	// carries it out; state tells whether any of it was touched.
	code  map[string]string
	state string
	// doubt is why nobody knows what code gives the answers: none is kept then.
	doubt error
}

// The packages of the checks.
const (
	inboundChecks  = "suites/inbound"
	outboundChecks = "suites/outbound"
)

// CheckPackage is the package that has a check's behaviour, by the family in its
// ID.
func CheckPackage(id string) string {
	if strings.HasPrefix(id, "O-") {
		return outboundChecks
	}
	return inboundChecks
}

// answering are the packages that give any answer: those that hold the checks
// together, boot hosts and work in them.
func answering() []string {
	packages := []string{"suites", "suites/cell", "internal/run"}
	for _, p := range slices.Sorted(maps.Values(programs)) {
		packages = append(packages, strings.TrimPrefix(p, "./"))
	}
	return packages
}

// throughTheCell are files that are built in and count only by what of them is in
// a cell, its checks, and the recipes of its images.
var throughTheCell = []string{"matrix/*.yaml", "fixtures/recipes.yaml"}

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
	v.doubt = v.compiledOf(os.Getenv(CodeEnv))
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
	v := &Verdicts{
		store: verdict.In(Kept(d.config.Home)), plan: plan, emulator: em, accel: accelerator,
		images: map[matrix.ImageRef]verdict.Image{}, code: map[string]string{},
	}
	for ref, img := range images.byRef {
		v.images[ref] = verdict.Image{Role: ref.Role, Key: img.Meta.Key, Content: img.Content()}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		v.traits, err = machine.Traits(ctx, accelerator == accel.KVM)
		return err
	})
	group.Go(func() error { return v.readCode(ctx, source) })
	group.Go(func() error { return v.readContainers(ctx, d.config.Home) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return v, nil
}

// readContainers finds out what would make the plan's containers. Without Docker
// there is no answer in containers to be looked up.
func (v *Verdicts) readContainers(ctx context.Context, home string) (err error) {
	if !v.plan.Has(matrix.Container) {
		return nil
	}
	engine, err := container.Connect(ctx)
	if err != nil {
		return nil
	}
	v.docker = engine.String() + ", " + engine.Made
	v.contained, err = machine.ContainerTraits(Scratch(home))
	return err
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
	v.state = tree.State()
	for _, p := range []string{inboundChecks, outboundChecks} {
		if v.code[p], err = tree.Version(append(answering(), p)...); err != nil {
			return err
		}
	}
	return nil
}

func readCode(ctx context.Context, source string) (*code.Tree, error) {
	return code.Read(ctx, code.Options{
		Root: source, Tags: Tags, Packages: append(answering(), inboundChecks, outboundChecks), Ignore: throughTheCell,
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

// question is all that can influence the answer of a cell to a check. Without the
// images it cannot be asked.
func (v *Verdicts) question(cell *matrix.Cell, check matrix.PlannedCheck) (verdict.Question, error) {
	q := verdict.Question{Check: check, Cell: *cell, Code: v.code[CheckPackage(check.ID)], Machine: v.traits}
	for _, ref := range cell.Images {
		img, err := v.image(ref)
		if err != nil {
			return q, err
		}
		q.Images = append(q.Images, img)
	}
	if cell.Tier == matrix.Container {
		return q, v.inContainer(&q)
	}
	em, err := v.image(v.plan.Emulator)
	q.Host = verdict.Host{
		Accel: v.accel, CPUs: hostCPUs, MemoryMB: hostMemoryMB,
		Emulator: &em, Machine: v.emulator.Machine, CPU: v.emulator.CPU[cell.Kind],
	}
	return q, err
}

// inContainer adds what an answer in a container depends on: no emulator of L0,
// and more of the machine.
func (v *Verdicts) inContainer(q *verdict.Question) error {
	if v.docker == "" {
		return errors.New("nothing makes containers here")
	}
	q.Host = verdict.Host{Accel: v.accel, Docker: v.docker}
	q.Machine = maps.Clone(v.traits)
	maps.Copy(q.Machine, v.contained)
	return nil
}

func (v *Verdicts) image(ref matrix.ImageRef) (verdict.Image, error) {
	img, ok := v.images[ref]
	if !ok {
		return img, fmt.Errorf("image %s of %s is not built", ref.Role, ref.Release)
	}
	return img, nil
}
