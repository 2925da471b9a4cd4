package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// pageDetail is what the page's script knows: it makes text of it, never
// markup.
type pageDetail struct {
	Cells   []detailCell   `json:"cells"`
	Results []detailResult `json:"results"`
	// Runs are the ways in which results were asked, each once: most have the same.
	Runs    []detailRun       `json:"runs"`
	Meaning map[string]string `json:"meaning"`
	Glyphs  map[string]string `json:"glyphs"`
}

// detailRun is what many results have in common. Repeat has {cell} and {check} for theirs.
type detailRun struct {
	Accelerators map[string]string `json:"accelerators,omitempty"`
	Emulator     string            `json:"emulator,omitempty"`
	Harness      string            `json:"harness,omitempty"`
	Repeat       string            `json:"repeat,omitempty"`
}

type detailCell struct {
	ID          string        `json:"id"`
	Tier        string        `json:"tier"`
	Composition string        `json:"composition"`
	Layers      []detailLayer `json:"layers"`
	Images      []image       `json:"images,omitempty"`
}

// detailLayer is one storey of the tower, the highest first.
type detailLayer struct {
	Name string `json:"name"`
	What string `json:"what"`
}

type detailResult struct {
	Cell      int      `json:"cell"`
	Check     string   `json:"check"`
	Verdict   string   `json:"verdict"`
	Layer     string   `json:"layer,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Ruling    string   `json:"ruling,omitempty"`
	BlockedBy string   `json:"blockedBy,omitempty"`
	Cached    string   `json:"cached,omitempty"`
	AskedIn   string   `json:"askedIn,omitempty"`
	Started   string   `json:"started,omitempty"`
	Took      string   `json:"took,omitempty"`
	Guest     string   `json:"guest,omitempty"`
	Attempts  int      `json:"attempts,omitempty"`
	Retried   bool     `json:"retried,omitempty"`
	Earlier   []string `json:"earlier,omitempty"`
	Said      []string `json:"said,omitempty"`
	Notes     []string `json:"notes,omitempty"`
	Quirks    []string `json:"quirks,omitempty"`
	// Run is the place in Runs; nil without a record.
	Run      *int      `json:"run,omitempty"`
	Images   []image   `json:"images,omitempty"`
	Evidence *evidence `json:"evidence,omitempty"`
}

// details collects what is known of each result. The bundles of problems are
// read first, so that it is not them that a full page leaves out.
func (p page) details(m *Matrix) pageDetail {
	d := pageDetail{Results: make([]detailResult, len(m.Results)), Meaning: map[string]string{}, Glyphs: map[string]string{}}
	for v, meaning := range meanings {
		d.Meaning[string(v)], d.Glyphs[string(v)] = meaning, glyphs[v]
	}
	runs := map[string]int{}
	column := map[string]int{}
	for i := range m.Cells {
		c := &m.Cells[i]
		column[c.ID] = i
		d.Cells = append(d.Cells, detailCell{oneline(c.ID, 200), describeTier(c.Tier), string(c.Composition), tower(c), shownImages(m.images(c, &Result{}))})
	}
	for i := range m.Results {
		r := &m.Results[i]
		d.Results[i] = newDetail(r, column[r.Cell])
		if r.Record != nil {
			run := newDetailRun(r)
			key := fmt.Sprint(run) // maps are printed in the order of their keys
			at, ok := runs[key]
			if !ok {
				at = len(d.Runs)
				runs[key], d.Runs = at, append(d.Runs, run)
			}
			d.Results[i].Run = &at
		}
		if c := &m.Cells[column[r.Cell]]; differs(c, r) {
			d.Results[i].Images = shownImages(m.images(c, r))
		}
	}
	read := evidenceReader{p.evidence, evidenceTotalLimit}
	for _, wrong := range []bool{true, false} {
		for i := range m.Results {
			if r := &m.Results[i]; slices.Contains(urgency, r.Verdict) == wrong {
				d.Results[i].Evidence = read.bundle(r.Record)
			}
		}
	}
	return d
}

func newDetail(r *Result, cell int) detailResult {
	d := detailResult{
		Cell: cell, Check: oneline(r.Check, 80), Verdict: string(r.Verdict),
		Reason: visible(r.Reason, storedText), Ruling: visible(r.Ruling, storedText), AskedIn: oneline(r.AskedIn, 200), Retried: r.Retried(), Earlier: words(r.Earlier),
	}
	rec := r.Record
	if rec == nil {
		return d
	}
	d.Layer, d.BlockedBy = oneline(string(rec.Layer), 40), oneline(rec.BlockedBy, 80)
	d.Started = rec.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	d.Took, d.Guest, d.Attempts = duration(rec.Seconds), duration(rec.GuestSeconds), rec.Attempts
	if c := rec.Cached; c != nil {
		d.Cached, d.Started, d.Took = origin(c)+", where it took "+duration(c.Seconds), "", ""
	}
	d.Said, d.Notes, d.Quirks = shownLines(rec.Said), shownLines(rec.Notes), shownLines(rec.Quirks)
	return d
}

func newDetailRun(r *Result) detailRun {
	rec := r.Record
	d := detailRun{Emulator: oneline(rec.Emulator, 200), Harness: oneline(rec.Harness, 80)}
	d.Repeat = strings.NewReplacer(oneline(r.Cell, 200), "{cell}", oneline(r.Check, 80), "{check}").Replace(oneline(rec.Repeat, 1000))
	for layer, accelerator := range rec.Accelerators {
		if d.Accelerators == nil {
			d.Accelerators = map[string]string{}
		}
		d.Accelerators[oneline(layer, 40)] = oneline(accelerator, 40)
	}
	return d
}

func shownLines(lines []string) []string {
	var out []string
	for _, l := range clipLines(lines) {
		out = append(out, visible(l, storedLine+64))
	}
	return out
}

// differs says whether a record was given by other packages than planned.
func differs(c *Cell, r *Result) bool {
	if r.Record == nil {
		return false
	}
	return slices.ContainsFunc(c.Images, func(ref matrix.ImageRef) bool {
		ran := r.Record.PackageSets[ref.Role]
		return ran != "" && ran != ref.Packages
	})
}

func shownImages(images []image) []image {
	for i := range images {
		images[i].Role, images[i].Release = oneline(images[i].Role, 80), oneline(images[i].Release, 80)
		images[i].Key = oneline(images[i].Key, 80)
	}
	return images
}

// layerOf says in which storey of the tower a component lives.
var layerOf = map[matrix.Component]matrix.Layer{
	matrix.Linux: matrix.LayerKernel, matrix.QEMU: matrix.LayerHypervisor,
	matrix.XenHyp: matrix.LayerHypervisor, matrix.Libvirt: matrix.LayerManagement,
}

// tower lists the layers of a cell from L2 down to the machine, each with the
// component that is under test there.
func tower(c *Cell) []detailLayer {
	what := map[matrix.Layer]string{}
	for _, s := range c.Stack {
		version := s.Package
		if version == "" {
			version = s.Version
		}
		parts := []string{string(s.Component), version, "from", s.Release}
		what[c.layerOf(s.Component)] = oneline(strings.Join(parts, " "), 200)
	}
	if c.Tier == matrix.Container {
		what[matrix.LayerKernel] = "that of L0, whose container this is"
	}
	var layers []detailLayer
	for _, l := range []matrix.Layer{matrix.LayerL2, matrix.LayerManagement, matrix.LayerHypervisor, matrix.LayerKernel, matrix.LayerL0, matrix.LayerHarness} {
		layers = append(layers, detailLayer{string(l), what[l]})
	}
	return layers
}
