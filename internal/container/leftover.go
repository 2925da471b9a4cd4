package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Orphan is a container whose owner is dead. It ends by itself when its owner
// does. One that is still there was never started, because its owner was killed
// before, or it was in the hands of a Docker that died as well.
type Orphan struct{ ID, Cell string }

// String names the container for people.
func (o Orphan) String() string {
	return fmt.Sprintf("container %.12s of %s", o.ID, o.Cell)
}

// Orphans lists the containers of virtmatrix whose owners are dead.
func (e *Engine) Orphans(ctx context.Context) ([]Orphan, error) {
	all, err := e.docker().ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", labelFolder),
	})
	if err != nil {
		return nil, fault.Infraf("list containers", "%w", err)
	}
	var orphans []Orphan
	for _, c := range all.Items {
		if !owner.Alive(c.Labels[labelFolder]) {
			orphans = append(orphans, Orphan{ID: c.ID, Cell: c.Labels[labelCell]})
		}
	}
	return orphans, nil
}

// Remove ends and removes a container. One that is gone meanwhile is removed.
func (e *Engine) Remove(ctx context.Context, o Orphan) error {
	_, err := e.docker().ContainerRemove(ctx, o.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !gone(err) {
		return fault.Infraf("remove "+o.String(), "%w", err)
	}
	return nil
}

// Image is what Docker keeps of a root file system.
type Image struct {
	// Ref is the image's name and tag, Root the SHA-256 of the squashfs.
	Ref, Root string
	Bytes     int64
}

// Images lists the images that were made of the cache in the folder home.
func (e *Engine) Images(ctx context.Context, home string) ([]Image, error) {
	all, err := e.docker().ImageList(ctx, client.ImageListOptions{
		Filters: make(client.Filters).Add("label", labelHome+"="+home),
	})
	if err != nil {
		return nil, fault.Infraf("list Docker's images", "%w", err)
	}
	var images []Image
	for _, i := range all.Items {
		for _, ref := range i.RepoTags {
			if strings.HasPrefix(ref, Repository+":") {
				images = append(images, Image{Ref: ref, Root: i.Labels[labelRoot], Bytes: i.Size})
			}
		}
	}
	return images, nil
}

// RemoveImage removes an image; one that a container uses stays.
func (e *Engine) RemoveImage(ctx context.Context, i Image) error {
	if _, err := e.docker().ImageRemove(ctx, i.Ref, client.ImageRemoveOptions{}); err != nil && !gone(err) {
		return fault.Infraf("remove Docker's image "+i.Ref, "%w", err)
	}
	return nil
}

// Views lists the folders of bundles of the cache in home that no container uses
// and no process fills: what a killed one left half filled is among them.
func (e *Engine) Views(ctx context.Context, home string) ([]string, error) {
	const op = "list unpacked bundles"
	entries, err := os.ReadDir(views(home))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fault.Infraf(op, "%w", err)
	}
	used, err := e.mounted(ctx)
	if err != nil {
		return nil, fault.Infraf(op, "%w", err)
	}
	var idle []string
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		dir := filepath.Join(views(home), entry.Name())
		release, free, err := disk.TryLock(viewLock(home, strings.TrimSuffix(entry.Name(), draftSuffix)))
		if err != nil {
			return nil, fault.Infraf(op, "%w", err)
		}
		if !free {
			continue
		}
		release()
		if !used[dir] {
			idle = append(idle, dir)
		}
	}
	return idle, nil
}

// RemoveView removes one of the Views of the cache in home. The error is
// ErrViewUsed when somebody has begun to use it since they were listed.
func (e *Engine) RemoveView(ctx context.Context, home, dir string) error {
	err := removeView(home, dir, func() (map[string]bool, error) { return e.mounted(ctx) })
	if err == nil || errors.Is(err, ErrViewUsed) {
		return err
	}
	return fault.Infraf("remove unpacked bundle "+dir, "%w", err)
}

// mounted are the files and folders of L0 that containers see.
func (e *Engine) mounted(ctx context.Context) (map[string]bool, error) {
	all, err := e.docker().ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("cannot list containers: %w", err)
	}
	used := map[string]bool{}
	for _, c := range all.Items {
		for _, m := range c.Mounts {
			used[m.Source] = true
		}
	}
	return used, nil
}
