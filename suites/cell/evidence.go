package cell

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

// maxEvidence bounds one file of a bundle, in bytes.
const maxEvidence = 2 << 20

// collectLimit bounds how long the host may take to hand its evidence out.
const collectLimit = time.Minute

// describeLimit bounds how long libvirt may take to describe a guest, at scale 1:
// a daemon that hangs must not cost the other evidence.
const describeLimit = 20 * time.Second

// collect writes the evidence of an attempt and returns its folder within the
// run. What cannot be had is said in the bundle; it never changes a verdict.
func (t *T) collect(ctx context.Context, cause error) string {
	dir, name, err := t.evidenceDir()
	if err != nil {
		return ""
	}
	if cause != nil {
		keep(dir, "reason.txt", []byte(cause.Error()+"\n"))
	}
	for _, f := range t.files {
		if b, err := os.ReadFile(f); err == nil {
			keep(dir, filepath.Base(f), b)
		}
	}
	vm := t.vm
	if vm == nil {
		t.keepLastBoot(dir)
		return name
	}
	if text, err := vm.Console().Since(t.consoleAt); err == nil {
		keep(dir, "l1-console.log", text)
	}
	for _, f := range []string{host.EmulatorFile, host.QMPFile} {
		if b, err := os.ReadFile(filepath.Join(vm.LogDir(), f)); err == nil {
			keep(dir, f, b)
		}
	}
	if vm.Alive() != nil || ctx.Err() != nil {
		return name // it cannot tell, or nobody waits for it
	}
	if r, ok := vm.(Registered); ok && (t.silent || len(t.stalls()) > 0) {
		text, err := r.Registers(ctx)
		if err != nil {
			text = cannotBeHad(err)
		}
		keep(dir, "l1-registers.txt", []byte(text))
	}
	ctx, cancel := t.Within(ctx, collectLimit)
	defer cancel()
	for _, l := range t.l1Logs() {
		res, err := vm.Exec(ctx, l.command+" 2>&1 | tail -c "+fmt.Sprint(maxEvidence))
		if err != nil {
			keep(dir, l.name, []byte(cannotBeHad(err)))
			break // a host that does not answer once will not answer ten times
		}
		if len(res.Stdout) > 0 {
			keep(dir, l.name, res.Stdout)
		}
	}
	return name
}

// cannotBeHad stands for evidence that there is none of.
func cannotBeHad(err error) string { return "cannot be had: " + err.Error() + "\n" }

// keepLastBoot keeps the console of a host that never came up.
func (t *T) keepLastBoot(dir string) {
	last := t.cell.folder(fmt.Sprintf("host-%d", t.cell.booted))
	for _, f := range []string{host.ConsoleFile, host.EmulatorFile, host.QMPFile} {
		if b, err := os.ReadFile(filepath.Join(last, f)); err == nil {
			keep(dir, "l1-"+f, b)
		}
	}
}

func keep(dir, name string, content []byte) {
	if len(content) > maxEvidence {
		content = content[len(content)-maxEvidence:]
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
		logs = append(logs, l1Log{g.Name + "-console.log", "cat " + host.Quote(g.log)})
		if g.bare {
			continue
		}
		logs = append(logs,
			l1Log{g.Name + "-domain.xml", virsh + "dumpxml " + g.Name},
			l1Log{g.Name + "-command-line.log", "cat /var/log/libvirt/qemu/" + g.Name + ".log /var/log/libvirt/libxl/" + g.Name + ".log 2>/dev/null"})
	}
	if t.Kind() == matrix.Xen {
		logs = append(logs, l1Log{"xl-dmesg.log", "xl dmesg"}, l1Log{"xl-list.txt", "xl list"},
			l1Log{"libxl-driver.log", "cat /var/log/libvirt/libxl/libxl-driver.log"})
	}
	return append(logs, t.logs...)
}
