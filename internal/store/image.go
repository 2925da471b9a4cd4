package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// ChangedError says that an image is not what its record says. It is never
// built again by itself: what changed it may change the next one too.
type ChangedError struct {
	Image string
	// File is relative to the image's folder.
	File string
	// Is and Want are SHA-256 in hex; Is is empty when the file is missing.
	Is, Want string
}

// Error names the file, both digests and the cure.
func (e *ChangedError) Error() string {
	cure := fmt.Sprintf("run `virtmatrix gc -images %s` and it will be built again", e.Image)
	switch {
	case e.Is == "":
		return fmt.Sprintf("image %s was changed on disk: file %s is missing; %s", e.Image, e.File, cure)
	case e.Want == "":
		return fmt.Sprintf("image %s was changed on disk: file %s is not in its record; %s", e.Image, e.File, cure)
	}
	return fmt.Sprintf("image %s was changed on disk: file %s has sha256 %s, its record says %s; %s", e.Image, e.File, e.Is, e.Want, cure)
}

// record lists the files below dir with their digests.
func record(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("cannot store %s: it is not a regular file", rel)
		}
		sum, size, err := disk.Digest(path)
		if err != nil {
			return err
		}
		files = append(files, File{Path: filepath.ToSlash(rel), Size: size, SHA256: sum})
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("the build made no files")
	}
	return files, err
}

// load reads an image's record. The error wraps os.ErrNotExist when there is
// no such image.
func (s *Store) load(name string) (Image, error) {
	dir := filepath.Join(s.images(), name)
	text, err := os.ReadFile(filepath.Join(dir, metaName))
	if errors.Is(err, os.ErrNotExist) {
		if _, statErr := os.Stat(dir); statErr == nil {
			return Image{}, &ChangedError{Image: name, File: metaName}
		}
	}
	if err != nil {
		return Image{}, fmt.Errorf("cannot read record of image: %w", err)
	}
	image := Image{Name: name, Dir: dir}
	if err := json.Unmarshal(text, &image.Meta); err != nil {
		return Image{}, fmt.Errorf("cannot read record of image %s: %w; run `virtmatrix gc -images %s` and it will be built again", name, err, name)
	}
	// The record must be of this image too, or digests in it prove nothing.
	if got := image.Meta.Spec.Name(); got != name || image.Meta.Key != image.Meta.Spec.Key() {
		return Image{}, fmt.Errorf("record of image %s is that of %s; run `virtmatrix gc -images %s` and it will be built again", name, got, name)
	}
	return image, nil
}

// verify checks an image once per process; different images at the same time.
func (s *Store) verify(image Image) error {
	s.mu.Lock()
	check, ok := s.verified[image.Name]
	if !ok {
		check = sync.OnceValue(func() error { return compare(image) })
		s.verified[image.Name] = check
	}
	s.mu.Unlock()
	err := check()
	if err != nil {
		// Once it was removed and built again it deserves another look.
		s.mu.Lock()
		delete(s.verified, image.Name)
		s.mu.Unlock()
	}
	return err
}

// compare checks every file of an image against its record.
func compare(image Image) error {
	there, err := record(image.Dir)
	if err != nil {
		return fmt.Errorf("cannot verify image %s: %w", image.Name, err)
	}
	is := map[string]string{}
	for _, f := range there {
		is[f.Path] = f.SHA256
	}
	delete(is, metaName)
	for _, f := range image.Meta.Files {
		if is[f.Path] != f.SHA256 {
			return &ChangedError{Image: image.Name, File: f.Path, Is: is[f.Path], Want: f.SHA256}
		}
		delete(is, f.Path)
	}
	for path, sum := range is {
		return &ChangedError{Image: image.Name, File: path, Is: sum}
	}
	return nil
}

// List returns all images, by name, without verifying them. An image whose
// record cannot be read is listed with its name and folder only, so that it
// can be removed.
func (s *Store) List() ([]Image, error) {
	entries, err := os.ReadDir(s.images())
	if err != nil {
		return nil, fault.Infraf("list images", "%w", err)
	}
	var images []Image
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), buildPrefix) {
			continue
		}
		image, err := s.load(e.Name())
		if err != nil {
			image = Image{Name: e.Name(), Dir: filepath.Join(s.images(), e.Name())}
		}
		images = append(images, image)
	}
	return images, nil
}

// Remove deletes an image. Removing one that is being built, or that is not
// there, is an error.
func (s *Store) Remove(name string) error {
	op := "remove image " + name
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fault.Infraf(op, "it is not the name of an image")
	}
	release, ok, err := disk.TryLock(s.lock(name))
	if err != nil {
		return fault.Infraf(op, "%w", err)
	}
	if !ok {
		return fault.Infraf(op, "another process is building it")
	}
	defer release()
	dir := filepath.Join(s.images(), name)
	if _, err := os.Stat(dir); err != nil {
		return fault.Infraf(op, "%w", err)
	}
	// Renamed first, so that no one sees an image with half its files.
	torn := filepath.Join(s.images(), buildPrefix+name)
	if err := os.RemoveAll(torn); err != nil {
		return fault.Infraf(op, "%w", err)
	}
	if err := os.Rename(dir, torn); err != nil {
		return fault.Infraf(op, "%w", err)
	}
	if err := os.RemoveAll(torn); err != nil {
		return fault.Infraf(op, "%w", err)
	}
	s.mu.Lock()
	delete(s.verified, name)
	s.mu.Unlock()
	return nil
}
