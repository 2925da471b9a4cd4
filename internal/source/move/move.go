// Package move takes a throw-away root from one set of packages to another. What is the
// same for all kinds of packages is here; how their manager is called comes from them.
package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Manager is how packages are moved. Both scripts run beside the root, which is ./root and
// "$top/root"; in_root runs a command in it.
type Manager struct {
	// Move changes the packages to the files of "$files", and takes "$removed" away first.
	// It sets moved to the status of what failed. What it prints becomes Result.Said.
	Move string
	// List prints what is installed.
	List string
	// Files are the package files in the cache.
	Files cache.Files
	// Home, if set, makes a folder the home of what is run.
	Home func(dir string) error
}

// Result is what came of a move.
type Result struct {
	// Status is that of the manager, Said what it printed, Installed the list.
	Status, Said, Installed string
	// Output is what the command afterwards printed, Log all complaints.
	Output, Log string
}

// Everything is written to a file system in memory that ends with the namespace, as does
// what a package's script starts.
const (
	begin = `image=$1 files=$2 top=$3 before=$4 after=$5 removed=$6
mount -t tmpfs -o mode=755,size=4g none "$top"
cd "$top"
mkdir root image upper work
mount -t squashfs -o ro,loop "$image" image
mount -t overlay -o lowerdir=image,upperdir=upper,workdir=work none root
mkdir -p root/proc root/sys root/dev root/run root/tmp
mount -t proc none root/proc
mount -t sysfs -o ro none root/sys
for d in dev run tmp; do mount -t tmpfs -o mode=1777 none root/$d; done
for n in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 root/dev/${n%:*} c 1 ${n#*:}; done
in_root() { PATH=/usr/sbin:/usr/bin chroot root "$@" </dev/null; }
[ -z "$before" ] || in_root sh -ec "$before"
moved=0
`
	middle = `
echo "@@moved $moved"
echo "@@installed"
`
	end = `
echo "@@after"
[ -z "$after" ] || in_root sh -c "$after"`
)

// Changes are the packages that a move installs, and the names of those that it removes.
func Changes(m source.Move) (changed matrix.PackageSet, removed []string) {
	changed = matrix.PackageSet{Source: m.To.Source, Release: m.To.Release}
	for _, d := range matrix.Differences(m.From, m.To) {
		if d.Way == matrix.Removed {
			removed = append(removed, d.Name)
		} else {
			changed.Packages = append(changed.Packages, d.Now)
		}
	}
	return changed, removed
}

// Run moves a root whose changed packages are in the cache.
func Run(ctx context.Context, m source.Move, by Manager) (r Result, err error) {
	dir, err := cache.Scratch(by.Files.Home, "move")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	changed, removed := Changes(m)
	files, root := filepath.Join(dir, "files"), filepath.Join(dir, "root")
	err = errors.Join(os.Mkdir(files, 0o755), os.Mkdir(root, 0o755))
	for _, p := range changed.Packages {
		err = errors.Join(err, os.Symlink(by.Files.Path(p), filepath.Join(files, p.Name+by.Files.Ext)))
	}
	env := []string{"TMPDIR=" + dir}
	if by.Home != nil {
		env, err = append(env, "HOME="+dir), errors.Join(err, by.Home(dir))
	}
	if err != nil {
		return r, err
	}
	// A file: both of what a program prints are written to it at once.
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return r, err
	}
	defer log.Close()
	script := begin + by.Move + middle + by.List + end
	out, _, err := tool.Run(ctx, tool.Command{
		Argv: []string{"unshare", "--net", "sh", "-ec", script, "move", m.Image, files, root, m.Before, m.After, strings.Join(removed, " ")},
		Log:  log, Isolated: true, Env: env,
	})
	if err != nil {
		return r, err
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		return r, err
	}
	r.Log = string(said)
	var rest string
	r.Said, rest, _ = strings.Cut(string(out), "@@moved ")
	r.Status, rest, _ = strings.Cut(rest, "\n@@installed\n")
	var complete bool
	if r.Installed, r.Output, complete = strings.Cut(rest, "@@after\n"); !complete {
		return r, fmt.Errorf("it ended without a word after: %.200s", out)
	}
	return r, nil
}
