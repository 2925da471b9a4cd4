package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/imageboot"
	"github.com/virtmatrix/virtmatrix/internal/imagecheck"
)

type imageVerb struct {
	Check imageCheckVerb `cmd:"" help:"Test a raw or qcow2 image against the baseline."`
	Seed  imageSeedVerb  `cmd:"" help:"Validate a seed of cloud-init (user-data, meta-data), and make its volume."`
	Rules imageRulesVerb `cmd:"" help:"Print the baseline, as docs/image-baseline.md has it."`
}

type imageCheckVerb struct {
	File   string `arg:"" placeholder:"FILE" help:"A cloud image, raw or qcow2."`
	JSON   bool   `name:"json" help:"Print all as JSON."`
	Bytes  int64  `placeholder:"N" help:"The size of the disk as declared, in bytes."`
	Boot   bool   `help:"Boot it as well, with a seed, and answer the rules that only a boot can. As root; nothing is written to FILE."`
	Compat string `placeholder:"V" enum:",0.10,1.1" default:"" help:"The version of qcow2 as declared: 0.10 or 1.1."`
}

// Help is what virtmatrix image check --help says beyond the flags.
func (*imageCheckVerb) Help() string {
	return `Tells of each rule of the baseline (docs/image-baseline.md) whether the image keeps it, and what was seen. Nothing of the image is executed or mounted without -boot: partitions and file systems are read in user space, so no root is needed, and files that an image names on this machine are not opened.

A rule that could not be asked is "not looked at", with the reason, and passes nothing. Those that only a boot can tell are so without -boot.

With -boot the image runs in an emulator, by BIOS, from an overlay with 2 GiB more than its disk: as root, in QEMU's sandbox, and with a network that leads nowhere. A seed for cloud-init has it report on its serial port. An image whose partition table is broken, or that has no root, is not booted. Emulated it takes minutes.

Exit code 0: fit, without -boot as far as a file can tell. 1: a rule is broken. 2: it cannot be told, because there is no such file, or because a rule was not looked at that a file can answer.

Examples:
  virtmatrix image check debian-12-genericcloud-amd64.qcow2
  virtmatrix image check disk.raw -bytes 2147483648
  sudo virtmatrix image check disk.qcow2 -boot
  virtmatrix image check CentOS-7-x86_64-GenericCloud.qcow2 -compat 0.10
  virtmatrix image check disk.qcow2 -json | jq '.results[] | select(.verdict == "BROKEN")'`
}

// Run checks the image.
func (v *imageCheckVerb) Run(a *app) error {
	report, err := imagecheck.Check(a.ctx, v.File, imagecheck.Declared{Compat: v.Compat, Bytes: v.Bytes})
	if err != nil {
		return err
	}
	if v.Boot {
		if err := a.bootImage(report); err != nil {
			return err
		}
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

// bootImage answers the rules of a report that only a boot can.
func (a *app) bootImage(report *imagecheck.Report) error {
	if why := report.Boots(); why != "" {
		report.Boot(&imagecheck.Booted{Ended: why})
		return nil
	}
	d, cat, err := a.builder(nil)
	if err != nil {
		return err
	}
	o, err := d.ImageBoot(a.ctx, cat)
	if err != nil {
		return err
	}
	o.Image, o.Format, o.Bytes = report.File, report.Format, report.Bytes
	o.Tell = func(said string) { fmt.Fprintln(a.stderr, printable(said)) }
	booted, err := imageboot.Run(a.ctx, o)
	if err != nil {
		return err
	}
	report.Boot(booted)
	return nil
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
	case slices.ContainsFunc(r.Results, func(x imagecheck.Result) bool { return x.Boot }):
		_, err = fmt.Fprintln(w, "fit, as far as a file can tell")
	default:
		_, err = fmt.Fprintln(w, "fit")
	}
	return err
}

type imageRulesVerb struct{}

// Run prints the baseline.
func (*imageRulesVerb) Run(a *app) error { return imagecheck.Document(a.stdout) }
