package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
)

// plans measures the command that plans the full kvm grid, against cat of the
// files that it reads.
func plans(ctx context.Context, l *lab) ([]row, error) {
	command, err := l.command(ctx)
	if err != nil {
		return nil, err
	}
	b := &catBench{lab: l, argv: append([]string{command, "plan", "-o", l.file("full.json")}, grid...)}
	if err := quietly(ctx, b.argv...); err != nil {
		return nil, err
	}
	plan, err := rundir.ReadPlan(l.file("full.json"))
	if err != nil {
		return nil, err
	}
	checks := 0
	for _, c := range plan.Cells {
		checks += len(c.Checks)
	}
	what := fmt.Sprintf("plan of the full kvm grid, %d cells, %d checks", len(plan.Cells), checks)
	r, err := b.compare(ctx, what, nil)
	if err != nil {
		return []row{r}, err
	}
	again, err := l.reruns(ctx, command, plan)
	return append([]row{r}, again...), err
}

// compare samples the command and cat. Without a way to find out which files it
// reads there is only the command.
func (b *catBench) compare(ctx context.Context, what string, t *target) (row, error) {
	sides := []side{{ours, b.ours}}
	var note string
	var err error
	if b.files, err = b.read(ctx); err != nil {
		note = "nothing to compare with: " + err.Error()
	} else {
		note = fmt.Sprintf("plain: cat of the %d files that it reads", len(b.files))
		sides = append(sides, side{plain, b.plain})
	}
	s, err := b.inTurn(ctx, "wall", sides...)
	r := rowOf(s, "wall", plain, what, inSeconds, t)
	r.Notes = []string{note}
	return r, err
}

// grid selects all kvm cells that can be.
var grid = []string{"-profile", "full", "-cells", "kvm"}

// catBench compares a command with cat of the files that it reads.
type catBench struct {
	*lab
	argv  []string
	files []string
}

// command builds the command that users run, once.
func (l *lab) command(ctx context.Context) (string, error) {
	path := l.file("virtmatrix")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	root, err := run.ModuleRoot(ctx)
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./ci/virtmatrix")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build virtmatrix: %w: %s", err, out)
	}
	return path, nil
}

// quietly runs a command that must succeed.
func quietly(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", strings.Join(argv, " "), err, out)
	}
	return nil
}

func (b *catBench) ours(ctx context.Context) (map[string]float64, error) {
	began := time.Now()
	err := quietly(ctx, b.argv...)
	return map[string]float64{"wall": time.Since(began).Seconds()}, err
}

func (b *catBench) plain(ctx context.Context) (map[string]float64, error) {
	cat := exec.CommandContext(ctx, "cat", b.files...)
	// A pipe, because cat may copy to the null device without reading.
	pipe, err := cat.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cat.Start(); err != nil {
		return nil, err
	}
	if _, err := io.Copy(struct{ io.Writer }{io.Discard}, pipe); err != nil {
		return nil, err
	}
	err = cat.Wait()
	return map[string]float64{"wall": time.Since(began).Seconds()}, err
}

// read lists the files that the command reads.
func (b *catBench) read(ctx context.Context) ([]string, error) {
	if _, err := exec.LookPath("strace"); err != nil {
		return nil, errors.New("which files it reads is found out by strace, which is not installed")
	}
	trace := b.file("trace")
	defer os.Remove(trace)
	argv := append([]string{"strace", "-f", "-qq", "-e", "trace=openat", "-o", trace}, b.argv...)
	if err := quietly(ctx, argv...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, path := range opened(string(text)) {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("strace saw no file that it reads")
	}
	return files, nil
}

var openLine = regexp.MustCompile(`(?m)openat\(AT_FDCWD, "(/[^"]+)", O_RDONLY[^)]*\) = \d+$`)

// opened are the files that a trace shows to have been opened for reading, each
// once, less those that are no files on a disk.
func opened(trace string) []string {
	var paths []string
	for _, m := range openLine.FindAllStringSubmatch(trace, -1) {
		path := filepath.Clean(m[1])
		virtual := slices.ContainsFunc([]string{"/proc/", "/sys/", "/dev/"}, func(dir string) bool { return strings.HasPrefix(path, dir) })
		if !virtual && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}
