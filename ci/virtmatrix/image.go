package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/virtmatrix/virtmatrix/internal/imagecheck"
)

type imageVerb struct {
	Check imageCheckVerb `cmd:"" help:"Test a raw or qcow2 image against the baseline."`
	Rules imageRulesVerb `cmd:"" help:"Print the baseline, as docs/image-baseline.md has it."`
}

type imageCheckVerb struct {
	File   string `arg:"" placeholder:"FILE" help:"A cloud image, raw or qcow2."`
	JSON   bool   `name:"json" help:"Print all as JSON."`
	Bytes  int64  `placeholder:"N" help:"The size of the disk as declared, in bytes."`
	Compat string `placeholder:"V" enum:",0.10,1.1" default:"" help:"The version of qcow2 as declared: 0.10 or 1.1."`
}

// Help is what virtmatrix image check --help says beyond the flags.
func (*imageCheckVerb) Help() string {
	return `Tells of each rule of the baseline (docs/image-baseline.md) whether the image keeps it, and what was seen. Nothing of the image is executed or mounted: partitions and file systems are read in user space, so no root is needed, and files that an image names on this machine are not opened.

A rule that could not be asked is "not looked at", with the reason, and passes nothing. Those that only a boot can tell always are.

Exit code 0: fit, as far as a file can tell. 1: a rule is broken. 2: it cannot be told, because there is no such file, or because a rule was not looked at that a file can answer.

Examples:
  virtmatrix image check debian-12-genericcloud-amd64.qcow2
  virtmatrix image check disk.raw -bytes 2147483648
  virtmatrix image check CentOS-7-x86_64-GenericCloud.qcow2 -compat 0.10
  virtmatrix image check disk.qcow2 -json | jq '.results[] | select(.verdict == "BROKEN")'`
}

// Run checks the image.
func (v *imageCheckVerb) Run(a *app) error {
	report, err := imagecheck.Check(a.ctx, v.File, imagecheck.Declared{Compat: v.Compat, Bytes: v.Bytes})
	if err != nil {
		return err
	}
	if v.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = showImage(a.stdout, report)
	}
	if err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return fitness(report)
}

// fitness is the exit code of a report.
func fitness(report *imagecheck.Report) error {
	switch {
	case len(report.Broken()) > 0:
		return exit(1)
	case len(report.Unseen()) > 0:
		return exit(exitTrouble)
	}
	return nil
}

func showImage(w io.Writer, r *imagecheck.Report) error {
	err := aligned(w, func(row table) error {
		before := imagecheck.Result{}
		for _, x := range r.Results {
			seen := printable(x.Seen)
			if x.Verdict == before.Verdict && x.Seen == before.Seen {
				seen = "as above"
			}
			row(x.Rule, x.Verdict, seen)
			before = x
		}
		return nil
	})
	if err != nil {
		return err
	}
	system := "a system that is not known"
	if r.Release != "" {
		system = printable(r.Release)
	}
	fmt.Fprintf(w, "\n%s (%s, %d bytes, %s) is ", printable(r.File), r.Format, r.Bytes, system)
	switch broken, unseen := r.Broken(), r.Unseen(); {
	case len(broken) > 0:
		_, err = fmt.Fprintf(w, "not fit: %s broken\n", number(len(broken), "rule"))
	case len(unseen) > 0:
		_, err = fmt.Fprintf(w, "neither fit nor unfit: %s could not be looked at\n", number(len(unseen), "rule"))
	default:
		_, err = fmt.Fprintln(w, "fit, as far as a file can tell")
	}
	return err
}

type imageRulesVerb struct{}

// Run prints the baseline.
func (*imageRulesVerb) Run(a *app) error { return imagecheck.Document(a.stdout) }
