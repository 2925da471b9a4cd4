package apt

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Supplier = (*Source)(nil)

// managerScript brings apt, which the policy does not count among what is essential.
const managerScript = `#!/bin/sh
cd "${0%/*}" || exit
command -v apt-get >/dev/null || DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install apt/*.deb
`

// ask is how apt is asked in a root. What it is asked for is what "apt-get install
// NAME=VERSION ..." does on a host: nothing moves that need not, services are restarted as the
// packages' scripts see fit, and a file of configuration that its user changed stays, as
// unattended-upgrades has it. No repository but ours is asked, which no other user than root
// may be able to read. Its folders are named in $from.
const ask = `#!/bin/sh
cd "${SUPPLY:-${0%/*}}" || exit
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
list=/run/virtmatrix-packages.list
apt() {
	for folder in $from; do echo "deb [trusted=yes] file:$PWD/$folder ./"; done >$list
	apt-get -q -o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=- -o Acquire::Languages=none -o APT::Sandbox::User=root $trap \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null
}
install() { apt --yes --allow-downgrades --no-install-recommends install "$@"; }
move() { apt update && install "$@" && test -z "$(dpkg --audit)"; }
from=.
trap=
test ! -e /run/virtmatrix-trap || trap="-o Dir::Bin::dpkg=$PWD/dpkg-trap"
`

const moveInPlace = ask + `wanted=$(cat "$@") && move $wanted
`

// undoScript has apt take each package that was asked for back to the version that the root
// had, and what that takes: apt knows no undo. What it takes apt may not find by itself, where
// a library has to go back with one of several that need it; then all that moved is named.
const undoScript = ask + `from=". ` + former + `"
wanted=$(cat before) && all=$(cat changed) && apt update || exit
if ! install --simulate $wanted; then
	echo "all that moved is named"
	wanted=$all
fi
move $wanted
`

// auditScript says what dpkg finds to be half done.
const auditScript = `#!/bin/sh
dpkg --audit
`

// repairScript is what apt itself says of an installation that was cut off. Not all that is
// unpacked can be configured before what it depends on has come.
const repairScript = ask + `dpkg --force-confdef --force-confold --configure -a; apt update && apt --yes --no-install-recommends -f install && test -z "$(dpkg --audit)"
`

// trapScript has dpkg's place taken by trapped.
const trapScript = `#!/bin/sh
if [ "$1" = off ]; then
	rm -f /run/virtmatrix-trap && sed -i '/virtmatrix-trap/d' /var/lib/dpkg/info/libvirt*.postinst
else
	touch /run/virtmatrix-trap
fi
`

// trapped runs dpkg, once the scripts that configure libvirt's packages are to fail.
const trapped = `#!/bin/sh
for script in /var/lib/dpkg/info/libvirt*.postinst; do
	grep -q virtmatrix-trap "$script" || sed -i '1a echo "virtmatrix-trap: cannot restart service" >&2; exit 1 # virtmatrix-trap' "$script"
done
exec dpkg "$@"
`

// former is the folder of what the root has.
const former = "former"

// listScript lists what is installed, whole or not.
const listScript = `#!/bin/sh
dpkg-query --show --showformat '${Package} ${Version}\n'
`

// Supply makes dir a repository of what the root has not. Beside it is apt of the root's own
// release, and in a repository of their own the packages of the root.
func (s *Source) Supply(ctx context.Context, sup source.Supply, dir string) error {
	const op = "supply packages"
	fail := func(err error) error { return s.fail(source.Failed, op, sup.To.Release, "", err) }
	manager, err := source.Beyond(ctx, s, sup.From, []string{"apt"})
	if err != nil {
		return err
	}
	offered, err := sup.Offer(ctx, s)
	if err != nil {
		return err
	}
	for _, set := range []matrix.PackageSet{manager, offered.Now, offered.Was} {
		if err := s.Fetch(ctx, set, nil); err != nil {
			return err
		}
	}
	err = errors.Join(os.Mkdir(filepath.Join(dir, "apt"), 0o755), os.Mkdir(filepath.Join(dir, former), 0o755))
	for to, set := range map[string]matrix.PackageSet{".": offered.Now, former: offered.Was} {
		err = errors.Join(err, s.makeRepository(ctx, set, set.Release, filepath.Join(dir, to), os.Link))
	}
	for _, p := range manager.Packages {
		err = errors.Join(err, os.Link(s.files.Path(p), filepath.Join(dir, "apt", p.Name+".deb")))
	}
	for name, text := range texts(sup, offered) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// texts are the programs of a supply, and what they read.
func texts(sup source.Supply, offered source.Offered) map[string]string {
	all := map[string]string{
		source.SupplyManager: managerScript, source.SupplyMove: moveInPlace, source.SupplyList: listScript, source.SupplyUndo: undoScript,
		source.SupplyAudit: auditScript, source.SupplyRepair: repairScript, source.SupplyTrap: trapScript, "dpkg-trap": trapped,
		"before": "", "changed": "",
	}
	for part, packages := range offered.Wanted {
		for _, p := range packages { // in the words of apt-get install
			all[part] += p.Name + "=" + p.Version + "\n"
		}
	}
	for _, p := range offered.Was.Packages {
		all["changed"] += p.Name + "=" + p.Version + "\n"
	}
	for _, part := range sup.Parts {
		for _, name := range part.Had {
			all["before"] += name + "=" + sup.From.Version(name) + "\n"
		}
	}
	return all
}
