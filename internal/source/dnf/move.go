package dnf

import (
	"context"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/move"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// moveScript has the rpm of this machine move a root: those of hosts need have none. No
// systemd runs, so that scriptlets start no service. A package of the same version is
// another file.
const moveScript = `of_root() { rpm --root "$top/root" "$@" </dev/null; }
if [ -n "$removed" ]; then of_root --erase --nodeps --noplugins $removed || moved=$?; fi
set -- "$files"/*.rpm
if [ -e "$1" ] && [ $moved = 0 ]; then
	of_root --upgrade --oldpackage --replacepkgs --noplugins --excludedocs --nosignature "$@" || moved=$?
fi
[ $moved != 0 ] || of_root --verify --all --nofiles --noscripts --nosignature || true`

const moveList = `of_root --query --all --nosignature --queryformat '` + headerDigest + `'`

// Move takes a throw-away root from one set to another.
func (s *Source) Move(ctx context.Context, m source.Move) (source.Moved, error) {
	const op = "move packages"
	changed, _ := move.Changes(m)
	if err := s.files.Ready(changed, op); err != nil {
		return source.Moved{}, err
	}
	r, err := move.Run(ctx, m, move.Manager{
		Move: moveScript, List: moveList, Files: s.files, Home: func(dir string) error { return home(dir, "/var/lib/rpm") },
	})
	moved := source.Moved{Log: strings.ReplaceAll(r.Log, noise, ""), Output: r.Output}
	if err == nil {
		moved.Complaint, err = s.complaint(ctx, m.To, r)
	}
	if err != nil {
		return source.Moved{}, s.fail(source.Failed, op, m.To.Release, "", err)
	}
	return moved, nil
}

// complaint says what went wrong with a move; empty if nothing did. A scriptlet that
// fails is no error to rpm.
func (s *Source) complaint(ctx context.Context, to matrix.PackageSet, r move.Result) (string, error) {
	failed := scriptlets(r.Log)
	switch {
	case r.Status != "0":
		return "rpm ends with status " + r.Status, nil
	case len(failed) > 0:
		return strings.Join(failed, ", "), nil
	case strings.Contains(r.Said, "Unsatisfied dependencies"):
		return "rpm finds packages without what they need: " + strings.Join(strings.Fields(r.Said), " "), nil
	}
	want, err := s.headers(ctx, to)
	if err != nil {
		return "", err
	}
	if err := compareInstalled(want, sortedHeaders(r.Installed)); err != nil {
		return err.Error(), nil
	}
	return "", nil
}
