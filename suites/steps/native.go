package steps

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
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

// TryCreate starts a domain that stands still, ends it, and returns libvirt's refusal.
func (c *Connection) TryCreate(xml string) error {
	var d *libvirt.Domain
	err := c.t.Try("start a domain that stands still", func() (err error) {
		d, err = c.Raw.DomainCreateXML(xml, libvirt.DOMAIN_START_PAUSED)
		return err
	})
	if err == nil {
		c.t.Do("end the domain", d.Destroy)
		_ = d.Free()
	}
	return err
}

// nativeLimit bounds how long an emulator may take to read its command line, at scale 1.
const nativeLimit = 20 * time.Second

// Unread starts the cell's emulator with each command line, one after the other, up to
// where its monitor answers. It returns, by name, how those ended that got nowhere near.
func (t *T) Unread(natives []Native) map[string]agent.Result {
	dir := t.Scratch("natives")
	t.Sh("mkdir -p " + dir)
	t.Put(dir+"/run", nativeScript(dir, natives, t.Limit(nativeLimit)))
	t.KeepLog("command-lines.sh", "cat "+dir+"/run")
	t.KeepLog("command-lines.txt", "cat "+dir+"/said")
	said := t.RunWithin(nativeLimit*time.Duration(len(natives)+1), "sh "+dir+"/run >"+dir+"/said; cat "+dir+"/said")
	if !said.OK() {
		t.must(fault.Infraf("try command lines", "the script ended with status %d: %s", said.Code, said.Text()), "")
	}
	return readNatives(string(said.Stdout))
}

// prepared are files that libvirt makes when it starts a domain: the folder of its
// monitor, and the key of its secrets.
var prepared = regexp.MustCompile(`/[^ ,'"=]*/(?:monitor\.sock|master-key\.aes)`)

// nativeScript tries each line. A monitor more, on a pipe that the emulator itself
// holds open, is asked: at its end QMP would drop what is not done. The monitor of the
// line takes connections before the options are read, so connecting proves nothing.
func nativeScript(dir string, natives []Native, limit time.Duration) string {
	script := []string{"cd " + dir, fmt.Sprintf(`try() {
	name=$1; shift
	rm -f in; mkfifo in; exec 3<>in
	printf '%%s\n' '{"execute": "qmp_capabilities"}' '{"execute": "query-status"}' '{"execute": "quit"}' >&3
	timeout %d env "$@" -S -qmp stdio <&3 3>&- >out 2>err
	code=$?
	exec 3>&-
	test $code = 0 && grep -q '"status": "' out || { echo; echo "@@ $name $code"; tail -c 4096 err; }
}`, int(limit.Seconds()))}
	for _, n := range natives {
		var made []string
		for _, file := range prepared.FindAllString(n.Line, -1) {
			if folder := file[:strings.LastIndex(file, "/")]; !slices.Contains(made, folder) {
				made = append(made, folder)
			}
		}
		for _, folder := range made {
			script = append(script, "mkdir -p "+folder+" && head -c 32 /dev/zero >"+folder+"/master-key.aes")
		}
		script = append(script, "try "+n.Name+" "+n.Line)
		if len(made) > 0 {
			script = append(script, "rm -rf "+strings.Join(made, " "))
		}
	}
	return strings.Join(append(script, "exit 0"), "\n") + "\n"
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
