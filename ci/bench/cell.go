package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"github.com/virtmatrix/virtmatrix/suites/outbound"
)

// checks are the OUTBOUND checks that are measured, in the order of l1/checks.sh,
// which does their work with virsh alone.
var checks = []string{"O-CONN", "O-CAPS", "O-DEF", "O-START", "O-DESTROY", "O-SAVE"}

var (
	//go:embed l1/checks.sh
	script []byte
	//go:embed l1/talk.pl
	talk []byte
)

// plainDir is where the script's files are in L1.
const plainDir = "/virtmatrix/plain"

// cells measures the checks by the harness, each time on a host that was just
// restored, against the script on another such host.
func cells(ctx context.Context, l *lab) ([]row, error) {
	if err := l.warm(ctx); err != nil {
		return nil, err
	}
	s, err := l.inTurn(ctx, "all", side{ours, l.checksByHarness}, side{plain, l.checksByScript})
	rows := []row{rowOf(s, "all", plain, "all of "+strings.Join(checks, " "), inSeconds, &target{Of: ofRatio, Most: 1.10})}
	rows[0].Notes = s.notes()
	for _, id := range checks {
		rows = append(rows, rowOf(s, id, plain, "... "+id, inSeconds, nil))
	}
	return rows, err
}

func (l *lab) checksByHarness(ctx context.Context) (map[string]float64, error) {
	plan, err := l.cell()
	if err != nil {
		return nil, err
	}
	vm, err := l.restored(ctx, "cell")
	if err != nil {
		return nil, err
	}
	return l.answers(ctx, l.plan, plan, vm)
}

// answers lets the harness answer the checks of a plan's cell on a host, which it
// then closes.
func (l *lab) answers(ctx context.Context, plan *matrix.Plan, planned *matrix.Cell, vm cell.Host) (map[string]float64, error) {
	defer vm.Close() // the cell closes it, too, once it has taken it over
	dir := l.file("run")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	answers, err := journal.Open(dir, 1)
	if err != nil {
		return nil, err
	}
	defer answers.Close()
	c := cell.New(&cell.Run{
		Plan: plan, Dir: dir, Boot: &ready{release: l.hosts.KernelRelease, host: vm}, Journal: answers, Events: func(progress.Event) {},
		Accel: l.hosts.Accel().Accel, Scale: l.hosts.Accel().Scale, Emulator: "qemu " + l.hosts.Emulator().Version, Harness: "bench",
		Engine: run.Engine(ctx, plan),
	}, planned, nil)
	defer c.Discard()
	values := map[string]float64{}
	began := time.Now()
	for _, id := range checks {
		p, err := check(planned, id)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		rec, err := c.Answer(ctx, p, outbound.Checks[id])
		if err != nil {
			return nil, err
		}
		if err := atOnce(rec); err != nil {
			return nil, err
		}
		values[id] = time.Since(start).Seconds()
	}
	values["all"] = time.Since(began).Seconds()
	return values, nil
}

// atOnce says how an answer is another than a PASS at the first attempt. A fault of
// ours spoils the sample: it says nothing of what the checks take.
func atOnce(rec journal.Record) error {
	why := rec.Reason
	if rec.Attempts > 1 && rec.Verdict != matrix.Fail && len(rec.Notes) > 0 {
		why = rec.Notes[0] // what there was to be another attempt for
	}
	said := fmt.Sprintf("%s ended in %s after %d attempts: %s", rec.Check, rec.Verdict, rec.Attempts, why)
	switch {
	case rec.Verdict == matrix.Infra:
		return &spoiltError{said}
	case rec.Verdict != matrix.Pass || rec.Attempts != 1:
		return errors.New(said)
	}
	return nil
}

func check(c *matrix.Cell, id string) (matrix.PlannedCheck, error) {
	for _, p := range c.Checks {
		if p.ID == id {
			return p, nil
		}
	}
	return matrix.PlannedCheck{}, fmt.Errorf("cannot measure %s: the plan does not ask for it", id)
}

// ready is a booter that has booted already.
type ready struct {
	release func(*matrix.Cell) (string, error)
	host    cell.Host
	handed  bool
}

// Forget has nothing to forget: there is one host.
func (*ready) Forget(*matrix.Cell) error { return nil }

// Boot hands the host over; to boot a second one would be another measure.
func (r *ready) Boot(context.Context, *matrix.Cell, string) (cell.Host, error) {
	if r.handed {
		return nil, fault.Infraf("boot another host", "a sample is of one")
	}
	r.handed = true
	return r.host, nil
}

// Admit gives a place to the host, which has one.
func (r *ready) Admit(context.Context, *matrix.Cell, func(string)) (cell.Place, error) {
	return place{}, nil
}

// place is the room of a host that is there already.
type place struct{}

// Uses is for hosts that are not below this process.
func (place) Uses(context.Context, int) error { return nil }

// Release leaves the room to whoever made the host.
func (place) Release() {}

// KernelRelease is what uname -r prints under the cell's kernel.
func (r *ready) KernelRelease(c *matrix.Cell) (string, error) { return r.release(c) }

// checksByScript runs the script in a host. Its files are put there before.
func (l *lab) checksByScript(ctx context.Context) (map[string]float64, error) {
	files, err := l.scriptFiles()
	if err != nil {
		return nil, err
	}
	vm, err := l.restored(ctx, "script")
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	return runScript(ctx, vm, files, host.Settings{Scale: l.hosts.Accel().Scale}.Limit(scriptLimit))
}

// scriptLimit bounds how long the script may take, at scale 1, where it takes two
// minutes. It has no limits of its own, and would wait for ever in a host whose
// processors stand still.
const scriptLimit = 5 * time.Minute

func runScript(ctx context.Context, l1 cell.Shell, files map[string][]byte, limit time.Duration) (map[string]float64, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := putFiles(limited, l1, files)
	var res agent.Result
	began := time.Now()
	if err == nil {
		res, err = l1.Exec(limited, "sh "+plainDir+"/checks.sh")
	}
	all := time.Since(began).Seconds()
	switch {
	case err != nil && limited.Err() != nil:
		return nil, &spoiltError{fmt.Sprintf("the script was not done within %s; its last word is %q", limit, console.Tail(res.Stdout, 1))}
	case err != nil:
		return nil, err
	case !res.OK():
		return nil, fmt.Errorf("the script ended with status %d: %s", res.Code, res.Text())
	}
	values, err := marks(string(res.Stdout))
	if err != nil {
		return nil, err
	}
	values["all"] = all
	return values, nil
}

func putFiles(ctx context.Context, l1 cell.Shell, files map[string][]byte) error {
	if _, err := l1.Exec(ctx, "mkdir -p "+plainDir); err != nil {
		return err
	}
	for name, content := range files {
		if err := l1.Write(ctx, plainDir+"/"+name, content); err != nil {
			return err
		}
	}
	return nil
}

// scriptFiles are the script and what it needs.
func (l *lab) scriptFiles() (map[string][]byte, error) {
	files := map[string][]byte{"checks.sh": script, "talk.pl": talk}
	for name, opts := range map[string][]domain.Option{
		"define":  {domain.WithTitle("first")},
		"start":   {domain.WithDisk(host.ScratchDir+"/start.img", "raw")},
		"destroy": nil,
		"save":    {domain.WithDisk(host.ScratchDir+"/save.img", "raw")},
	} {
		xml, err := l.describe(name, opts)
		if err != nil {
			return nil, err
		}
		files[name+".xml"] = []byte(xml)
	}
	return files, nil
}

// describe writes the domain that a check would use.
func (l *lab) describe(name string, opts []domain.Option) (string, error) {
	plan, err := l.cell()
	if err != nil {
		return "", err
	}
	settings, err := domain.Read(plan, l.hosts.Accel().Accel)
	if err != nil {
		return "", err
	}
	d := domain.New(domain.Guest{Name: name, Token: name, Kernel: host.GuestKernel, Initrd: host.GuestInitrd}, settings, opts...)
	return d.Marshal()
}

// marks reads how long each part of the script took.
func marks(said string) (map[string]float64, error) {
	values := map[string]float64{}
	var last string
	var since float64
	for line := range strings.Lines(said) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "mark" {
			continue
		}
		now, err := strconv.ParseFloat(words[2], 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read what the script says: %w", err)
		}
		if last != "" {
			values[last] = now - since
		}
		last, since = words[1], now
	}
	if last != "end" {
		return nil, fmt.Errorf("cannot read what the script says: it ends with mark %q", last)
	}
	return values, nil
}
