package steps

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// l1Log is a file or the output of a command in L1 that belongs to evidence.
type l1Log struct{ name, command string }

// KeepLog adds the output of a command in L1 to the evidence of a failure.
func (t *T) KeepLog(name, command string) { t.logs = append(t.logs, l1Log{name, command}) }

// KeepFile adds a file of L0 to the evidence of a failure.
func (t *T) KeepFile(path string) { t.files = append(t.files, path) }

// KeepText adds a text to the evidence of a failure.
func (t *T) KeepText(name, text string) { t.texts[name] = text }

// MaxEvidence bounds one file of evidence, in bytes.
const MaxEvidence = 2 << 20

// collectLimit bounds how long a host may take to hand its evidence out, and
// describeLimit how long libvirt may take to describe a guest, at scale 1: a daemon
// that hangs must not cost the other evidence.
const (
	collectLimit  = time.Minute
	describeLimit = 20 * time.Second
)

// Evidence writes what the hosts tell of the attempt into a folder. What cannot be
// had is said there; it never changes a verdict. Nobody waits for hosts after ctx.
func (t *T) Evidence(ctx context.Context, dir string) {
	for name, text := range t.texts {
		KeepEvidence(dir, name, []byte(text))
	}
	for _, f := range t.files {
		if b, err := os.ReadFile(f); err == nil {
			KeepEvidence(dir, filepath.Base(f), b)
		}
	}
	for i, s := range t.sessions {
		prefix := ""
		if i > 0 {
			prefix = fmt.Sprintf("host%d-", i)
		}
		t.view(s).hostEvidence(ctx, func(name string, content []byte) { KeepEvidence(dir, prefix+name, content) })
	}
}

func (t *T) hostEvidence(ctx context.Context, keep func(name string, content []byte)) {
	vm := t.s.Host
	if text, err := vm.Console().Since(t.s.consoleAt); err == nil {
		keep("l1-console.log", text)
	}
	for _, f := range []string{host.EmulatorFile, host.QMPFile} {
		if b, err := os.ReadFile(filepath.Join(vm.LogDir(), f)); err == nil {
			keep(f, b)
		}
	}
	if vm.Alive() != nil || ctx.Err() != nil {
		return // it cannot tell, or nobody waits for it
	}
	if r, ok := vm.(Registered); ok && (t.silent || len(t.stalls()) > 0) {
		text, err := r.Registers(ctx)
		if err != nil {
			text = cannotBeHad(err)
		}
		keep("l1-registers.txt", []byte(text))
	}
	ctx, cancel := context.WithTimeout(ctx, t.Limit(collectLimit))
	defer cancel()
	for _, l := range t.l1Logs() {
		res, err := vm.Exec(ctx, l.command+" 2>&1 | tail -c "+fmt.Sprint(MaxEvidence))
		if err != nil {
			keep(l.name, []byte(cannotBeHad(err)))
			break // a host that does not answer once will not answer ten times
		}
		if len(res.Stdout) > 0 {
			keep(l.name, res.Stdout)
		}
	}
}

// cannotBeHad stands for evidence that there is none of.
func cannotBeHad(err error) string { return "cannot be had: " + err.Error() + "\n" }

// KeepEvidence writes one file of evidence, the end of it when it is large.
func KeepEvidence(dir, name string, content []byte) {
	if len(content) > MaxEvidence {
		content = content[len(content)-MaxEvidence:]
	}
	_ = os.WriteFile(filepath.Join(dir, name), content, 0o644)
}

// l1Logs is what L1 is asked for after a failure.
func (t *T) l1Logs() []l1Log {
	logs := []l1Log{
		{"dmesg.log", "dmesg"},
		{"daemons.log", "tail -n +1 /var/log/virtmatrix/*.log"},
		{"processes.txt", "ps axww -o pid,ppid,stat,etime,time,args"},
	}
	virsh := fmt.Sprintf("timeout %d virsh -c %s ", int(t.Limit(describeLimit).Seconds()), t.URI())
	for _, g := range t.guests {
		if g.t.s != t.s {
			continue
		}
		logs = append(logs, l1Log{g.Name + "-console.log", "cat " + host.Quote(g.log)})
		if g.Domain == nil {
			continue
		}
		logs = append(logs,
			l1Log{g.Name + "-domain.xml", virsh + "dumpxml " + g.Name},
			l1Log{g.Name + "-command-line.log", "cat /var/log/libvirt/qemu/" + g.Name + ".log /var/log/libvirt/libxl/" + g.Name + ".log 2>/dev/null"})
	}
	if t.Kind() == matrix.Xen {
		logs = append(logs, l1Log{"xl-dmesg.log", "xl dmesg"}, l1Log{"xl-list.txt", "xl list"},
			l1Log{"xen-logs.log", "tail -n +1 /var/log/xen/*.log"},
			l1Log{"libxl-driver.log", "cat /var/log/libvirt/libxl/libxl-driver.log"})
	}
	return append(logs, t.logs...)
}
