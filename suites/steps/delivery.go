package steps

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Packages are those of a candidate, and of the release that it is laid over.
type Packages interface {
	Candidate() matrix.Candidate
	// Resolve finds what an installation of the packages takes.
	Resolve(ctx context.Context, names ...string) (matrix.PackageSet, error)
	// Released are those of the component that the release below has.
	Released(ctx context.Context) (matrix.PackageSet, error)
	// Inspect reads what packages say and hold.
	Inspect(ctx context.Context, set matrix.PackageSet) ([]source.Content, error)
	// Signatures says of each index that an installation reads who answers for it, by
	// the repository's keyring or another one.
	Signatures(ctx context.Context, keyring string) ([]source.Signature, error)
	// Plant has the candidate have a package more.
	Plant(ctx context.Context, p source.Planted) error
	// Publisher shows what else the release brings.
	Publisher() (source.Publisher, error)
}

// Roots are those of hosts without the candidate and with it.
type Roots interface {
	// Sets are what is in them.
	Sets(ctx context.Context) (was, now matrix.PackageSet, err error)
	// Move takes a throw-away root from the one to the other. The commands are run in it
	// before and after.
	Move(ctx context.Context, way source.Way, before, after string) (source.Moved, error)
}

// Deliveries is how packages come to a host.
type Deliveries interface {
	Packages
	Roots
}

// Delivery is how the packages of the cell's candidate come to a host.
type Delivery struct {
	t  *T
	at Deliveries
	// spoil is what a control does in the root of a move.
	spoil string
	// keyring is a control's.
	keyring string
}

// Delivery is that of the cell. What the solver refuses has its own check.
func (t *T) Delivery() *Delivery {
	if t.Check != matrix.RefusedCheck && t.Cell.Refused != "" {
		t.must(&fault.Unmet{What: "packages that can be installed", Check: matrix.RefusedCheck,
			Err: fault.Productf(t.Layer, "install the packages", "%s", t.Cell.Refused)}, "")
	}
	if t.delivery == nil {
		at, err := t.Deliver(t.ctx, t.Cell)
		t.must(err, "look at the delivery")
		t.delivery = &Delivery{t: t, at: at}
	}
	return t.delivery
}

// Candidate is what is delivered.
func (d *Delivery) Candidate() matrix.Candidate { return d.at.Candidate() }

// TryResolve finds what an installation of the packages takes, or what the solver says
// against it.
func (d *Delivery) TryResolve(names ...string) (set matrix.PackageSet, refused string) {
	set, err := d.at.Resolve(d.t.ctx, names...)
	if refused = refusal(err); refused == "" {
		d.t.must(err, "resolve "+strings.Join(names, ", "))
	}
	return set, refused
}

// refusal is what the solver says; empty when it is not the solver's error.
func refusal(err error) string {
	var e *source.Error
	if errors.As(err, &e) && (e.Kind == source.Unsatisfiable || e.Kind == source.NoSuchPackage) {
		return e.Err.Error()
	}
	return ""
}

// solved ends the attempt where the solver refuses, which is the product's, and where
// something else went wrong.
func (d *Delivery) solved(err error, op string) {
	if words := refusal(err); words != "" {
		d.t.Fail(d.t.Layer, "cannot %s: %s", op, words)
	}
	d.t.must(err, op)
}

// Released are the packages of the component that the release below has, but those with
// nothing but the symbols for debuggers.
func (d *Delivery) Released() matrix.PackageSet {
	set, err := d.at.Released(d.t.ctx)
	d.t.must(err, "list the release's packages")
	if d.t.planted {
		set.Packages = append(set.Packages, matrix.Package{Name: capture.Planted, Version: "0"})
	}
	return set
}

// Offered are the candidate's packages.
func (d *Delivery) Offered() matrix.PackageSet {
	c := d.at.Candidate()
	return matrix.PackageSet{Source: d.Released().Source, Release: c.Release, Packages: slices.Clone(c.Packages)}
}

// Sets are what a host's root has without the candidate, and with it.
func (d *Delivery) Sets() (was, now matrix.PackageSet) {
	was, now, err := d.at.Sets(d.t.ctx)
	d.solved(err, "resolve the roots")
	return was, now
}

// Inspect reads what packages say and hold.
func (d *Delivery) Inspect(set matrix.PackageSet) []source.Content {
	all, err := d.at.Inspect(d.t.ctx, set)
	d.t.must(err, "inspect packages")
	return all
}

// Move takes a throw-away root between the release and the candidate, with the packages' own
// scripts. What is said is kept as evidence.
func (d *Delivery) Move(way source.Way, before, after string) source.Moved {
	moved, err := d.at.Move(d.t.ctx, way, before+"\n"+d.spoil, after)
	d.solved(err, "move packages")
	d.t.KeepText(strings.ReplaceAll(string(way), " ", "-")+".log", moved.Log)
	return moved
}

// Enabled says of each repository that users have by the release's packages who answers for
// what they get from it.
func (d *Delivery) Enabled() []source.Signature {
	all, err := d.publisher().Enabled(d.t.ctx, d.Candidate().Release, d.keyring)
	d.solved(err, "read the repositories")
	return all
}

// Stripped lists the programs of the candidate whose symbols are published nowhere.
func (d *Delivery) Stripped() []string {
	all, err := d.publisher().Stripped(d.t.ctx, d.Candidate().Release, d.Offered())
	d.t.must(err, "look for symbols")
	return all
}

// Sourceless lists the candidate's packages whose source packages are published nowhere.
func (d *Delivery) Sourceless() []string {
	offered := d.Offered()
	d.Inspect(offered) // which fetches them
	all, err := d.publisher().Sourceless(d.t.ctx, d.Candidate().Release, offered)
	d.t.must(err, "look for source packages")
	return all
}

func (d *Delivery) publisher() source.Publisher {
	p, err := d.at.Publisher()
	d.t.must(err, "look at what is published")
	return p
}

// Signatures says of each index that an installation reads who answers for it.
func (d *Delivery) Signatures() []source.Signature {
	all, err := d.at.Signatures(d.t.ctx, d.keyring)
	d.t.must(err, "read signatures")
	return all
}

// Distrust has only a keyring believed that holds no key, as a control.
func (d *Delivery) Distrust() { d.keyring = os.DevNull }

// SpoilRoot has a command run in the root of each move, as a control.
func (d *Delivery) SpoilRoot(command string) { d.spoil = command }

// Plant has the candidate have a package more, as a control.
func (d *Delivery) Plant(p source.Planted) { d.t.must(d.at.Plant(d.t.ctx, p), "plant a package") }
