package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/nocloud"
)

type imageSeedVerb struct {
	Folder string `arg:"" placeholder:"FOLDER" help:"Has user-data and meta-data, and may have network-config and vendor-data."`
	Output string `short:"o" placeholder:"FILE" help:"Write the volume that a machine gets as a disk."`
	Format string `enum:"iso9660,vfat" default:"iso9660" help:"The volume's file system: iso9660 or vfat."`
}

// Help is what virtmatrix image seed --help says beyond the flags.
func (*imageSeedVerb) Help() string {
	return `Tells what would keep cloud-init from taking a seed, or from doing what it says: a file that is missing or that nobody reads, meta-data without an instance-id, what is no YAML, user-data whose first line says nothing. It does not know all that a cloud-config may say ("cloud-init schema" does).

Exit code 0: valid, and the volume is written. 1: it is not.

Examples:
  virtmatrix image seed seed/
  virtmatrix image seed seed/ -o seed.iso`
}

// Run validates the seed, and writes it.
func (v *imageSeedVerb) Run(a *app) error {
	if _, err := os.Stat(v.Folder); err != nil {
		return fmt.Errorf("cannot read seed: %w", err)
	}
	files, err := nocloud.ReadSeed(os.DirFS(v.Folder))
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(a.stdout, printable(line))
		}
		return exit(1)
	}
	if v.Output != "" {
		if err := nocloud.Write(v.Output, nocloud.Format(v.Format), files); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.stdout, "%s is a valid seed of %d files\n", printable(v.Folder), len(files))
	return err
}
