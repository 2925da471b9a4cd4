package delivery

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/delivery"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	register("D-UPGRADE", "A root of the release becomes one of the candidate, the packages' scripts included",
		plant("a package whose script fails", source.Planted{AfterInstall: "echo no >&2; exit 1"}), func(t *steps.T) { moves(t, source.Upgrade) })
	register("D-OLDEST", "A root of the oldest build of the component that the release has becomes one of the candidate, the packages' scripts included",
		plant("a package whose script fails", source.Planted{AfterInstall: "echo no >&2; exit 1"}), func(t *steps.T) { moves(t, source.UpgradeOldest) })
	register("D-DOWNGRADE", "A root of the candidate becomes one of the release again, the packages' scripts included",
		sabotage.Root("a root that takes no files", takesNoFiles), func(t *steps.T) { moves(t, source.Downgrade) })
	register("D-CONF", "What users wrote into files of configuration is there after an upgrade",
		plant("a package that empties what users wrote", source.Planted{AfterInstall: `grep -rl "` + mark + `" /etc | while read f; do : >"$f"; done`}), keepsConfig)
	register("D-EPOCH", "No package is older than the one of its name in the release, by the order of its repository",
		sabotage.PackageOf("a package that goes back", func(t *steps.T) source.Planted {
			return source.Planted{Name: t.Delivery().Released().Packages[0].Name, Version: "0~1"}
		}), goesOn)
	register("D-OBSOLETE", "Each package of the release that the candidate lacks can stay beside it, or one of the candidate's says what becomes of it",
		sabotage.Planted(), succeeds)
}

func moves(t *steps.T, way source.Way) {
	moved := t.Delivery().Move(way, "", "")
	t.Note("%d packages differ", len(matrix.Differences(moved.From, moved.To)))
	for _, p := range t.Delivery().Candidate().Packages {
		if was := moved.From.Version(p.Name); was != "" && moved.To.Version(p.Name) != "" {
			t.Note("%s %s is to be %s", p.Name, was, moved.To.Version(p.Name))
			break
		}
	}
	if moved.Complaint != "" {
		t.Fail(t.Layer, "%s:\n%s", moved.Complaint, lastLines(moved.Log, shown))
	}
}

// takesNoFiles makes a folder, with something in it, of a file that the move replaces: rpm
// does not write over one. dpkg moves it aside, but needs the root's tar, which fails.
func takesNoFiles(t *steps.T) string {
	was, now := t.Delivery().Sets()
	both := only(was, now, true)
	for _, d := range matrix.Differences(only(now, both, true), both) {
		changed := both
		changed.Packages = []matrix.Package{d.Now}
		for _, c := range t.Delivery().Inspect(changed) {
			// Documentation is not installed.
			if i := slices.IndexFunc(c.Files, func(f string) bool { return !strings.HasPrefix(f, "/usr/share/") && !slices.Contains(c.Config, f) }); i >= 0 {
				return fmt.Sprintf("rm -f '%[1]s' && mkdir -p '%[1]s/in the way' && printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/tar", c.Files[i])
			}
		}
	}
	t.Fail(t.Layer, "no file of a program differs")
	return ""
}

// mark is what a user writes into a file of configuration. All of these take it for a
// comment.
const mark = "# kept by virtmatrix"

// keepsConfig writes into each file of configuration of the component as the release has
// it, and looks for that after the upgrade. Where the packages drop the file, a copy of it
// will do.
func keepsConfig(t *steps.T) {
	d := t.Delivery()
	was, _ := d.Sets()
	var files []string
	for _, c := range d.Inspect(only(was, d.Released(), true)) {
		files = append(files, c.Config...)
	}
	if len(files) == 0 {
		t.Note("the release's packages have no files of configuration")
	}
	list := strings.Join(files, " ")
	moved := d.Move(source.Upgrade,
		fmt.Sprintf("for f in %s; do [ ! -e $f ] || echo '%s' >>$f; done", list, mark),
		fmt.Sprintf("for f in %s; do [ ! -e $f ] || cat $f* | grep -q '%s' || echo $f; done", list, mark))
	if moved.Complaint != "" {
		t.Fail(t.Layer, "%s:\n%s", moved.Complaint, lastLines(moved.Log, shown))
	}
	t.Note("%d files of configuration", len(files))
	var lost []text
	for _, f := range strings.Fields(moved.Output) {
		lost = append(lost, text(f+" has not what its user wrote"))
	}
	finds(t, "files of configuration that were written over", lost)
}

func goesOn(t *steps.T) {
	d := t.Delivery()
	released := d.Released()
	both := only(d.Offered(), released, true)
	ways := map[matrix.Way]int{}
	for _, diff := range matrix.Differences(only(released, both, true), both) {
		ways[diff.Way]++
	}
	if n := ways[matrix.Rebuilt]; n > 0 {
		t.Note("%d packages have the version of the release: users who have that are not offered them", n)
	}
	finds(t, "packages that go back", delivery.Backwards(only(released, both, true), both))
}

func succeeds(t *steps.T) {
	d := t.Delivery()
	_, now := d.Sets()
	offered := d.Offered()
	gone := only(d.Released(), offered, false)
	installed := names(only(offered, now, true))
	var mine []source.Content
	var lost []text
	for _, p := range gone.Packages {
		if strings.HasSuffix(p.Name, "-dbgsym") || strings.HasSuffix(p.Name, "-dbg") {
			continue
		}
		_, refused := d.TryResolve(append([]string{p.Name}, installed...)...)
		if refused == "" {
			t.Note("%s %s stays beside the candidate", p.Name, p.Version)
			continue
		}
		if mine == nil {
			mine = d.Inspect(offered)
		}
		told, err := delivery.Succeeded(p, mine)
		t.Expect(err).NotTo(HaveOccurred(), "what packages say of each other")
		if !told {
			lost = append(lost, text(fmt.Sprintf("%s %s is in the way, and no package of the candidate says what becomes of it: %s", p.Name, p.Version, refused)))
		}
	}
	finds(t, "packages of the release that the candidate has no way for", lost)
}
