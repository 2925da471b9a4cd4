package run

import (
	"context"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// makeMedia makes what machines of the plan boot from where the emulator does not load
// their kernels: a medium holds the agent too, which no image does.
func (h *Hosts) makeMedia(ctx context.Context) error {
	h.media = map[string]store.Image{}
	for i := range h.plan.Cells {
		cell := &h.plan.Cells[i]
		if cell.Refused != "" || cell.Asked() == 0 || host.MediaOf(cell.Settings) == host.Direct {
			continue
		}
		start := time.Now()
		image, err := h.makeMedium(ctx, cell)
		if err != nil {
			return err
		}
		h.driver.tell(progress.Event{Phase: progress.Finished, Image: image.Name, Seconds: time.Since(start).Seconds()})
		for _, f := range image.Meta.Files {
			h.sums[image.Path(f.Path)] = f.SHA256
		}
		h.media[cell.ID] = image
	}
	return nil
}

func (h *Hosts) makeMedium(ctx context.Context, cell *matrix.Cell) (store.Image, error) {
	site, of := h.driver.site(h.images.sources), fixtures.Medium{
		Kernel: h.images.image(cell, fixtures.KernelCloud, fixtures.KernelFull),
		Root:   h.images.image(cell, fixtures.UserlandKVM, fixtures.UserlandXen),
		Agent:  h.programs["l1init"], AgentSum: h.sums[h.programs["l1init"]],
	}
	if host.MediaOf(cell.Settings) == host.OSTree {
		return site.OSTree(ctx, of)
	}
	return site.ISO(ctx, of)
}

// addMedium gives a host what it boots from.
func (h *Hosts) addMedium(cell *matrix.Cell, to *host.Parts) {
	image, ok := h.media[cell.ID]
	switch {
	case !ok:
	case host.MediaOf(cell.Settings) == host.OSTree:
		to.Medium, to.Client = image.Path(fixtures.DiskFile), image.Path(fixtures.ClientFile)
	default:
		to.Medium = image.Path(fixtures.ISOFile)
	}
}

// Digests are the SHA-256 of the files that a cell's kernel and root are in, by name, and
// of the commits on its medium, by branch.
func (h *Hosts) Digests(cell *matrix.Cell) (map[string]string, error) {
	digests := map[string]string{}
	for _, image := range []store.Image{
		h.images.image(cell, fixtures.KernelCloud, fixtures.KernelFull),
		h.images.image(cell, fixtures.UserlandKVM, fixtures.UserlandXen),
	} {
		for _, f := range image.Meta.Files {
			digests[f.Path] = f.SHA256
		}
	}
	if host.MediaOf(cell.Settings) == host.OSTree {
		commits, err := fixtures.ReadCommits(h.media[cell.ID])
		if err != nil {
			return nil, fault.Infraf("read medium", "%w", err)
		}
		digests[host.FirstCommit], digests[host.SecondCommit] = commits.First, commits.Second
	}
	return digests, nil
}

// image is a cell's image with one of the roles.
func (im *Images) image(cell *matrix.Cell, roles ...string) store.Image {
	for _, role := range roles {
		if ref, ok := cell.Image(role); ok {
			return im.byRef[ref]
		}
	}
	return store.Image{}
}
