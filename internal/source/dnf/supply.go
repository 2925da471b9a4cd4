package dnf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Supplier = (*Source)(nil)

// The folders of a supply: what the root lacks and what it has, each a repository, and the
// package manager, whole and as packages.
const (
	offeredDir = "offered"
	formerDir  = "former"
	managerDir = "manager.d"
	treeDir    = "manager.tree"
)

// managerScript brings dnf, and rpm, which only another rpm could install. It is in the
// root's database from then on.
const managerScript = `#!/bin/sh
cd "${0%/*}" || exit
command -v dnf >/dev/null && exit
cp -a ` + treeDir + `/usr ` + treeDir + `/etc / && ldconfig && rpm --upgrade --justdb --noscripts --nosignature ` + managerDir + `/*.rpm
`

// ask is how dnf is asked in a root. No repository but ours is, whose packages were
// verified when they were fetched. A scriptlet that fails is no error to rpm unless nothing
// is unpacked yet, and dnf says so in words alone.
const ask = `#!/bin/sh
cd "${SUPPLY:-${0%/*}}" || exit
export LC_ALL=C
said=/run/virtmatrix-dnf.log
ask() {
	dnf --assumeyes --setopt=reposdir=/none --setopt=plugins=0 --setopt=install_weak_deps=0 --setopt=gpgcheck=0 --setopt=metadata_expire=0 \
		--releasever=0 --repofrompath=` + offeredDir + `,"file://$PWD/` + offeredDir + `" --repofrompath=` + formerDir + `,"file://$PWD/` + formerDir + `" "$@" </dev/null >$said 2>&1
	status=$?
	cat $said
	[ $status = 0 ] && ! grep -q 'scriptlet failed\|Error in .* scriptlet' $said
}
`

const moveInPlace = ask + `wanted=$(cat "$@") && ask install $wanted
`

const undoScript = ask + `ask history undo last
`

const listScript = `#!/bin/sh
rpm --query --all --nosignature --queryformat '%{NAME} %{EVR}\n' | sort
`

// auditScript tells what dnf finds that does not fit together, and what a transaction that
// was cut off left twice.
const auditScript = `#!/bin/sh
LC_ALL=C dnf --quiet --setopt=reposdir=/none --releasever=0 check 2>&1
`

// repairScript takes all to one version again, what is there twice first.
const repairScript = ask + `if [ -n "$(./` + source.SupplyAudit + `)" ]; then ask remove --duplicates; ask distro-sync; fi
test -z "$(./` + source.SupplyAudit + `)"
`

// trapScript has the program fail that scriptlets ask for accounts, and the one that makes
// them.
const trapScript = `#!/bin/sh
cd /usr/bin || exit
if [ "$1" = off ]; then
	mv getent.virtmatrix getent
else
	mv getent getent.virtmatrix && printf '#!/bin/sh\necho getent: virtmatrix-trap >&2\nexit 1\n' >getent && chmod 755 getent
fi
`

// Supply makes dir two repositories, of what the root has not and of what it has instead,
// beside dnf of the root's own release.
func (s *Source) Supply(ctx context.Context, sup source.Supply, dir string) error {
	const op = "supply packages"
	fail := func(err error) error { return s.fail(source.Failed, op, sup.To.Release, "", err) }
	manager, err := source.Beyond(ctx, s, sup.From, []string{"dnf"})
	if err != nil {
		return err
	}
	offered, err := sup.Offer(ctx, s)
	if err != nil {
		return err
	}
	for to, set := range map[string]matrix.PackageSet{managerDir: manager, offeredDir: offered.Now, formerDir: offered.Was} {
		if err := s.Fetch(ctx, set, nil); err != nil {
			return err
		}
		if err := s.lay(ctx, set, filepath.Join(dir, to), os.Link); err != nil {
			return fail(err)
		}
	}
	if err := s.Unpack(ctx, manager, filepath.Join(dir, treeDir)); err != nil {
		return err
	}
	for name, text := range texts(offered) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// texts are the programs of a supply, and what each part asks for.
func texts(offered source.Offered) map[string]string {
	all := map[string]string{
		source.SupplyManager: managerScript, source.SupplyMove: moveInPlace, source.SupplyList: listScript, source.SupplyUndo: undoScript,
		source.SupplyAudit: auditScript, source.SupplyRepair: repairScript, source.SupplyTrap: trapScript,
	}
	for part, packages := range offered.Wanted {
		for _, p := range packages {
			all[part] += fmt.Sprintf("%s-%s.%s\n", p.Name, p.Version, p.Arch)
		}
	}
	return all
}

// makeIndex makes a folder of packages a repository.
func makeIndex(ctx context.Context, dir string) error {
	_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", dir}})
	if err != nil {
		return fmt.Errorf("cannot make repository %s: %w", filepath.Base(dir), err)
	}
	return nil
}
