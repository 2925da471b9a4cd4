package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// checks are the OUTBOUND checks that are measured, in the order of
// plain/l1/checks.sh, which does their work with virsh alone.
var checks = []string{"O-CONN", "O-CAPS", "O-DEF", "O-START", "O-DESTROY", "O-SAVE"}

// taker runs virtmatrix as users do and returns what was seen of it: the time of
// all, of its checks, and from the first of them to the end; its memory while n
// hosts are there; how many answers were not a PASS at once, and how many came from
// the cache. clean wants each answer to be a PASS at once: a fault of ours spoils
// the sample, for it says nothing of what the checks take.
func (l *lab) taker(n int, clean bool, args ...string) func(context.Context) (figures, error) {
	return func(ctx context.Context) (figures, error) {
		// A run that never began must not be taken for the one before.
		runs, f := l.file("runs"), figures{}
		if err := os.RemoveAll(runs); err != nil {
			return nil, err
		}
		log, err := os.Create(l.file("run.log"))
		if err != nil {
			return nil, err
		}
		defer log.Close()
		cmd := exec.CommandContext(ctx, l.virtmatrix, append([]string{"run", "-v", "-runs", runs, "-parallel", fmt.Sprint(n)}, args...)...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its hosts
		cmd.Stdout, cmd.Stderr = log, log
		began, ended := time.Now(), make(chan error, 1)
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		go func() { ended <- cmd.Wait() }()
		for running := true; running; {
			select {
			case err = <-ended:
				running = false
			case <-time.After(250 * time.Millisecond):
				f.look(cmd.Process.Pid, n)
			}
		}
		end := time.Now()
		// Its exit code tells of the answers, which are looked at here.
		if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() {
			err = nil
		}
		m, reading := reports.ReadMatrix(filepath.Join(runs, rundir.Latest, "matrix.json"))
		if err := errors.Join(err, reading); err != nil {
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("cannot run virtmatrix: %w; it says %s", err, text[max(0, len(text)-2000):])
		}
		f["time"] = end.Sub(began).Seconds()
		f.times(m, end)
		flaws, err := flawsOf(m)
		f["flaws"] = float64(len(flaws))
		for _, flaw := range flaws {
			l.say("%s", flaw)
		}
		if err == nil && clean && len(flaws) > 0 {
			if err = errors.New(strings.Join(flaws, "; ")); m.Totals[matrix.Fail] == 0 {
				err = errors.Join(errSpoilt, err)
			}
		}
		return f, err
	}
}

// times are those of the checks that a run asked, until its end.
func (f figures) times(m *reports.Matrix, end time.Time) {
	first, last := end, time.Time{}
	for _, r := range m.Results {
		switch {
		case r.Cached() != nil:
			f["cached"]++
		case r.Record != nil && r.Verdict != matrix.Unsupported:
			f["asked"]++
			done := r.Record.Started.Add(time.Duration(r.Record.Seconds * float64(time.Second)))
			if first.After(r.Record.Started) {
				first = r.Record.Started
			}
			if done.After(last) {
				last = done
			}
		}
	}
	f["checks"], f["checks and end"] = last.Sub(first).Seconds(), end.Sub(first).Seconds()
}

// flawsOf are the answers of a run that were not a PASS at the first attempt. When
// one is missing the run did less than others: that is an error, for it would count
// as a faster one.
func flawsOf(m *reports.Matrix) (flaws []string, err error) {
	for _, r := range m.Results {
		switch {
		case r.Verdict == matrix.Missing:
			return nil, fmt.Errorf("%s of %s has no answer", r.Check, r.Cell)
		case r.Verdict != matrix.Unsupported && (r.Verdict != matrix.Pass || r.Retried()):
			why, _, _ := strings.Cut(strings.Join(append(r.Record.Notes, r.Reason), "; "), "\n")
			flaws = append(flaws, fmt.Sprintf("%s of %s ended in %s after %d attempts: %s", r.Check, r.Cell, r.Verdict, r.Record.Attempts, why))
		}
	}
	return flaws, nil
}

// look takes the memory of a run's processes when it is more than before and n
// hosts are there. What processes share is counted once: each has its part of it.
func (f figures) look(pid, n int) {
	hosts, harness, largest := 0, 0.0, 0.0
	for _, p := range append(owner.Descendants(pid), pid) {
		memory := fmt.Sprintf("/proc/%d/smaps_rollup", p)
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p)); strings.HasPrefix(string(name), "qemu-system-") {
			hosts, largest = hosts+1, max(largest, valueOf(memory, "Rss"))
		} else {
			harness += valueOf(memory, "Pss")
		}
	}
	if hosts >= n {
		f["harness"], f["host"] = max(f["harness"], harness), max(f["host"], largest)
	}
}

// cell measures checks on a host that is restored for them, against a script that
// does their work on another such host.
func cell(ctx context.Context, l *lab) ([]side, []row, error) {
	take := l.taker(1, true, "-fresh", "-cells", subject, "-checks", strings.Join(checks, ","))
	// The first compiles, and makes what is made once. It is not counted.
	_, err := take(ctx)
	return []side{{ours, take}, {plain, l.script}}, []row{{
		what: "a restored host and " + strings.Join(checks, " "), figure: "checks", unit: "s", plain: plain, of: ofRatios, most: 1.10,
	}}, err
}

// scriptLimit bounds how long the script may take, at scale 1, where it takes two
// minutes. It has no limits of its own, and would wait for ever in a host whose
// processors stand still.
const scriptLimit = 5 * time.Minute

// script restores a host and runs the script in it. Its files are put there before.
func (l *lab) script(ctx context.Context) (figures, error) {
	const dir = "/virtmatrix/plain"
	settings, err := domain.Read(l.cell, l.hosts.Accel().Accel)
	f, files := figures{}, map[string]string{"checks.sh": script("l1/checks.sh"), "talk.pl": script("l1/talk.pl")}
	for name, opts := range map[string][]domain.Option{
		"define": {domain.WithTitle("first")}, "start": {domain.WithDisk(host.ScratchDir+"/start.img", "raw")},
		"destroy": nil, "save": {domain.WithDisk(host.ScratchDir+"/save.img", "raw")},
	} {
		xml, failed := domain.New(domain.Guest{Name: name, Token: name, Kernel: host.GuestKernel, Initrd: host.GuestInitrd}, settings, opts...).Marshal()
		files[name+".xml"], err = xml, errors.Join(err, failed)
	}
	if err != nil {
		return nil, err
	}
	return f, l.restored(ctx, func(vm *host.VM, asked time.Time) error {
		up := time.Since(asked)
		ctx, cancel := context.WithTimeout(ctx, host.Settings{Scale: l.hosts.Accel().Scale}.Limit(scriptLimit))
		defer cancel()
		_, err := vm.Exec(ctx, "mkdir -p "+dir)
		for name, content := range files {
			err = errors.Join(err, vm.Write(ctx, dir+"/"+name, []byte(content)))
		}
		if err != nil {
			return err
		}
		began := time.Now()
		res, err := vm.Exec(ctx, "sh "+dir+"/checks.sh")
		f["checks"] = (up + time.Since(began)).Seconds()
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: the script was not done in time; its last word is %q", errSpoilt, console.Tail(res.Stdout, 1))
		} else if err == nil && !res.OK() {
			err = fmt.Errorf("the script ended with status %d: %s", res.Code, res.Text())
		}
		return err
	})
}

// parallel shows what it takes, and brings, to have cells side by side.
func parallel(ctx context.Context, l *lab) (sides []side, rows []row, err error) {
	// Nothing is counted of the first: it builds, compiles, and boots.
	args := []string{"-fresh", "-checks", "O-CONN,O-DEF,O-START"}
	_, err = l.taker(1, false, args...)(ctx)
	for _, n := range []int{1, 2, 4} {
		name := fmt.Sprintf("%d side by side", n)
		sides = append(sides, side{name, l.taker(n, false, args...)})
		one := sides[0].name
		rows = append(rows,
			row{what: "the default profile, " + name + "; compared with one by one", ours: name, figure: "time", unit: "s", plain: one},
			row{what: "... the most of one host's emulator", ours: name, figure: "host", unit: "MiB"},
			row{what: "... answers that were not a PASS at the first try", ours: name, figure: "flaws", of: ofWorst},
			row{what: "... the harness's most memory", ours: name, figure: "harness", unit: "MiB"})
	}
	rows[len(rows)-1].of, rows[len(rows)-1].most = ofOurs, 150
	return sides, rows, err
}

// container measures the checks of the subject's (libvirt, qemu) pair with a host
// and its end: in a container, against a host that is booted.
func container(ctx context.Context, l *lab) ([]side, []row, error) {
	args := []string{"-fresh", "-cells", subject, "-checks", strings.Join(checks, ",")}
	contained := l.taker(1, true, append(args, "-profile", "containers")...)
	// The first container imports the image, which is done once for all.
	_, err := contained(ctx)
	// In a home without snapshots each host boots.
	home, failed := l.homeWith("apt", "packages", "images", "locks", "accel.json")
	nested := func(ctx context.Context) (figures, error) {
		if err := os.RemoveAll(run.Snapshots(home)); err != nil {
			return nil, err
		}
		return l.taker(1, true, append(args, "-home", home)...)(ctx)
	}
	return []side{{ours, contained}, {plain, nested}}, []row{{
		what:   "host, checks and its end in a container; plain: the same on a cold nested host, which leaves its snapshot",
		figure: "checks and end", unit: "s", plain: plain, of: ofRatios, most: 1.0 / 3,
	}}, errors.Join(err, failed)
}

// rerun measures a run of the default profile of which the cache knows every answer.
func rerun(ctx context.Context, l *lab) ([]side, []row, error) {
	again := l.taker(1, false)
	// The first may have to ask.
	first, err := again(ctx)
	if err == nil && first["asked"] > 0 {
		first, err = again(ctx)
	}
	take := func(ctx context.Context) (figures, error) {
		f, err := again(ctx)
		if err == nil && f["asked"] > 0 {
			err = fmt.Errorf("cannot measure a run with nothing changed: %.0f answers are not kept", f["asked"])
		}
		return f, err
	}
	cat := func(ctx context.Context) (figures, error) {
		began := time.Now()
		// A pipe, because cat may copy to the null device without reading.
		err := command(ctx, "sh", "-c", `find -L "$@" -type f -exec cat {} + | wc -c`, "sh", filepath.Join(l.home, "apt"), run.Kept(l.home))
		return figures{"time": time.Since(began).Seconds()}, err
	}
	return []side{{ours, take}, {plain, cat}}, []row{{
		what:   fmt.Sprintf("%.0f answers from the cache; plain: cat of the package lists and of all answers", first["cached"]),
		figure: "time", unit: "s", plain: plain, of: ofOurs, most: 3,
	}}, err
}

// image measures the build of the subject's userland from packages that are at
// hand, against mmdebstrap and mksquashfs with the same packages and options.
func image(ctx context.Context, l *lab) ([]side, []row, error) {
	ref, ok := l.cell.Image(fixtures.UserlandKVM)
	if !ok {
		return nil, nil, fmt.Errorf("cannot measure builds: %s has no image %s", subject, fixtures.UserlandKVM)
	}
	// A plan of this image alone: every plan has an emulator, and cells may be none.
	small := *l.plan
	small.Emulator, small.Cells = ref, nil
	home, err := l.homeWith("apt", "packages")
	if err != nil {
		return nil, nil, err
	}
	take := func(ctx context.Context) (figures, error) {
		if err := os.RemoveAll(filepath.Join(home, "images")); err != nil {
			return nil, err
		}
		d, err := run.Open(run.Config{Home: home, Runtime: l.driver.Runtime()})
		if err != nil {
			return nil, err
		}
		began := time.Now()
		_, err = d.Build(ctx, l.catalog, &small)
		return figures{"time": time.Since(began).Seconds()}, err
	}
	packages := l.plan.PackageSets[ref.Packages].Packages
	plainly := func(ctx context.Context) (figures, error) {
		dir, args := l.file("mirror"), []string{}
		err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755))
		for _, p := range packages {
			err = errors.Join(err, os.Symlink(filepath.Join(l.home, "packages", p.SHA256+".deb"), filepath.Join(dir, p.Name+".deb")))
			args = append(args, "--include="+p.Name)
		}
		if err != nil {
			return nil, err
		}
		return alone(ctx, nil, "image.sh", append([]string{dir, ref.Release}, args...)...)
	}
	// The first fetches what is missing, which is no part of a build.
	_, err = take(ctx)
	return []side{{ours, take}, {plain, plainly}}, []row{{
		what:   fmt.Sprintf("userland of %s, %d packages; plain's repository is made before", ref.Release, len(packages)),
		figure: "time", unit: "s", plain: plain,
	}}, err
}
