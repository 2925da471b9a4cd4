package steps

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"golang.org/x/sync/errgroup"
	"libvirt.org/go/libvirt"
)

// Native is a domain as libvirt would have the emulator started: a command line as a
// shell reads it.
type Native struct{ Name, Line string }

// TryNative has libvirt write the command line of a domain.
func (c *Connection) TryNative(xml string) (line string, err error) {
	err = c.t.Try("write the native form of a domain", func() (err error) {
		line, err = c.Raw.DomainXMLToNative("qemu-argv", xml, 0)
		return err
	})
	return strings.TrimSpace(line), err
}

// startsBesides is how many domains are started at once: libvirt sleeps for most of
// what a start and an end take.
const startsBesides = 4

// TryCreates starts domains that stand still, ends them, and returns libvirt's refusals
// by their places. Several run at once; what is refused then is tried again alone, for
// those beside it may have had its port or its image.
func (c *Connection) TryCreates(docs []string) []error {
	refused := make([]error, len(docs))
	op := fmt.Sprintf("start %d domains that stand still", len(docs))
	_ = c.t.tryWithin(callLimit*time.Duration(len(docs)/startsBesides+1), op, func() error {
		var all errgroup.Group
		all.SetLimit(startsBesides)
		for i, doc := range docs {
			all.Go(func() error {
				refused[i] = c.startAndEnd(doc)
				return nil
			})
		}
		return all.Wait()
	})
	for i, doc := range docs {
		if refused[i] != nil {
			refused[i] = c.t.Try("start a domain that stands still", func() error { return c.startAndEnd(doc) })
		}
	}
	return refused
}

// startAndEnd starts a domain that stands still and ends it.
func (c *Connection) startAndEnd(xml string) error {
	d, err := c.Raw.DomainCreateXML(xml, libvirt.DOMAIN_START_PAUSED)
	if err != nil {
		return err
	}
	defer d.Free()
	return d.Destroy()
}

// nativeLimit bounds how long an emulator may take to read its command line, at scale 1.
const nativeLimit = 20 * time.Second

// Unread starts the cell's emulator with each command line, up to where its monitor
// answers. It returns, by name, how those ended that got nowhere near. Lines that differ
// in a guest's name alone are one question. Two emulators run at once; what does not get
// there is tried again alone, each line for itself, and only that counts: an emulator
// beside it may have had its port.
func (t *T) Unread(natives []Native) map[string]agent.Result {
	dir := t.Scratch("natives")
	t.Sh("mkdir -p " + dir)
	t.KeepLog("command-lines.sh", "cat "+dir+"/run")
	t.KeepLog("command-lines.txt", "cat "+dir+"/said")
	first := t.unread(dir, lanes(distinct(natives)))
	bad := map[string]bool{}
	for _, n := range natives {
		if _, refused := first[n.Name]; refused {
			bad[question(n.Line)] = true
		}
	}
	again := slices.DeleteFunc(slices.Clone(natives), func(n Native) bool { return !bad[question(n.Line)] })
	if len(again) == 0 {
		return nil
	}
	return t.unread(dir, [][]Native{again})
}

// unread tries lines, each lane's one after the other, and the lanes side by side.
func (t *T) unread(dir string, lanes [][]Native) map[string]agent.Result {
	t.Put(dir+"/run", nativeScript(dir, lanes, t.Limit(nativeLimit)))
	long := 1
	for _, lane := range lanes {
		long = max(long, len(lane)+1)
	}
	said := t.RunWithin(nativeLimit*time.Duration(long), "sh "+dir+"/run >"+dir+"/said; cat "+dir+"/said")
	if !said.OK() {
		t.must(fault.Infraf("try command lines", "the script ended with status %d: %s", said.Code, said.Text()), "")
	}
	return readNatives(string(said.Stdout))
}

// incidental is what tells a guest's command line from another's and is no feature of
// it: its name and UUID, and the folder that libvirt names after it.
var incidental = regexp.MustCompile(`(guest=)[^, ]+|(-uuid )[0-9a-f-]{36}|(\bdomain-)-*[0-9]+-[A-Za-z0-9._-]*`)

// question is what a command line asks of the emulator.
func question(line string) string { return incidental.ReplaceAllString(line, "$1$2$3") }

// distinct are the first lines of each question.
func distinct(natives []Native) (first []Native) {
	seen := map[string]bool{}
	for _, n := range natives {
		if q := question(n.Line); !seen[q] {
			seen[q] = true
			first = append(first, n)
		}
	}
	return first
}

// lanes parts lines among two emulators at once. Those with files of ours are in one
// lane: an image is locked while an emulator has it.
func lanes(natives []Native) [][]Native {
	both := make([][]Native, 2)
	withFiles := func(n Native) bool { return strings.Contains(n.Line, host.ScratchDir) }
	for _, n := range natives {
		if withFiles(n) {
			both[0] = append(both[0], n)
		}
	}
	for _, n := range slices.DeleteFunc(natives, withFiles) {
		shorter := 0
		if len(both[1]) < len(both[0]) {
			shorter = 1
		}
		both[shorter] = append(both[shorter], n)
	}
	return both
}

// prepared are files that libvirt makes when it starts a domain: the folder of its
// monitor, and the key of its secrets.
var prepared = regexp.MustCompile(`/[^ ,'"=]*/(?:monitor\.sock|master-key\.aes)`)

// nativeScript tries each line. A monitor more, on a pipe that the emulator itself
// holds open, is asked: at its end QMP would drop what is not done. The monitor of the
// line takes connections before the options are read, so connecting proves nothing. The
// script starts few programs besides: each costs a tenth of what an emulator does.
func nativeScript(dir string, lanes [][]Native, limit time.Duration) string {
	script := []string{"cd " + dir, fmt.Sprintf(`try() {
	name=$1; shift
	exec 3<>in
	printf '%%s\n' '{"execute": "qmp_capabilities"}' '{"execute": "query-status"}' '{"execute": "quit"}' >&3
	timeout %d env "$@" -S -qmp stdio <&3 3>&- >out 2>err
	code=$?
	exec 3>&-
	if test $code = 0; then
		while read -r line; do case $line in *'"status": "'*) return;; esac; done <out
	fi
	echo; echo "@@ $name $code"; tail -c 4096 err
}`, int(limit.Seconds()))}
	made := folders(lanes)
	for _, folder := range made {
		script = append(script, "mkdir -p "+folder+" && head -c 32 /dev/zero >"+folder+"/master-key.aes")
	}
	for i, lane := range lanes {
		script = append(script, fmt.Sprintf("{ mkdir -p lane%d && cd lane%[1]d && rm -f in && mkfifo in || exit", i))
		for _, n := range lane {
			script = append(script, "try "+n.Name+" "+n.Line)
		}
		script = append(script, fmt.Sprintf("} >said%d & lane%[1]d=$!", i))
	}
	for i := range lanes {
		script = append(script, fmt.Sprintf("wait $lane%d || exit; cat said%[1]d", i))
	}
	if len(made) > 0 {
		script = append(script, "rm -rf "+strings.Join(made, " "))
	}
	return strings.Join(append(script, "exit 0"), "\n") + "\n"
}

// folders are those that lines have files of libvirt in.
func folders(lanes [][]Native) (all []string) {
	for _, n := range slices.Concat(lanes...) {
		for _, file := range prepared.FindAllString(n.Line, -1) {
			all = append(all, file[:strings.LastIndex(file, "/")])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var nativeHeader = regexp.MustCompile(`(?m)^@@ (\S+) (\d+)$`)

// readNatives reads what nativeScript prints.
func readNatives(text string) map[string]agent.Result {
	unread := map[string]agent.Result{}
	heads := nativeHeader.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		var code int
		_, _ = fmt.Sscan(text[h[4]:h[5]], &code) // digits, by the expression
		unread[text[h[2]:h[3]]] = agent.Result{Code: code, Stderr: []byte(strings.TrimSpace(text[h[1]:end]))}
	}
	return unread
}
