package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type shellVerb struct {
	names
	Profile string `placeholder:"NAME" help:"Where the cell is looked for when no run has it (the first that has it)."`
	Command string `short:"c" placeholder:"COMMAND" help:"Run this alone, and end with its exit code."`
}

// Help is what virtmatrix shell --help says beyond the flags.
func (*shellVerb) Help() string {
	return `Composes the host of a cell as a run does, with the packages of the run, and gives a prompt in it: each line is a command of its own for the host's shell, as root, in the folder in which the one before ended. What has no terminal does without one. The host ends with the prompt (exit, or the end of the input). A container is there in seconds; a machine is restored, or boots.

Examples:
  virtmatrix shell qemu-11.1_libvirt-11.3_tier-container
  virtmatrix shell 20261121-234501-containers qemu-10.0_libvirt-9.0
  virtmatrix shell kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container -c 'virsh version'`
}

// Run gives a prompt.
func (v *shellVerb) Run(a *app) error {
	name, words := v.split(a)
	if len(words) != 1 {
		return fmt.Errorf("cannot open a shell in %q: give [RUN] CELL", v.Words)
	}
	plan, err := a.repeat(name, selection{Profile: v.Profile, Cells: words})
	if err != nil {
		return err
	}
	cell := &plan.Cells[0]
	if len(plan.Cells) > 1 && plan.Cells[1].Asked() > 0 {
		return fmt.Errorf("%q selects several cells, such as %s and %s; name one", words[0], cell.ID, plan.Cells[1].ID)
	}
	sink, done := progress.Plain(a.stderr)
	defer done()
	d, cat, err := a.builder(sink)
	if err != nil {
		return err
	}
	return inHost(a.ctx, d, cat, plan, cell, func(host run.Host) error { return v.talk(a, cell, host) })
}

// inHost does something in a host of a cell, which ends then.
func inHost(ctx context.Context, d *run.Driver, cat *matrix.Catalog, plan *matrix.Plan, cell *matrix.Cell, do func(run.Host) error) error {
	images, err := d.Build(ctx, cat, plan)
	if err != nil {
		return err
	}
	hosts, err := d.Hosts(ctx, plan, images)
	if err != nil {
		return err
	}
	defer hosts.Close()
	claim, err := hosts.Reserve(ctx, cell, matrix.Hosts{}, func(why string) { fmt.Fprintln(os.Stderr, "waiting", why) })
	if err != nil {
		return err
	}
	defer claim.Release()
	logs, err := os.MkdirTemp("", "virtmatrix-shell-")
	if err != nil {
		return fmt.Errorf("cannot open a shell: %w", err)
	}
	defer os.RemoveAll(logs)
	started, err := hosts.Start(ctx, cell, matrix.Hosts{}, logs)
	if err != nil {
		return err
	}
	defer started[0].Close()
	return do(started[0])
}

// standing lists what there is in a host.
const standing = `uname -r | sed 's/^/kernel    /'; virsh version 2>&1 | sed -n 's/^Using/library  /p; s/^Running/emulator /p'; echo domains; virsh list --all 2>&1 | sed 's/^/  /'`

// talk runs the commands of a person.
func (v *shellVerb) talk(a *app, cell *matrix.Cell, host run.Host) error {
	if v.Command != "" {
		result, err := host.Exec(a.ctx, v.Command)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s", result.Stdout)
		fmt.Fprintf(a.stderr, "%s", result.Stderr)
		if result.Code != 0 {
			return exit(result.Code)
		}
		return nil
	}
	if result, err := host.Exec(a.ctx, standing); err == nil {
		fmt.Fprintln(a.stdout, result.Text())
	}
	return talk(a.ctx, os.Stdin, a.stdout, cell.ID, func(command string) (string, error) {
		result, err := host.Exec(a.ctx, command)
		text := result.Text()
		if err == nil && result.Code != 0 {
			text = strings.TrimPrefix(text+fmt.Sprintf("\n[%d]", result.Code), "\n")
		}
		return text, err
	})
}

// talk reads commands, each of which begins in the folder in which the one before ended.
func talk(ctx context.Context, in io.Reader, out io.Writer, name string, run func(string) (string, error)) error {
	const mark = "virtmatrix-folder:"
	folder, lines := "/", bufio.NewScanner(in)
	for {
		fmt.Fprintf(out, "%s:%s# ", name, folder)
		if !lines.Scan() || strings.TrimSpace(lines.Text()) == "exit" {
			fmt.Fprintln(out)
			return lines.Err()
		}
		text, err := run(fmt.Sprintf("cd '%s'; trap 'code=$?; echo; echo %s\"$PWD\"; exit $code' EXIT; %s", strings.ReplaceAll(folder, "'", `'\''`), mark, lines.Text()))
		if err != nil || ctx.Err() != nil {
			return err
		}
		for line := range strings.Lines(text) {
			if at, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), mark); ok {
				folder = at
			} else if strings.TrimSpace(line) != "" {
				fmt.Fprintln(out, printable(strings.TrimRight(line, "\n")))
			}
		}
	}
}
