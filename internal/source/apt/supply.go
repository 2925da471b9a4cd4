package apt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Supplier = (*Source)(nil)

// managerScript brings apt, which the policy does not count among what is essential.
const managerScript = `#!/bin/sh
cd "${0%/*}" || exit
command -v apt-get >/dev/null || DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install apt/*.deb
`

// moveInPlace has apt do what "apt-get install NAME=VERSION ..." does on a host: nothing
// moves that need not, services are restarted as the packages' scripts see fit, and a
// file of configuration that its user changed stays, as unattended-upgrades has it. No
// repository but ours is asked, which no other user than root may be able to read.
const moveInPlace = `#!/bin/sh
cd "${0%/*}" || exit
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
list=/run/virtmatrix-packages.list
echo "deb [trusted=yes] file:$PWD ./" >$list
apt() {
	apt-get -q -o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=- -o Acquire::Languages=none -o APT::Sandbox::User=root \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null
}
wanted=$(cat "$@") && apt update && apt --yes --allow-downgrades --no-install-recommends install $wanted && test -z "$(dpkg --audit)"
`

// listScript lists what is installed, whole or not.
const listScript = `#!/bin/sh
dpkg-query --show --showformat '${Package} ${Version}\n'
`

// Supply makes dir a repository of what the root has not. Beside it is apt of the root's own
// release.
func (s *Source) Supply(ctx context.Context, sup source.Supply, dir string) error {
	const op = "supply packages"
	fail := func(err error) error { return s.fail(source.Failed, op, sup.To.Release, "", err) }
	manager, err := s.beyond(ctx, sup.From, []string{"apt"})
	if err != nil {
		return err
	}
	goal, programs, err := s.goal(ctx, sup)
	if err != nil {
		return err
	}
	offered := matrix.PackageSet{Source: Kind, Release: goal.Release}
	for _, d := range matrix.Differences(sup.From, goal) {
		if d.Way != matrix.Removed {
			offered.Packages = append(offered.Packages, d.Now)
		}
	}
	for _, set := range []matrix.PackageSet{manager, offered} {
		if err := s.Fetch(ctx, set, nil); err != nil {
			return err
		}
	}
	if err := s.makeRepository(ctx, offered, offered.Release, dir, os.Link); err != nil {
		return fail(err)
	}
	err = os.Mkdir(filepath.Join(dir, "apt"), 0o755)
	for _, p := range manager.Packages {
		err = errors.Join(err, os.Link(s.files.Path(p), filepath.Join(dir, "apt", p.Name+".deb")))
	}
	programs[source.SupplyManager], programs[source.SupplyMove], programs[source.SupplyList] = managerScript, moveInPlace, listScript
	for name, text := range programs {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// goal is what a root may become: To with what its release has of the packages that the
// root had. Of each part it tells what is asked for, in the words of apt-get install.
func (s *Source) goal(ctx context.Context, sup source.Supply) (goal matrix.PackageSet, wanted map[string]string, err error) {
	var had, names []string
	for _, part := range sup.Parts {
		had, names = append(had, part.Had...), append(names, part.Wanted...)
	}
	records, err := s.Records(ctx, sup.To.Release, had)
	if err != nil {
		return goal, nil, err
	}
	for _, r := range records {
		if slices.Contains(had, r.Package) {
			names = append(names, r.Package)
		}
	}
	more, err := s.beyond(ctx, sup.To, names)
	if err != nil {
		return goal, nil, err
	}
	goal, wanted = sup.To, map[string]string{}
	goal.Packages = slices.Concat(goal.Packages, more.Packages)
	for name, part := range sup.Parts {
		asked := slices.Sorted(slices.Values(slices.Concat(part.Had, part.Wanted)))
		for _, p := range slices.Compact(asked) {
			if slices.Contains(names, p) {
				wanted[name] += p + "=" + goal.Version(p) + "\n"
			}
		}
	}
	return goal, wanted, nil
}

// beyond is what an installation of packages of the set's release takes that is not in
// the set.
func (s *Source) beyond(ctx context.Context, set matrix.PackageSet, names []string) (matrix.PackageSet, error) {
	more := matrix.PackageSet{Source: Kind, Release: set.Release}
	for _, p := range set.Packages {
		names = append(names, p.Name)
	}
	whole, err := s.Resolve(ctx, source.Request{Release: set.Release, Names: names})
	for _, p := range whole.Packages {
		if set.Version(p.Name) == "" {
			more.Packages = append(more.Packages, p)
		}
	}
	return more, err
}
