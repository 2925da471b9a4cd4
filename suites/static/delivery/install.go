package delivery

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/delivery"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	register(matrix.RefusedCheck, "Every package can be installed from the candidate and the release that it is laid over",
		plant("a package that needs one which nobody has", source.Planted{Depends: []string{"virtmatrix-nowhere"}}), closes)
	register("D-CONFLICT", "No two packages that may be installed together hold the same file",
		sabotage.PackageOf("a package that holds a file of another", func(t *steps.T) source.Planted {
			return source.Planted{Name: planted, Version: "1", Files: []string{firstFile(t)}}
		}), conflicts)
	register("D-SIGN", "What answers for each repository of the release, its index or its packages, is signed by a key of it, beside the candidate as without it", sabotage.Distrusted(), signs)
	register("D-REPLACE", "Nothing of the release is replaced, and nothing beside the component changed, without a package that says so",
		plant("a package that holds a program of the base", source.Planted{Files: []string{"/usr/bin/env"}}), replaces)
}

// signs looks at each repository. Files in a folder have no signature of their own in Debian:
// who trusts them is said with each result.
func signs(t *steps.T) {
	d := t.Delivery()
	t.Note("the candidate is %s", d.Candidate().Trust)
	finds(t, "repositories that no trusted key answers for", unanswered(t, d.Signatures()))
}

// unanswered are those that nobody answers for, or nobody that is trusted.
func unanswered(t *steps.T, all []source.Signature) (bad []text) {
	for _, s := range all {
		if s.Problem != "" {
			bad = append(bad, text(fmt.Sprintf("%s: %s", s.Index, s.Problem)))
		} else {
			t.Note("%s: by %s", s.Index, s.By)
		}
	}
	return bad
}

// closes resolves all packages. That some of them are not meant to be together is no fault.
func closes(t *steps.T) {
	if t.Cell.Refused != "" {
		t.Fail(t.Layer, "%s: the solver refuses the candidate: %s", t.Cell.ID, t.Cell.Refused)
	}
	finds(t, "the solver does not install these packages", unclosed(t, names(t.Delivery().Offered())))
}

// unclosed are those of the packages that cannot be installed. Where all of them can be
// at once, each of them can.
func unclosed(t *steps.T, names []string) []text {
	d := t.Delivery()
	set, refused := d.TryResolve(names...)
	switch n := len(names); {
	case refused != "" && n == 1:
		return []text{text(fmt.Sprintf("%s: %s", names[0], refused))}
	case refused != "":
		return append(unclosed(t, names[:n/2]), unclosed(t, names[n/2:])...)
	}
	c := d.Candidate()
	for _, p := range set.Packages {
		same, named := c.Has(p)
		t.Expect(same || !named).To(BeTrue(), "%s %s was taken from the release, and the candidate has one", p.Name, p.Version)
	}
	return nil
}

// firstFile is a file of the candidate.
func firstFile(t *steps.T) string {
	for _, c := range t.Delivery().Inspect(t.Delivery().Offered()) {
		if len(c.Files) > 0 {
			return c.Files[0]
		}
	}
	return ""
}

func conflicts(t *steps.T) {
	d := t.Delivery()
	mine := d.Inspect(d.Offered())
	found, err := delivery.Clashes(mine, mine)
	t.Expect(err).NotTo(HaveOccurred(), "what packages say of each other")
	t.Note("%d packages of the candidate", len(mine))
	finds(t, "files that two packages hold", found)
}

func replaces(t *steps.T) {
	d := t.Delivery()
	was, now := d.Sets()
	offered := d.Offered()
	mine, base := d.Inspect(offered), d.Inspect(only(was, offered, false))
	clashes, err := delivery.Clashes(mine, base)
	t.Expect(err).NotTo(HaveOccurred(), "what packages say of each other")
	moved, err := delivery.Undeclared(matrix.Differences(was, now), mine)
	t.Expect(err).NotTo(HaveOccurred(), "what packages say of each other")
	var all []text
	for _, c := range clashes {
		all = append(all, text(c.String()))
	}
	for _, m := range moved {
		all = append(all, text(m.String()+", and no package of the candidate says why"))
	}
	t.Note("%d packages of the candidate, %d of the release beside them", len(mine), len(base))
	finds(t, "what is replaced or changed", all)
}

// lastLines are the last of a log that say something.
func lastLines(log string, n int) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
