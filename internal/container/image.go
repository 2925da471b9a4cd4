package container

import (
	"context"
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

// userland returns the ID of the image of a root file system, whose SHA-256 is
// sum. It is imported when Docker does not have it, by one process at a time of
// those that share the cache in home.
func (e *Engine) userland(ctx context.Context, squashfs, sum, home string) (id string, err error) {
	op := "import " + squashfs + " into Docker"
	if len(sum) < tagDigits {
		return "", fault.Infraf(op, "its digest is not known")
	}
	ref := Repository + ":" + sum[:tagDigits]
	release, err := disk.Lock(ctx, filepath.Join(home, "locks", "docker-"+ViewName(sum)+".lock"))
	if err != nil {
		return "", fault.Infraf(op, "%w", err)
	}
	defer release()
	id, err = e.identify(ctx, ref, sum)
	if err == nil || !errdefs.IsNotFound(err) {
		return id, infra(op, err)
	}
	if err := e.load(ctx, squashfs, ref, map[string]string{labelRoot: sum, labelHome: home}); err != nil {
		return "", infra(op, disk.Explain(err, e.Root))
	}
	id, err = e.identify(ctx, ref, sum)
	return id, infra(op, err)
}

// infra makes an error ours.
func infra(op string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Infraf(op, "%w", err)
}

// identify returns the ID of an image that was made of a squashfs of the digest.
func (e *Engine) identify(ctx context.Context, ref, sum string) (id string, err error) {
	image, err := e.docker().ImageInspect(ctx, ref)
	if err != nil {
		return "", err
	}
	if image.Config == nil || image.Config.Labels[labelRoot] != sum {
		return "", fmt.Errorf("the image %s is not what virtmatrix made of it; remove it with docker rmi %s", ref, ref)
	}
	// Without the algorithm no registry could be asked for it: nothing is pulled.
	return strings.TrimPrefix(image.ID, "sha256:"), nil
}

// pack writes a squashfs as tar. Its mount ends with the namespace.
const pack = `mount -t squashfs -o ro,loop "$0" "$1" && exec tar --create --numeric-owner --xattrs --xattrs-include='*' --one-file-system --directory "$1" .`

// load streams a root file system into Docker: no copy of it is made on the way.
func (e *Engine) load(ctx context.Context, squashfs, ref string, labels map[string]string) error {
	dir, err := os.MkdirTemp("", "virtmatrix-root-")
	if err != nil {
		return err
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
	err = e.importTar(ctx, r, ref, labels)
	r.CloseWithError(errors.New("docker stopped reading"))
	if failed := <-packed; failed != nil && err == nil {
		err = failed
	}
	return err
}

func (e *Engine) importTar(ctx context.Context, tar io.Reader, ref string, labels map[string]string) error {
	var changes []string
	for name, value := range labels {
		changes = append(changes, fmt.Sprintf("LABEL %s=%q", name, value))
	}
	progress, err := e.docker().ImageImport(ctx, client.ImageImportSource{Source: tar, SourceName: "-"}, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	defer progress.Close()
	for said := json.NewDecoder(progress); ; {
		var line struct{ Error string }
		switch err := said.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}
