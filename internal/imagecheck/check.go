package imagecheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Verdict is what came of a rule.
type Verdict string

// The verdicts.
const (
	Kept      Verdict = "kept"
	Broken    Verdict = "BROKEN"
	NotLooked Verdict = "not looked at"
	NotMeant  Verdict = "does not count"
)

// Result is the verdict of one rule, and what was seen. Names that come from the
// image are quoted.
type Result struct {
	Rule    string  `json:"rule"`
	Verdict Verdict `json:"verdict"`
	Seen    string  `json:"seen"`
	// Boot says that only a boot could have told.
	Boot bool `json:"boot,omitempty"`
}

// Report is what was seen of an image.
type Report struct {
	File   string `json:"file"`
	Format string `json:"format"`
	// Bytes is the size of the disk that a guest sees.
	Bytes   int64    `json:"virtual_bytes"`
	Family  Family   `json:"family,omitempty"`
	Release string   `json:"release,omitempty"`
	Results []Result `json:"results"`

	// rootAt is where the root's partition begins.
	rootAt int64
}

// Broken are the rules that the image breaks.
func (r *Report) Broken() []string { return r.having(Broken) }

// Unseen are the rules that a file could have answered, and that this one did not.
func (r *Report) Unseen() []string { return r.having(NotLooked) }

func (r *Report) having(v Verdict) (ids []string) {
	for _, result := range r.Results {
		if result.Verdict == v && !result.Boot {
			ids = append(ids, result.Rule)
		}
	}
	return ids
}

// Declared is what the maker of an image says about it.
type Declared struct {
	// Compat is the qcow2 version, 0.10 or 1.1; Bytes the size of the disk. Empty and 0
	// ask nothing.
	Compat string
	Bytes  int64
}

// answer is what a rule saw.
type answer struct {
	verdict Verdict
	seen    string
}

func kept(format string, args ...any) (answer, error) {
	return answer{Kept, fmt.Sprintf(format, args...)}, nil
}

func broken(format string, args ...any) (answer, error) {
	return answer{Broken, fmt.Sprintf(format, args...)}, nil
}

// brokenIf is for rules that say what may not be there.
func brokenIf(found []string, err error, none string) (answer, error) {
	if err != nil || len(found) == 0 {
		return answer{Kept, none}, err
	}
	return broken("%s", quoted(found))
}

// quoted lists names of an image; of many the first.
func quoted(names []string) string {
	const most = 3
	var words []string
	for _, n := range names[:min(len(names), most)] {
		words = append(words, fmt.Sprintf("%q", "/"+n))
	}
	if more := len(names) - most; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

// Check tests an image. An error says that it cannot be asked at all.
func Check(ctx context.Context, path string, declared Declared) (*Report, error) {
	img, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot check image %q: %w", path, err)
	}
	defer img.file.Close()
	img.declared = declared
	report := &Report{File: path, Format: img.format, Bytes: img.bytes, Family: img.family, Release: img.release, rootAt: img.at.start}
	for _, rule := range Baseline() {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("cannot check image %q: %w", path, context.Cause(ctx))
		}
		report.Results = append(report.Results, img.ask(rule))
	}
	return report, nil
}

// ask asks one rule. Whatever keeps it from an answer is told, and passes nothing.
func (img *image) ask(rule Rule) Result {
	result := Result{Rule: rule.ID, Verdict: NotLooked}
	switch {
	case rule.look == nil:
		result.Boot, result.Seen = true, "only a boot can tell: "+rule.How
	case img.missing[rule.needs] != nil:
		result.Seen = img.missing[rule.needs].Error()
	case rule.needs == theQCOW && img.qcow == nil:
		result.Verdict, result.Seen = NotMeant, "the image is "+img.format
	case len(rule.For) > 0 && img.family == "":
		result.Seen = "the distribution is not known: it is for " + rule.CountsFor()
	case len(rule.For) > 0 && !slices.Contains(rule.For, img.family):
		result.Verdict, result.Seen = NotMeant, "it is for "+rule.CountsFor()
	default:
		var a answer
		err := guarded(func() (err error) { a, err = rule.look(img); return err })
		result.Verdict, result.Seen = a.verdict, a.seen
		if err != nil {
			result.Verdict, result.Seen = NotLooked, err.Error()
		}
	}
	return result
}

// guarded turns a panic of a reader into an error: images are made to break readers.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its data breaks the reader: %v", p)
		}
	}()
	return do()
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
