package steps

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Mishap is what befalls an update in its middle, as a command of L1. $session has the
// processes of the package manager, and $place is the folder of the packages.
type Mishap string

// The mishaps.
const (
	// Killed is the end of the package manager, with all that it started.
	Killed Mishap = "pkill -KILL -s $session"
	// PowerCut is the end of everything but who asks for it, as far as a container has it:
	// what was written stays written. At boot /run is empty.
	PowerCut Mishap = `pkill -KILL -s $session; p=$$; keep=" $$ "
while [ "$p" -gt 1 ]; do p=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$p/status); keep="$keep$p "; done
for p in /proc/[0-9]*; do p=${p#/proc/}; case "$keep" in *" $p "*) ;; *) kill -KILL $p;; esac; done 2>/dev/null
rm -rf /run/libvirt; echo 137 >$log.done`
	// Vanished is the end of a repository that packages are read from in place.
	Vanished Mishap = "mv $place $place.away"
)

// Tried is how an update ended that need not go well.
type Tried struct {
	Status int
	Said   string
	// InTime says that the mishap came before its end.
	InTime bool
}

// befallen runs the command $move in a session of its own, and has the mishap happen as
// soon as there is another file at the place of $program, which ends the waiting. While a new
// C library is unpacked no program starts, and stat says nothing.
const befallen = `log=%[1]s place=%[2]s program=%[3]s
rm -f $log.*; old=$(stat -c %%i $program)
( SUPPLY=$place setsid sh -c 'echo $$ >'$log'.session; exec %[4]s' >$log.log 2>&1; echo $? >$log.done ) &
until new=$(stat -c %%i $program 2>/dev/null); [ -e $log.done ] || [ "${new:-$old}" != "$old" ]; do sleep 0.01; done
[ -e $log.done ] && echo over || echo in time
session=$(cat $log.session)
%[5]s
until [ -e $log.done ]; do sleep 0.05; done
cat $log.done $log.log`

// TryUpdate has the package manager move all, with a mishap once it has replaced a program.
// An empty one is none.
func (t *T) TryUpdate(program string, m Mishap) Tried {
	t.bringManager()
	t.met = t.DaemonPID()
	place, move := host.PackagesDir, supplied(source.SupplyMove)+" "+string(matrix.Libvirt)+" "+string(matrix.QEMU)
	if m == Vanished {
		place = t.Scratch("packages")
		t.RemoveAfter(place + ".away")
		t.Sh("cp -a " + host.PackagesDir + " " + place)
	}
	if m == "" {
		res := t.RunWithin(updateLimit, move+" 2>&1")
		t.KeepText("tried-update.log", string(res.Stdout))
		return Tried{Status: res.Code, Said: string(res.Stdout)}
	}
	res := t.RunWithin(updateLimit, fmt.Sprintf(befallen, "/run/virtmatrix-move", place, program, move, m))
	t.KeepText("tried-update.log", string(res.Stdout))
	when, rest, _ := strings.Cut(string(res.Stdout), "\n")
	code, said, _ := strings.Cut(rest, "\n")
	tried := Tried{Said: said, InTime: when == "in time"}
	if _, err := fmt.Sscan(code, &tried.Status); err != nil || !res.OK() {
		t.must(fault.Infraf("try an update", "it ends with status %d and says %s", res.Code, console.Tail([]byte(res.Text()), 20)), "")
	}
	return tried
}

// Audit is what the package manager says that is not whole; empty where all is.
func (t *T) Audit() string {
	return strings.TrimSpace(t.RunWithin(updateLimit, supplied(source.SupplyAudit)).Text())
}

// RepairPackages has the package manager do what its manual has for an installation that
// was cut off, once more if it has to, and starts what then does not run any more.
func (t *T) RepairPackages() {
	for try := 1; ; try++ {
		res := t.RunWithin(updateLimit, supplied(source.SupplyRepair)+" 2>&1")
		t.KeepText(fmt.Sprintf("repair-%d.log", try), string(res.Stdout))
		if res.OK() {
			break
		}
		if try == 2 {
			t.Fail(matrix.LayerDelivery, "the package manager cannot repair what was cut off: status %d:\n%s", res.Code, console.Tail(res.Stdout, 20))
		}
		t.Note("the first repair fails: %s", console.Tail(res.Stdout, 3))
	}
	ours := t.startLibvirt()
	if t.meetDaemon(t.met) {
		t.s.foreign = !ours
	}
	t.met = t.DaemonPID()
}

// SetTrap has a script of the packages that move fail from now on.
func (t *T) SetTrap() {
	t.bringManager()
	t.Sh(supplied(source.SupplyTrap))
}

// ReleaseTrap ends that.
func (t *T) ReleaseTrap() { t.Sh(supplied(source.SupplyTrap) + " off") }

// LimitDisk puts what is below a folder on a disk of its own that has room for so many MiB
// more. FreeDisk gives it room.
func (t *T) LimitDisk(folder string, mib int) {
	t.bringManager()
	t.Sh(fmt.Sprintf(`mkdir -p %[1]s && mount -t tmpfs -o mode=755,size=4g limited %[1]s && cp -a %[2]s/. %[1]s &&
mount -o remount,size=$(($(df --output=used -k %[1]s | tail -n 1) + %[3]d * 1024))k %[1]s && mount --bind %[1]s %[2]s`, limited, folder, mib))
}

// FreeDisk ends what LimitDisk began.
func (t *T) FreeDisk() { t.Sh("mount -o remount,size=4g " + limited) }

// limited is where the disk of LimitDisk is mounted first.
const limited = "/mnt/limited"
