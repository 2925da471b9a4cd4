// Package nocloud makes the seeds of cloud-init's data source NoCloud, and reads what a
// machine that booted with one reports on its serial port.
package nocloud

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// Format is a file system that a seed may have.
type Format string

// The formats that NoCloud's documentation names.
const (
	ISO9660 Format = "iso9660"
	VFAT    Format = "vfat"
)

// label is that of a volume which NoCloud looks for.
const label = "cidata"

// vfatBytes is the least that is FAT32: 65525 clusters of a sector.
const vfatBytes = 34 << 20

// Write makes file a volume of the format that holds files by their names.
func Write(path string, format Format, files map[string]string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot make seed of %s: %w", format, err)
		}
	}()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	switch format {
	case VFAT:
		return writeVFAT(out, files)
	case ISO9660:
		return writeISO(out, files)
	}
	return fmt.Errorf("nobody knows how")
}

func writeVFAT(out *os.File, files map[string]string) error {
	if err := out.Truncate(vfatBytes); err != nil {
		return err
	}
	fs, err := fat32.Create(file.New(out, false), vfatBytes, 0, 512, label, false)
	if err != nil {
		return err
	}
	for name, text := range files {
		f, err := fs.OpenFile("/"+name, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return err
		}
		if _, err := f.Write([]byte(text)); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// writeISO has Rock Ridge's names: those of ISO 9660 have no lower case and no hyphen.
func writeISO(out *os.File, files map[string]string) error {
	folder, err := os.MkdirTemp("", "virtmatrix-seed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	fs, err := iso9660.Create(file.New(out, false), 0, 0, 2048, folder)
	if err != nil {
		return err
	}
	return fs.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: label})
}
