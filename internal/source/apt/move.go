package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// moveScript moves the root of an image, $1, with the packages in the folder $2, in a
// root of its own below the folder $3. Everything is written to a file system in memory
// that ends with the namespace, as does what a package's script starts. Scripts are told
// to start no service, as in a container build (invoke-rc.d(8)). A package that asks about
// a file of its configuration gets the answer of who just presses Return: the file
// stays. $4 and $5 are commands before and after, $6 what is removed first.
const moveScript = `mount -t tmpfs -o mode=755,size=4g none "$3"
cp "$2"/*.deb "$3" 2>/dev/null || true
cd "$3"
mkdir root image upper work
mount -t squashfs -o ro,loop "$1" image
mount -t overlay -o lowerdir=image,upperdir=upper,workdir=work none root
mkdir -p root/packages root/proc root/sys root/dev root/run root/tmp
find . -maxdepth 1 -name '*.deb' -exec mv {} root/packages \;
mount -t proc none root/proc
mount -t sysfs -o ro none root/sys
for d in dev run tmp; do mount -t tmpfs -o mode=1777 none root/$d; done
for n in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 root/dev/${n%:*} c 1 ${n#*:}; done
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
in_root() { PATH=/usr/sbin:/usr/bin chroot root "$@" </dev/null; }
[ -z "$4" ] || in_root sh -ec "$4"
moved=0
if [ -n "$6" ]; then in_root dpkg --force-depends --remove $6 || moved=$?; fi
set -- "$5" root/packages/*.deb
if [ -e "$2" ] && [ $moved = 0 ]; then
	in_root sh -c 'exec dpkg --force-unsafe-io --auto-deconfigure --install /packages/*.deb' || moved=$?
fi
[ $moved != 0 ] || in_root dpkg --audit || true
echo "@@moved $moved"
echo "@@installed"
in_root dpkg-query --show --showformat='${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n'
echo "@@after"
[ -z "$1" ] || in_root sh -c "$1"`

// Move takes a throw-away root from one set to another.
func (s *Source) Move(ctx context.Context, m source.Move) (source.Moved, error) {
	const op = "move packages"
	changed := matrix.PackageSet{Source: Kind, Release: m.To.Release}
	var removed []string
	for _, d := range matrix.Differences(m.From, m.To) {
		if d.Way == matrix.Removed {
			removed = append(removed, d.Name)
		} else {
			changed.Packages = append(changed.Packages, d.Now)
		}
	}
	fail := func(err error) (source.Moved, error) {
		return source.Moved{}, s.fail(source.Failed, op, m.To.Release, "", err)
	}
	if err := s.files.Ready(changed, op); err != nil {
		return source.Moved{}, err
	}
	dir, err := os.MkdirTemp(filepath.Join(s.opts.Home, "packages"), ".move-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	debs, root := filepath.Join(dir, "debs"), filepath.Join(dir, "root")
	err = errors.Join(os.Mkdir(debs, 0o755), os.Mkdir(root, 0o755))
	for _, p := range changed.Packages {
		err = errors.Join(err, os.Symlink(s.files.Path(p), filepath.Join(debs, p.Name+".deb")))
	}
	if err != nil {
		return fail(err)
	}
	// A file: both of what a program prints are written to it at once.
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	out, _, err := tool.Run(ctx, tool.Command{
		Argv: []string{"unshare", "--net", "sh", "-ec", moveScript, "move", m.Image, debs, root, m.Before, m.After, strings.Join(removed, " ")},
		Log:  log, Isolated: true,
	})
	if err != nil {
		return fail(err)
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		return fail(err)
	}
	before, rest, _ := strings.Cut(string(out), "@@moved ")
	code, rest, _ := strings.Cut(rest, "\n@@installed\n")
	installed, after, complete := strings.Cut(rest, "@@after\n")
	if !complete {
		return fail(fmt.Errorf("it ended without a word after: %.200s", out))
	}
	moved := source.Moved{Log: string(said), Output: after}
	if code != "0" {
		moved.Complaint = fmt.Sprintf("dpkg ends with status %s", code)
	} else if strings.Contains(before, "The following packages") { // of dpkg --audit
		moved.Complaint = "dpkg --audit finds packages that are not whole"
	} else if err := compareInstalled(m.To, installed); err != nil {
		moved.Complaint = err.Error()
	}
	return moved, nil
}
