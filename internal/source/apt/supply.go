package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
cd "${0%%/*}" || exit
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
list=/run/virtmatrix-packages.list
echo "deb [trusted=yes] file:$PWD ./" >$list
apt() {
	apt-get -q -o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=- -o Acquire::Languages=none -o APT::Sandbox::User=root \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null
}
apt update && apt --yes --allow-downgrades --no-install-recommends install %s && test -z "$(dpkg --audit)"
`

// Supply makes dir a repository of what the root has not. Beside it is apt of the root's own
// release.
func (s *Source) Supply(ctx context.Context, sup source.Supply, dir string) error {
	const op = "supply packages"
	fail := func(err error) error { return s.fail(source.Failed, op, sup.To.Release, "", err) }
	manager, err := s.manager(ctx, sup.From)
	if err != nil {
		return err
	}
	offered := matrix.PackageSet{Source: Kind, Release: sup.To.Release}
	for _, d := range matrix.Differences(sup.From, sup.To) {
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
	var wanted []string
	for _, p := range sup.Wanted.Packages {
		wanted = append(wanted, p.Name+"="+p.Version)
	}
	for name, text := range map[string]string{
		source.SupplyManager: managerScript,
		source.SupplyMove:    fmt.Sprintf(moveInPlace, strings.Join(wanted, " ")),
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// manager is apt with what it needs and a root of the set lacks.
func (s *Source) manager(ctx context.Context, root matrix.PackageSet) (matrix.PackageSet, error) {
	names := []string{"apt"}
	for _, p := range root.Packages {
		names = append(names, p.Name)
	}
	whole, err := s.Resolve(ctx, source.Request{Release: root.Release, Names: names})
	if err != nil {
		return matrix.PackageSet{}, err
	}
	more := matrix.PackageSet{Source: Kind, Release: root.Release}
	for _, p := range whole.Packages {
		if root.Version(p.Name) == "" {
			more.Packages = append(more.Packages, p)
		}
	}
	return more, nil
}
