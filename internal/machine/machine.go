// Package machine looks at the machine that runs are to happen on: what is
// missing for them, and how to get it.
package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// Grade says what a finding means for runs.
type Grade string

// The grades. Only Missing keeps runs from working.
const (
	Good    Grade = "ok"
	Poor    Grade = "poor"
	Missing Grade = "MISSING"
)

// Finding is one thing about the machine.
type Finding struct {
	Subject string
	Grade   Grade
	// Text says what was found.
	Text string
	// Fix is what to do about it; empty when nothing is wrong.
	Fix string
	// Packages are the Debian packages whose absence is the problem.
	Packages []string
}

// Question is one thing that is looked at.
type Question func(ctx context.Context) Finding

// Needs is what runs ask of a machine.
type Needs struct {
	// Home and Runs are the folders of the cache and of the runs; neither needs
	// to exist.
	Home, Runs string
	// Tools that the sources and the builders use.
	Tools []tool.Tool
	// Mirror finds the package mirror.
	Mirror func(ctx context.Context) (string, error)
	// Fits says how many hosts fit side by side here.
	Fits func(ctx context.Context) (admit.Fit, error)
	// Containers says which engine runs containers here, in words.
	Containers func(ctx context.Context) (string, error)
	// Accelerator says what runs L1 here, in words. Nil asks nothing.
	Accelerator func(ctx context.Context) (string, error)
}

// Look answers all questions about the machine, in the order of their report.
func Look(ctx context.Context, n Needs) []Finding {
	var findings []Finding
	for _, ask := range n.questions() {
		findings = append(findings, ask(ctx))
	}
	return findings
}

func (n Needs) questions() []Question {
	questions := []Question{
		system, root, processors, n.memory, n.sideBySide,
		func(context.Context) Finding { return space("disk for images", n.Home, imagesWant, imagesNeed) },
		func(context.Context) Finding { return space("disk for runs", n.Runs, runsWant, runsNeed) },
		func(context.Context) Finding { return tools(n.Tools) },
		golang, compiler, libvirt, loops, namespaces, n.containers, n.mirror,
	}
	if n.Accelerator != nil {
		questions = append(questions, n.accelerator)
	}
	return questions
}

// Works says whether runs can happen.
func Works(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.Grade == Missing })
}

// Packages lists the Debian packages that are missing, each once and sorted.
func Packages(findings []Finding) []string {
	var names []string
	for _, f := range findings {
		names = append(names, f.Packages...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func system(context.Context) Finding {
	f := Finding{Subject: "system", Grade: Good, Text: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		if name := setting(string(text), "PRETTY_NAME"); name != "" {
			f.Text = name + ", " + f.Text
		}
	}
	if runtime.GOARCH != "amd64" {
		f.Grade, f.Fix = Missing, "use an amd64 machine: the hosts under test are x86"
	}
	return f
}

// setting returns a value of os-release(5).
func setting(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

func root(context.Context) Finding {
	if os.Geteuid() == 0 {
		return Finding{Subject: "root", Grade: Good, Text: "running as root"}
	}
	return Finding{Subject: "root", Grade: Missing, Text: "not running as root; images are built and mounted as root",
		Fix: "run as root, or with sudo"}
}

func processors(context.Context) Finding {
	f := Finding{Subject: "processors", Grade: Good, Text: fmt.Sprint(runtime.NumCPU())}
	if runtime.NumCPU() < 2 {
		f.Grade, f.Fix = Poor, "use two or more: a host with its guests starves on one"
	}
	return f
}

// Sizes in bytes. The images of the smoke profile and the packages they are made
// of take about 4 GB.
const (
	imagesWant = 6 << 30
	imagesNeed = 1 << 30
	runsWant   = 1 << 30
	runsNeed   = 100 << 20
)

func (n Needs) memory(ctx context.Context) Finding {
	fit, err := n.Fits(ctx)
	if err != nil {
		return Finding{Subject: "memory", Grade: Missing, Text: err.Error(), Fix: "mount /proc, and make the run-time folder writable"}
	}
	const mib = 1 << 20
	one := int64(fit.Need.MemoryMB) * mib
	f := enough("memory", int64(fit.FreeMB)*mib, 2*one+admit.ReserveMB*mib, one+admit.ReserveMB*mib, "available", "end other programs, or use a bigger machine")
	f.Text += fmt.Sprintf("; a host takes up to %.1f GiB", gib(one))
	return f
}

// sideBySide says how many cells a run takes on at a time.
func (n Needs) sideBySide(ctx context.Context) Finding {
	f := Finding{Subject: "side by side", Grade: Good}
	fit, err := n.Fits(ctx)
	if err != nil || fit.Number() == 0 {
		f.Grade, f.Text, f.Fix = Missing, "no cell fits now", "see memory"
		return f
	}
	f.Text = fmt.Sprintf("%d cells fit: %d by memory, %d by processors", fit.Number(), fit.ByMemory, fit.ByProcessors)
	if fit.Number() == 1 {
		f.Text = strings.Replace(f.Text, "cells fit", "cell fits", 1)
	}
	return f
}

func space(subject, path string, want, need int64) Finding {
	var st unix.Statfs_t
	dir := existing(path)
	if err := unix.Statfs(dir, &st); err != nil {
		return Finding{Subject: subject, Grade: Missing, Text: fmt.Sprintf("%s: %v", dir, err), Fix: "choose another folder"}
	}
	return enough(subject, int64(st.Bavail)*st.Bsize, want, need, "free for "+path, "make room there, or choose another folder")
}

// existing returns the path or the nearest folder above it that exists.
func existing(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for abs != filepath.Dir(abs) {
		if _, err := os.Stat(abs); err == nil {
			break
		}
		abs = filepath.Dir(abs)
	}
	return abs
}

func enough(subject string, have, want, need int64, what, fix string) Finding {
	f := Finding{Subject: subject, Grade: Good, Text: fmt.Sprintf("%.1f GiB %s", gib(have), what)}
	switch {
	case have < need:
		f.Grade, f.Fix = Missing, fmt.Sprintf("%s: %.1f GiB are needed", fix, gib(need))
	case have < want:
		f.Grade, f.Fix = Poor, fmt.Sprintf("%s: %.1f GiB are better", fix, gib(want))
	}
	return f
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }
