// Package store keeps images by content: what went into an image decides where
// it is, so an image is built once, by one process, and never changes.
//
// An image is a folder of files with a record, meta.json. It appears under its
// name only when it is whole: a build that was killed leaves a folder that no
// one uses and that the next Open or Ensure removes.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

const (
	// HomeEnv is the environment variable that names the cache folder.
	HomeEnv = "VIRTMATRIX_HOME"
	// DefaultHome is the cache folder when nothing else is said.
	DefaultHome = "/var/cache/virtmatrix"

	metaName    = "meta.json"
	buildPrefix = ".build-"
)

// Home returns the cache folder: $VIRTMATRIX_HOME, or else DefaultHome.
func Home() string {
	if home := os.Getenv(HomeEnv); home != "" {
		return home
	}
	return DefaultHome
}

// Spec is everything that decides what is in an image.
type Spec struct {
	Role     string            `json:"role"`
	Release  string            `json:"release"`
	Packages matrix.PackageSet `json:"packages"`
	// Recipe is the text of the recipe that makes the image of the packages.
	Recipe string `json:"recipe"`
	// Builder is the revision of the code that carries out recipes.
	Builder int `json:"builder"`
}

// Key is the content address of the image.
func (s Spec) Key() string {
	h := sha256.New()
	for _, part := range []string{s.Role, s.Release, s.Packages.Key(), s.Recipe, fmt.Sprint(s.Builder)} {
		// With its length each part is read in one way only.
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Name is the image's folder: ROLE-RELEASE-KEY12.
func (s Spec) Name() string { return fmt.Sprintf("%s-%s-%.12s", s.Role, s.Release, s.Key()) }

// File is one file of an image.
type File struct {
	// Path is relative to the image's folder.
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Meta is an image's record.
type Meta struct {
	Key     string    `json:"key"`
	Spec    Spec      `json:"spec"`
	Files   []File    `json:"files"`
	Created time.Time `json:"created"`
	// Seconds is how long the build took.
	Seconds float64 `json:"seconds"`
}

// Image is a whole image in the store.
type Image struct {
	Name string
	Dir  string
	Meta Meta
}

// Path returns where one of the image's files is on disk.
func (i Image) Path(file string) string { return filepath.Join(i.Dir, filepath.FromSlash(file)) }

// Content is the digest of what the image's files hold: another build of the same
// spec may have made another.
func (i Image) Content() string {
	h := sha256.New()
	for _, f := range i.Meta.Files {
		fmt.Fprintf(h, "%q %s\n", f.Path, f.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Size returns the bytes that the image's files take.
func (i Image) Size() int64 {
	var n int64
	for _, f := range i.Meta.Files {
		n += f.Size
	}
	return n
}

// Store is the folder of images under one home.
type Store struct {
	home string
	// mu guards verified: what this process found when it checked an image's
	// files, by name.
	mu       sync.Mutex
	verified map[string]func() error
}

// Open opens the store below home, making it when needed, and removes what
// killed builds left behind.
func Open(home string) (*Store, error) {
	abs, err := filepath.Abs(home)
	if err != nil {
		return nil, fault.Infraf("open image store", "%w", err)
	}
	s := &Store{home: abs, verified: map[string]func() error{}}
	if err := os.MkdirAll(s.images(), 0o755); err != nil {
		return nil, fault.Infraf("open image store", "%w", disk.Explain(err, abs))
	}
	if err := s.sweep(); err != nil {
		return nil, fault.Infraf("open image store", "%w", err)
	}
	return s, nil
}

// Home returns the cache folder that the store is in.
func (s *Store) Home() string { return s.home }

func (s *Store) images() string { return filepath.Join(s.home, "images") }

func (s *Store) lock(name string) string { return filepath.Join(s.home, "locks", name+".lock") }

// Has says whether the image is there, without verifying it.
func (s *Store) Has(spec Spec) bool {
	_, err := os.Stat(filepath.Join(s.images(), spec.Name(), metaName))
	return err == nil
}

// Look returns the image of the spec without verifying its files. The error wraps
// os.ErrNotExist when it is not there.
func (s *Store) Look(spec Spec) (Image, error) { return s.load(spec.Name()) }

// Ensure returns the image of the spec, verified, and builds it when it is not
// there. build gets a temporary folder and puts the image's files in it. Of
// processes that want the same image at the same time one builds and the
// others wait. All errors are *fault.Infra.
func (s *Store) Ensure(ctx context.Context, spec Spec, build func(ctx context.Context, dir string) error) (Image, error) {
	name := spec.Name()
	op := "make image " + name
	release, err := disk.Lock(ctx, s.lock(name))
	if err != nil {
		return Image{}, fault.Infraf(op, "%w", disk.Explain(err, s.home))
	}
	defer release()
	image, err := s.load(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := s.build(ctx, spec, build); err != nil {
			return Image{}, fault.Infraf(op, "%w", disk.Explain(err, s.home))
		}
		image, err = s.load(name)
	}
	if err != nil {
		return Image{}, fault.Infraf("use image "+name, "%w", err)
	}
	if err := s.verify(image); err != nil {
		return Image{}, &fault.Infra{Op: "use image " + name, Err: err}
	}
	return image, nil
}

// build makes the image in a temporary folder next to its place and moves it
// there as the last step. The caller holds the image's lock.
func (s *Store) build(ctx context.Context, spec Spec, build func(ctx context.Context, dir string) error) (err error) {
	name := spec.Name()
	tmp := filepath.Join(s.images(), buildPrefix+name)
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("cannot remove what a killed build left: %w", err)
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	started := time.Now()
	if err := build(ctx, tmp); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	files, err := record(tmp)
	if err != nil {
		return err
	}
	meta := Meta{Key: spec.Key(), Spec: spec, Files: files, Created: time.Now().UTC(), Seconds: time.Since(started).Seconds()}
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, metaName), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := disk.SyncTree(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(s.images(), name)); err != nil {
		return err
	}
	return disk.Sync(s.images())
}

// sweep removes the folders of builds that nobody is working on any more.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.images())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, torn := strings.CutPrefix(e.Name(), buildPrefix)
		if !torn {
			continue
		}
		release, ok, err := disk.TryLock(s.lock(name))
		if err != nil {
			return err
		}
		if !ok {
			continue // another process is building it right now
		}
		err = os.RemoveAll(filepath.Join(s.images(), e.Name()))
		release()
		if err != nil {
			return fmt.Errorf("cannot remove what a killed build left: %w", err)
		}
	}
	return nil
}
