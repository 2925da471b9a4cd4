package dnf

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

// moveScript moves the root of an image, $1, with the packages whose files $2 lists, in a
// root of its own below the folder $3. Everything is written to a file system in memory
// that ends with the namespace, as does what a scriptlet starts. No systemd runs: scriptlets
// start no service. $4 and $5 are commands before and after, $6 what is removed first, $7
// how packages are named by what is in them. A package of the same version is another file.
const moveScript = `mount -t tmpfs -o mode=755,size=4g none "$3"
cd "$3"
top=$3/root
mkdir root image upper work
mount -t squashfs -o ro,loop "$1" image
mount -t overlay -o lowerdir=image,upperdir=upper,workdir=work none root
mkdir -p root/proc root/sys root/dev root/run root/tmp
mount -t proc none root/proc
mount -t sysfs -o ro none root/sys
for d in dev run tmp; do mount -t tmpfs -o mode=1777 none root/$d; done
for n in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 root/dev/${n%:*} c 1 ${n#*:}; done
in_root() { chroot root "$@" </dev/null; }
of_root() { rpm --root "$top" "$@" </dev/null; }
[ -z "$4" ] || in_root sh -ec "$4"
moved=0
if [ -n "$6" ]; then of_root --erase --nodeps --noplugins $6 || moved=$?; fi
if [ -s "$2" ] && [ $moved = 0 ]; then
	of_root --upgrade --oldpackage --replacepkgs --noplugins --excludedocs --nosignature "$2" || moved=$?
fi
[ $moved != 0 ] || of_root --verify --all --nofiles --noscripts --nosignature || true
echo "@@moved $moved"
echo "@@installed"
of_root --query --all --nosignature --queryformat "$7"
echo "@@after"
[ -z "$5" ] || in_root sh -c "$5"`

// Move takes a throw-away root from one set to another, with the rpm of this machine: the
// roots of hosts need have none.
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
	manifest, root := filepath.Join(dir, "manifest"), filepath.Join(dir, "root")
	err = errors.Join(os.Mkdir(root, 0o755), home(dir, "/var/lib/rpm"), os.WriteFile(manifest, []byte(strings.Join(s.paths(changed), "\n")), 0o644))
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
		Argv: []string{"unshare", "--net", "sh", "-ec", moveScript, "move", m.Image, manifest, root, m.Before, m.After, strings.Join(removed, " "), headerDigest},
		Log:  log, Isolated: true, Env: []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
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
	moved := source.Moved{Log: strings.ReplaceAll(string(said), noise, ""), Output: after}
	moved.Complaint, err = s.complaint(ctx, m.To, code, before, moved.Log, installed)
	if err != nil {
		return fail(err)
	}
	return moved, nil
}

// complaint says what went wrong with a move; empty if nothing did. A scriptlet that
// fails is no error to rpm.
func (s *Source) complaint(ctx context.Context, to matrix.PackageSet, code, verified, said, installed string) (string, error) {
	failed := scriptlets(said)
	switch {
	case code != "0":
		return "rpm ends with status " + code, nil
	case len(failed) > 0:
		return strings.Join(failed, ", "), nil
	case strings.Contains(verified, "Unsatisfied dependencies"):
		return "rpm finds packages without what they need: " + strings.Join(strings.Fields(verified), " "), nil
	}
	want, err := s.headers(ctx, to)
	if err != nil {
		return "", err
	}
	if err := compareInstalled(want, sortedHeaders(installed)); err != nil {
		return err.Error(), nil
	}
	return "", nil
}
