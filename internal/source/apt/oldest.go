package apt

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// oldestFile is preferences that leave only the oldest builds.
const oldestFile = "preferences.oldest"

// build is a version of a source package, and the versions of the packages that are built
// of it.
type build struct {
	version  string
	packages map[string]string
}

// keepOldest has apt take the oldest build of what matches, and returns those of the names
// that there are then.
func (p *private) keepOldest(ctx context.Context, names, patterns []string) ([]string, error) {
	records, err := p.records(ctx, patterns)
	if err != nil {
		return nil, err
	}
	owners := candidate.Owners(records, patterns)
	var packages []string
	err = p.each(ctx, func(r *matrix.Record) {
		if slices.Contains(owners, r.Source) {
			packages = append(packages, r.Package)
		}
	})
	if err != nil || len(packages) == 0 {
		return names, err
	}
	out, err := p.run(ctx, slices.Concat([]string{"apt-cache", "show", "--all-versions"}, packages)...)
	if err != nil {
		return nil, err
	}
	oldest, err := oldestBuilds(out)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, o := range oldest {
		for _, name := range slices.Sorted(maps.Keys(o.packages)) {
			fmt.Fprintf(&b, "Package: %s\nPin: version %s\nPin-Priority: 1001\n\n", name, o.packages[name])
		}
	}
	gone := slices.DeleteFunc(packages, func(name string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(oldest)), func(o build) bool { return o.packages[name] != "" })
	})
	if len(gone) > 0 {
		fmt.Fprintf(&b, "Package: %s\nPin: version *\nPin-Priority: -1\n", strings.Join(gone, " "))
	}
	p.preferred = oldestFile
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(gone, name) })
	return names, os.WriteFile(filepath.Join(p.dir, "etc", oldestFile), []byte(b.String()), 0o644)
}

// oldestBuilds are those of each source package, by its name, in what apt-cache shows of all
// versions.
func oldestBuilds(shown string) (map[string]build, error) {
	oldest := map[string]build{}
	err := stanzas(strings.NewReader(shown), func(fields map[string]string) {
		name, version := fields["Package"], fields["Version"]
		if source, of, ok := strings.Cut(fields["Source"], " ("); fields["Source"] != "" {
			name = source
			if ok {
				version = strings.TrimSuffix(of, ")")
			}
		}
		o, known := oldest[name]
		if !known || matrix.Compare(version, o.version) < 0 {
			o = build{version, map[string]string{}}
		}
		if o.version == version {
			o.packages[fields["Package"]] = fields["Version"]
		}
		oldest[name] = o
	})
	return oldest, err
}
