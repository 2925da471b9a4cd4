package steps

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// What the root of QEMU's agent has besides programs.
const (
	// AgentUser logs in there, AgentZone is its time zone.
	AgentUser = "vmuser"
	AgentZone = "Asia/Kathmandu"
	// AgentData is where another file system is mounted.
	AgentData = "/data"
	// AgentHook, below l2.AgentRoot, is what the agent's hook wrote of its calls, and what
	// it does at the next ones is a script at AgentHookDoes.
	AgentHook     = "/run/hook"
	AgentHookDoes = "/run/hook.does"
)

// AgentPackages are what a host needs to make that root.
func AgentPackages() []string { return []string{"qemu-guest-agent", "passwd", "tzdata"} }

// agentRoot makes a root of what the agent needs and executes, as the release has it: a
// program with its libraries, PAM's modules and the configuration of users. What shuts the
// guest down and suspends it is ours, as there is no init to do it: shutdown tells its
// arguments on the console and asks the guest's init, and systemctl has the kernel suspend.
// Without systemctl an agent of 5.2 suspends nothing and says nothing (guest_suspend in
// qga/commands-posix.c), and libvirt waits for it without a limit.
const agentRoot = `set -e
root=%[1]s
cd /
mkdir -p $root/usr/bin $root/usr/sbin $root/usr/lib $root/usr/lib64 $root/dev $root/proc $root/sys $root/run $root/data $root/var $root/etc/qemu $root/home/%[2]s
cp -a bin sbin lib lib64 $root/
ln -s /run $root/var/run
put() {
  cp -L --parents $1 $root
  ldd $1 | grep -o '/[^ ]*' | while read -r library; do test -e $root$library || cp -L --parents $library $root; done
}
for program in qemu-ga sh chpasswd hwclock; do
  file=$(command -v $program) || continue
  put $file
done
test -e $root%[3]s || ln -s $(command -v qemu-ga) $root%[3]s
for module in $(find /usr/lib /usr/lib64 -path '*/security/pam_*.so') $(find /usr/lib /usr/lib64 -name 'libnss_files.so.2'); do put $module; done
for file in etc/os-release etc/passwd etc/group etc/shadow etc/login.defs etc/nsswitch.conf etc/pam.d etc/security usr/share/zoneinfo/%[4]s; do
  test ! -e $file || cp -aL --parents $file $root
done
ln -s /usr/share/zoneinfo/%[4]s $root/etc/localtime
echo '%[2]s:x:1234:1234::/home/%[2]s:/bin/sh' >>$root/etc/passwd
echo '%[2]s:x:1234:' >>$root/etc/group
echo '%[2]s:!:19000:0:99999:7:::' >>$root/etc/shadow
chown 1234:1234 $root/home/%[2]s
printf '[general]\nverbose=true\nfsfreeze-hook=/etc/qemu/fsfreeze-hook\n' >$root/etc/qemu/qemu-ga.conf
printf '#!/bin/sh\necho $1 >>%[5]s\ntest ! -e %[6]s || . %[6]s\n' >$root/etc/qemu/fsfreeze-hook
printf '#!/bin/sh\necho "shutdown $*" >/dev/console\ncase "$*" in *-r*) kill -TERM 1;; *) kill -USR2 1;; esac\n' >$root/usr/sbin/shutdown
printf '#!/bin/sh\ncase $1 in status) exit 3;; suspend) echo mem >/sys/power/state;; *) exit 1;; esac\n' >$root/usr/bin/systemctl
chmod 755 $root/etc/qemu/fsfreeze-hook $root/usr/sbin/shutdown $root/usr/bin/systemctl
mkfs.ext4 -q -F -d $root %[7]s %[8]dM
head -c %[9]dM /dev/zero >%[10]s
mkfs.ext4 -q -F -E nodiscard %[10]s`

// The sizes of the agent's file systems, in MiB. The second takes all of its room on the host.
const (
	agentRootMiB = 96
	agentDataMiB = 32
)

// AgentGuest is a guest in which QEMU's own agent of the host's release runs.
type AgentGuest struct {
	*Guest
	// Root and Data are the images of the agent's file systems.
	Root, Data string
}

// StartedWithQEMUAgent installs the check's add-ons and starts a guest with QEMU's agent. It
// returns when libvirt knows of the agent.
func (t *T) StartedWithQEMUAgent(opts ...domain.Option) (*Domain, *AgentGuest) {
	t.Install()
	t.Note("%s", t.Sh("qemu-ga --version"))
	folder, g := t.Scratch("root"), &AgentGuest{Root: t.Scratch("root.img"), Data: t.Scratch("data.img")}
	t.Sh(fmt.Sprintf(agentRoot, folder, AgentUser, l2.QEMUAgent, AgentZone, AgentHook, AgentHookDoes, g.Root, agentRootMiB, agentDataMiB, g.Data))
	var d *Domain
	d, g.Guest = t.Started(append([]domain.Option{domain.WithQEMUAgent(g.Root, map[string]string{path.Base(AgentData): g.Data})}, opts...)...)
	d.WaitAgent()
	return d, g
}

// In is the text of a file of the agent's root, as the guest reads it.
func (g *AgentGuest) In(file string) string { return g.LoadFile(l2.AgentRoot + file) }

// Put has the guest write a file of the agent's root.
func (g *AgentGuest) Put(file, text string) { g.StoreFile(l2.AgentRoot+file, text) }

// PutLater has the guest write a file of the agent's root while the check goes on. What it
// returns waits until the file is written.
func (g *AgentGuest) PutLater(file, text string) (wait func()) {
	return g.later("write "+file, func(ctx context.Context, c *l2.Client) error {
		return c.Store(ctx, l2.AgentRoot+file, []byte(text))
	})
}

// Over is the same guest over its channel: what waits there does not keep the console waiting.
func (g *AgentGuest) Over(d *Domain) *AgentGuest {
	over := d.Over("open the channel", func(d *libvirt.Domain, s *libvirt.Stream) error { return d.OpenChannel(l2.ChannelPort, s, 0) })
	return &AgentGuest{Guest: over, Root: g.Root, Data: g.Data}
}

// Signal sends the agent a signal; one that is killed has ended then. By 0 it is started.
func (g *AgentGuest) Signal(signal syscall.Signal) {
	g.ask(guestAnswer, fmt.Sprintf("send signal %d to its agent", signal), func(ctx context.Context, c *l2.Client) error {
		return c.SignalQEMUAgent(ctx, signal)
	})
}

// login is the record that login(1) makes (utmp(5), of x86-64).
type login struct {
	Type, _    int16
	PID        int32
	Line       [32]byte
	ID         [4]byte
	User       [32]byte
	Host       [256]byte
	Exit       [2]int16
	Session    int32
	Sec, Micro int32
	Address    [4]int32
	_          [20]byte
}

// userProcess is the type of a login that lasts.
const userProcess = 7

func newLogin(user string, since time.Time) []byte {
	r := login{Type: userProcess, PID: 1, Sec: int32(since.Unix())}
	copy(r.Line[:], "tty1")
	copy(r.ID[:], "1")
	copy(r.User[:], user)
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, r) // to memory
	return b.Bytes()
}

// LogIn has the agent's user be logged in since a time.
func (g *AgentGuest) LogIn(since time.Time) { g.Put("/run/utmp", string(newLogin(AgentUser, since))) }

// AgentStatus is what the agent says of its file systems: "frozen" or "thawed".
func (d *Domain) AgentStatus() string {
	return d.t.VirshSays("qemu-agent-command " + d.Name + ` '{"execute":"guest-fsfreeze-status"}' | tr -d '\n' | sed 's/.*"return":"\([a-z]*\)".*/\1/'`)
}

// OnImage is what debugfs(8) says of an image with an ext4, once its journal has been written
// back. No guest may use it.
func (t *T) OnImage(image, command string) string {
	t.Run("e2fsck -fy " + host.Quote(image)) // tells by its status what it mended
	return t.Sh("debugfs -R " + host.Quote(command) + " " + host.Quote(image) + " 2>/dev/null")
}
