package apt

import (
	"context"
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/move"
)

// moveScript has the root's own dpkg move it. Scripts are told to start no service, as in
// a container build (invoke-rc.d(8)). A package that asks about a file of its configuration
// gets the answer of who just presses Return: the file stays. What pre-depends on a package
// that comes with it is left out by dpkg, which does not order what it unpacks, and comes
// when that is configured, as package managers have it; a script that fails is not run again.
const moveScript = `of_root() {
	in_root sh -c "exec dpkg --force-unsafe-io --auto-deconfigure $* 2>&1" >said || moved=$?
	cat said
}
mkdir -p root/packages
cp "$files"/*.deb root/packages 2>/dev/null || true
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
if [ -n "$removed" ]; then in_root dpkg --force-depends --remove $removed || moved=$?; fi
set -- root/packages/*.deb
if [ -e "$1" ] && [ $moved = 0 ]; then
	of_root '--install /packages/*.deb'
	for pass in 1 2 3; do
		[ $moved != 0 ] && grep -q 'pre-dependency problem' said && ! grep -q 'script subprocess' said || break
		moved=0
		of_root --install $(sed -n 's,^dpkg: error processing archive \(/packages/[^ ]*\) .*,\1,p' said)
		[ $moved != 0 ] || of_root --configure --pending
	done
fi
[ $moved != 0 ] || in_root dpkg --audit || true`

const moveList = `in_root dpkg-query --show --showformat='${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n'`

// Move takes a throw-away root from one set to another.
func (s *Source) Move(ctx context.Context, m source.Move) (source.Moved, error) {
	const op = "move packages"
	changed, _ := move.Changes(m)
	if err := s.files.Ready(changed, op); err != nil {
		return source.Moved{}, err
	}
	r, err := move.Run(ctx, m, move.Manager{Move: moveScript, List: moveList, Files: s.files})
	if err != nil {
		return source.Moved{}, s.fail(source.Failed, op, m.To.Release, "", err)
	}
	moved := source.Moved{Log: r.Log, Output: r.Output}
	if r.Status != "0" {
		moved.Complaint = fmt.Sprintf("dpkg ends with status %s", r.Status)
	} else if strings.Contains(r.Said, "The following packages") { // of dpkg --audit
		moved.Complaint = "dpkg --audit finds packages that are not whole"
	} else if err := compareInstalled(m.To, r.Installed); err != nil {
		moved.Complaint = err.Error()
	}
	return moved, nil
}
