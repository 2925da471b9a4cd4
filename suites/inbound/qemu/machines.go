package qemu

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// machineInfo is a MachineInfo of query-machines (qapi/machine.json).
type machineInfo struct {
	Name       string `json:"name"`
	Alias      string `json:"alias"`
	Deprecated bool   `json:"deprecated"`
}

// Each machine is started far enough that its devices are made, asked what it is, and
// told to quit.
var _ = check.Register("IQ-MACH", check.Spec{
	Asserts:  "Every machine type that the emulator lists starts and quits",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "a machine type that does not start", `case "$*" in *"-m 16 -machine pc-q35-"*) echo "unsupported machine type" >&2; exit 1;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	infos := machines(t)
	t.Expect(helpNames(t.Sh(t.Program(layout.Emulator)+" -machine help"))).To(ConsistOf(machineNames(infos)), "the names of -machine help, and of query-machines")

	var names []string
	for _, m := range infos {
		if reason := unstartable(m.Name); reason != "" {
			t.Note("%s was not started: %s", m.Name, reason)
			continue
		}
		names = append(names, m.Name)
	}
	slices.Sort(names)
	t.Expect(names).To(ContainElement(t.Machine()), "the machine of the cell's guests")
	t.Note("machines: %d listed, %d started", len(infos), len(names))
	var lines []string
	for _, name := range names {
		lines = append(lines, name+" /machine -m 16 -machine "+name)
	}
	t.Expect(startEach(t, "machines", "-machine", lines)).To(BeEmpty(), "the machines that did not start and quit")
})

// machines are those that the emulator lists.
func machines(t *steps.T) (infos []machineInfo) {
	q := t.StartQEMU("-machine", "none")
	q.Do("query-machines", nil, &infos)
	q.Quit()
	return infos
}

// machineNames are all names that a machine can be asked for by.
func machineNames(infos []machineInfo) []string {
	var names []string
	for _, m := range infos {
		names = append(names, m.Name)
		if m.Alias != "" {
			names = append(names, m.Alias)
		}
	}
	return names
}

// helpNames reads the names off a list for people: the first word of each line
// but the title.
func helpNames(help string) []string {
	var names []string
	for _, line := range strings.Split(help, "\n")[1:] {
		if words := strings.Fields(line); len(words) > 0 {
			names = append(names, words[0])
		}
	}
	return names
}

// unstartable says why a machine cannot start by itself on this host; empty
// when it can.
func unstartable(machine string) string {
	switch {
	case strings.HasPrefix(machine, "xen"):
		return "it needs Xen underneath"
	case machine == "nitro-enclave":
		return "it needs an enclave image and the device of vhost-vsock"
	case machine == "nitro":
		return "it needs huge pages and the device of Nitro Enclaves"
	}
	return ""
}

const (
	startLimit = 2 * time.Minute
	// timedOut is how timeout(1) ends when it had to kill.
	timedOut = 124
)

// startScript has an emulator start without running a guest, by a thing's name, the object
// that proves it and more arguments, and writes what came of it to files with that name. The
// input is a pipe that the emulator itself holds open: at its end, QMP would drop what is
// not done.
func startScript(emulator string, limit time.Duration) string {
	return fmt.Sprintf(`cd "$(dirname "$0")"
name=$1 object=$2; shift 2
mkfifo "$name.in"
exec 3<>"$name.in"
printf '%%s\n' '{"execute": "qmp_capabilities"}' \
	'{"execute": "qom-get", "arguments": {"path": "'"$object"'", "property": "type"}}' \
	'{"execute": "quit"}' >&3
timeout %d %s -S -nodefaults -no-user-config -display none "$@" -qmp stdio <&3 3>&- >"$name.out" 2>"$name.err"
echo "$name $?" >"$name.code"
`, int(limit.Seconds()), emulator)
}

// started is what came of a thing.
type started struct {
	name     string
	code     int
	out, err string
}

// startEach starts an emulator for each line, see startScript, two at a time: as many as
// a host has processors. It returns what was wrong: whether each thing started, is of the
// type of its name with a suffix, and quit.
func startEach(t *steps.T, things, suffix string, lines []string) (bad []string) {
	dir := t.Scratch(things)
	t.Sh("mkdir -p " + dir)
	t.Put(dir+"/start", startScript(t.Emulator(), t.Limit(startLimit)))
	t.Put(dir+"/lines", strings.Join(lines, "\n")+"\n")
	t.KeepLog(things+".txt", "cd "+dir+" && tail -n +1 *.code *.out *.err")
	t.RunWithin(30*time.Minute, "xargs -L 1 -P 2 sh "+dir+"/start <"+dir+"/lines")
	said := t.Sh("cd " + dir + " && for m in $(cut -d' ' -f1 lines); do echo; echo \"@@ $(cat $m.code)\"; cat $m.out; echo '@@@'; cat $m.err; done")
	for _, s := range readStarted(said) {
		if why := s.trouble(suffix); why != "" {
			bad = append(bad, s.name+" "+why)
		}
		if s.code == timedOut {
			t.TookTooLong("%s did not quit in %s", s.name, t.Limit(startLimit))
		}
	}
	return bad
}

var startedHeader = regexp.MustCompile(`(?m)^@@ (\S+) (\d+)$`)

// readStarted reads the files of all that was started as startEach prints them.
func readStarted(text string) []started {
	var all []started
	heads := startedHeader.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		out, errs, _ := strings.Cut(text[h[1]:end], "@@@")
		code, _ := strconv.Atoi(text[h[4]:h[5]]) // digits, by the expression
		all = append(all, started{text[h[2]:h[3]], code, strings.TrimSpace(out), strings.TrimSpace(errs)})
	}
	return all
}

// trouble says what was wrong; empty for nothing. A thing proves itself by its type, and
// its end by the status.
func (s started) trouble(suffix string) string {
	typ := `"return": "` + s.name + suffix + `"`
	switch {
	case s.code != 0:
		return fmt.Sprintf("ended with status %d: %s", s.code, s.err)
	case !strings.Contains(s.out, typ):
		return fmt.Sprintf("does not say %s: %s", typ, s.out)
	case !strings.Contains(s.out, `"SHUTDOWN"`):
		return "did not announce its end: " + s.out
	}
	return ""
}
