package apt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Records returns what the release says of the packages that match the
// patterns, and of those that they depend on and that are built from the same
// source packages, sorted by name. Each is in the version that an installation
// would take.
func (s *Source) Records(ctx context.Context, release string, patterns []string) ([]matrix.Record, error) {
	const op = "read package records"
	if err := source.CheckPatterns(patterns); err != nil {
		return nil, fmt.Errorf("cannot %s of %s: %w", op, release, err)
	}
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// No package has a colon in its name: no other question is like it.
	question := append([]string{"records:"}, patterns...)
	var records []matrix.Record
	if p.index.Recall(question, &records) {
		return records, nil
	}
	records, err = p.records(ctx, patterns)
	if err == nil {
		err = p.index.Note(question, records)
	}
	if err != nil {
		return nil, s.fail(source.Failed, op, release, "", err)
	}
	return records, nil
}

// records looks through the lists twice: whose packages count is known only
// when all that match are.
func (p *private) records(ctx context.Context, patterns []string) ([]matrix.Record, error) {
	matched := map[string]bool{}
	sources, needed := map[string]bool{}, map[string]bool{}
	err := p.each(ctx, func(r *matrix.Record) {
		if !candidate.Matches(patterns, r.Package) {
			return
		}
		matched[r.Package], sources[r.Source] = true, true
		for _, group := range r.Depends {
			for alternative := range strings.SplitSeq(group, "|") {
				needed[relationName(alternative)] = true
			}
		}
	})
	if err != nil {
		return nil, err
	}
	records := []matrix.Record{}
	err = p.each(ctx, func(r *matrix.Record) {
		wanted := needed[r.Package] || slices.ContainsFunc(r.Provides, func(t string) bool { return needed[relationName(t)] })
		if matched[r.Package] || wanted && sources[r.Source] {
			records = append(records, *r)
		}
	})
	slices.SortFunc(records, func(a, b matrix.Record) int { return strings.Compare(a.Package, b.Package) })
	return records, err
}

// relationName cuts the name off "python3:any (>= 3.9)".
func relationName(relation string) string {
	relation = strings.TrimSpace(relation)
	if i := strings.IndexAny(relation, " (:["); i >= 0 {
		return relation[:i]
	}
	return relation
}

// each calls do for each package of the release, in the version that apt would
// take of it.
func (p *private) each(ctx context.Context, do func(*matrix.Record)) error {
	return p.eachFields(ctx, func(fields map[string]string) { do(p.record(fields)) })
}

// eachFields is each, with all fields that are read.
func (p *private) eachFields(ctx context.Context, do func(fields map[string]string)) error {
	r, w := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"apt-cache", "dumpavail"}, Env: p.env(), Stdout: w})
		w.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		err := stanzas(r, do)
		r.CloseWithError(errors.Join(io.ErrClosedPipe, err))
		return err
	})
	return g.Wait()
}

// stanzas reads the paragraphs of a control file (deb822(5)) with the fields
// that records are made of.
func stanzas(r io.Reader, do func(fields map[string]string)) error {
	lines := bufio.NewScanner(r)
	// A long list of what is provided is one line.
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	fields, last := map[string]string{}, ""
	flush := func() {
		if len(fields) > 0 {
			do(fields)
		}
		fields, last = map[string]string{}, ""
	}
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case len(line) == 0:
			flush()
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				fields[last] += " " + strings.TrimSpace(string(line))
			}
		default:
			name, value, _ := bytes.Cut(line, []byte(":"))
			if last = ""; recordFields[string(name)] {
				last = string(name)
				fields[last] = string(bytes.TrimSpace(value))
			}
		}
	}
	flush()
	return lines.Err()
}

var recordFields = map[string]bool{
	"Package": true, "Version": true, "Source": true, "Architecture": true, "Size": true, "SHA256": true,
	"Provides": true, "Pre-Depends": true, "Depends": true, "Breaks": true, "Conflicts": true, "Replaces": true,
}

func (p *private) record(fields map[string]string) *matrix.Record {
	r := &matrix.Record{
		Release: p.release.Name, Package: fields["Package"], Version: fields["Version"], Source: fields["Package"],
		Provides: groups(fields["Provides"]),
		Depends:  append(groups(fields["Pre-Depends"]), groups(fields["Depends"])...),
		Breaks:   groups(fields["Breaks"]), Conflicts: groups(fields["Conflicts"]),
	}
	// The version of the source package is there when it is another one:
	// "qemu (1:7.2+dfsg-7)".
	if f := strings.Fields(fields["Source"]); len(f) > 0 {
		r.Source = f[0]
	}
	return r
}

// groups cuts a field at its commas.
func groups(field string) []string {
	var out []string
	for g := range strings.SplitSeq(field, ",") {
		if g = strings.TrimSpace(g); g != "" {
			out = append(out, g)
		}
	}
	return out
}
