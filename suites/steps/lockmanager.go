package steps

import (
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// LockManager is virtlockd, which holds a lock on each image of a guest that runs
// (https://libvirt.org/kbase/locking-lockd.html).
type LockManager struct {
	t   *T
	pid string
}

// lockDaemon is the lock manager's daemon.
const lockDaemon = "virtlockd"

// lockDaemonLimit is how long the daemon may take to answer, at scale 1.
const lockDaemonLimit = 10 * time.Second

// LockManager has libvirt lock the images of guests until the check is over.
func (t *T) LockManager() *LockManager {
	d, err := t.Layout().Daemon(lockDaemon)
	t.must(err, "find the lock manager")
	m := &LockManager{t, t.Sh(fmt.Sprintf("setsid %s >>%s 2>&1 </dev/null & echo $!", d.Path, agent.ServiceLog(d.Name)))}
	t.Cleanup(func() { t.Run("kill " + m.pid + "; rm -f " + d.Socket) })
	t.Until(lockDaemonLimit, d.Name+" listens", func() bool { return t.Exists(d.Socket) })
	t.Configure(t.Layout().LibvirtConfig+"/qemu.conf", "lock_manager = \"lockd\"\n")
	return m
}

// Holds says whether the lock manager has a lock on an image, as the kernel lists it
// (proc_locks(5)).
func (m *LockManager) Holds(image string) bool {
	const held = `$2 == "POSIX" && $4 == "WRITE" && $5 == pid && $6 ~ (":" inode "$")`
	return m.t.Sh(fmt.Sprintf(`awk -v pid=%s -v inode=$(stat -c %%i %s) '%s' /proc/locks`, m.pid, host.Quote(image), held)) != ""
}

// Reload has the daemon execute its program anew, and says whether it is there then.
func (m *LockManager) Reload() (there bool) { return m.t.Reexecute(lockDaemon, m.pid) }

// lockAs locks the first byte of a file as virtlockd does (virLockSpaceAcquireResource), and says
// whether it could.
const lockAs = `$| = 1; open F, "+<", $ARGV[0] or die $!; $lock = pack "s s x4 q q l x4", 1, 0, 0, 1, 0; print fcntl(F, 6, $lock) ? "held" : $!{EAGAIN} ? "refused" : die $!; sleep`

// LockElsewhere locks an image as the lock manager of another host does, on storage that both
// see, and says whether it got the lock. What it returns gives the lock back.
func (m *LockManager) LockElsewhere(image string) (got bool, release func()) {
	said := m.t.Scratch("lock")
	pid := m.t.Sh(fmt.Sprintf("perl -e %s %s >%s 2>&1 </dev/null & echo $!", host.Quote(lockAs), host.Quote(image), said))
	release = func() { m.t.Run("kill " + pid + " && timeout 10 tail --pid=" + pid + " -f /dev/null") }
	m.t.Cleanup(release)
	m.t.Until(lockDaemonLimit, "another host is told of its lock", func() bool { return m.t.Run("test -s " + said).OK() })
	switch text := m.t.Sh("cat " + said); text {
	case "held", "refused":
		return text == "held", release
	default:
		m.t.must(fault.Infraf("lock an image as another host does", "%s", text), "")
		return false, release
	}
}
