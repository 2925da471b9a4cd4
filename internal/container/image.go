package container

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Repository is the name of all images that are made here. An image's tag begins
// its root file system's digest.
const Repository = "virtmatrix/userland"

// The labels of what is made here.
const (
	// labelRoot is the SHA-256 of the squashfs that an image was made of.
	labelRoot = "org.virtmatrix.root"
	// labelHome is the cache that an image was made of.
	labelHome = "org.virtmatrix.home"
	// labelFolder is the run-time folder of the process that a container belongs to.
	labelFolder = "org.virtmatrix.folder"
	// labelCell is the cell that a container is the host of.
	labelCell = "org.virtmatrix.cell"
)

// tagDigits is how much of a digest tells images apart for people.
const tagDigits = 16

// reference names the image of a root file system for a cache: what one cache has
// imported is nothing that another knows.
func reference(sum, home string) string {
	return fmt.Sprintf("%s:%s-%.4x", Repository, sum[:tagDigits], sha256.Sum256([]byte(home)))
}

// userland returns the ID of the image of a root file system, whose SHA-256 is
// sum. It is imported when Docker does not have it, by one process at a time of
// those that share the cache in home. Its ID is noted there, because anybody may give
// its name to another image.
func (e *Engine) userland(ctx context.Context, squashfs, sum, home string) (id string, err error) {
	op := "import " + squashfs + " into Docker"
	if len(sum) < tagDigits {
		return "", fault.Infraf(op, "its digest is not known")
	}
	ref, locks := reference(sum, home), filepath.Join(home, "locks")
	release, err := disk.Lock(ctx, filepath.Join(locks, "docker-"+ViewName(sum)+".lock"))
	if err != nil {
		return "", fault.Infraf(op, "%w", err)
	}
	defer release()
	note := filepath.Join(locks, "docker-"+ViewName(sum)+".id")
	noted, err := os.ReadFile(note)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fault.Infraf(op, "%w", err)
	}
	image, err := e.docker().ImageInspect(ctx, ref)
	switch {
	case err == nil && string(noted) == image.ID:
		return unpullable(image.ID), nil
	case err == nil && len(noted) > 0:
		return "", fault.Infraf("use image "+ref, "somebody has replaced it: it is %s, and %s was imported; remove it with docker rmi %s, and it is imported anew", image.ID, noted, ref)
	case err == nil:
		// Whoever imported it was killed before its ID was noted.
		err = e.RemoveImage(ctx, Image{Ref: ref})
	case errdefs.IsNotFound(err):
		err = os.RemoveAll(note)
	}
	if err != nil {
		return "", fault.Infraf(op, "%w", err)
	}
	id, err = e.load(ctx, squashfs, ref, map[string]string{labelRoot: sum, labelHome: home})
	if err == nil {
		err = os.WriteFile(note, []byte(id), 0o644)
	}
	if err != nil {
		return "", fault.Infraf(op, "%w", disk.Explain(err, e.Root))
	}
	return unpullable(id), nil
}

// unpullable is an image's ID without its algorithm: no registry could be asked for
// it, so nothing is pulled.
func unpullable(id string) string { return strings.TrimPrefix(id, "sha256:") }

// infra makes an error ours.
func infra(op string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Infraf(op, "%w", err)
}

// pack writes a squashfs as tar. Its mount ends with the namespace.
const pack = `mount -t squashfs -o ro,loop "$0" "$1" && exec tar --create --numeric-owner --xattrs --xattrs-include='*' --one-file-system --directory "$1" .`

// load streams a root file system into Docker, and returns the ID of its image: no
// copy of it is made on the way.
func (e *Engine) load(ctx context.Context, squashfs, ref string, labels map[string]string) (id string, err error) {
	dir, err := os.MkdirTemp("", "virtmatrix-root-")
	if err != nil {
		return "", err
	}
	defer os.Remove(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"sh", "-c", pack, squashfs, dir}, Stdout: w, Isolated: true})
		// A tar that is not whole must not look so to Docker.
		w.CloseWithError(err)
		packed <- err
	}()
	id, err = e.importTar(ctx, r, ref, labels)
	r.CloseWithError(errors.New("docker stopped reading"))
	if failed := <-packed; failed != nil && err == nil {
		err = failed
	}
	return id, err
}

func (e *Engine) importTar(ctx context.Context, tar io.Reader, ref string, labels map[string]string) (id string, err error) {
	var changes []string
	for name, value := range labels {
		changes = append(changes, fmt.Sprintf("LABEL %s=%q", name, value))
	}
	progress, err := e.docker().ImageImport(ctx, client.ImageImportSource{Source: tar, SourceName: "-"}, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return "", err
	}
	defer progress.Close()
	for said := json.NewDecoder(progress); ; {
		var line struct{ Status, Error string }
		switch err := said.Decode(&line); {
		case errors.Is(err, io.EOF) && id == "":
			return "", errors.New("docker does not say which image it made")
		case errors.Is(err, io.EOF):
			return id, nil
		case err != nil:
			return "", err
		case line.Error != "":
			return "", errors.New(line.Error)
		case strings.HasPrefix(line.Status, "sha256:"):
			id = line.Status
		}
	}
}
