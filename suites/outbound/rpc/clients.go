package rpc

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-RPC-MATRIX", check.Spec{
	Asserts:  "The virsh of every other version does with the daemon what the daemon's own does, or is refused and changes nothing",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Each: matrix.Libvirt, Network: true},
	Control:  sabotage.Wrap("virsh", "a virsh of the daemon's version that sets no titles", `case "$*" in *--title*A*title*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	server := newServer(t)
	own := server.ask(t, "qemu:///system")
	pid := server.daemon()
	var wrong []string
	for _, client := range t.Others() {
		version := client.Version(matrix.Libvirt)
		lacks := 0
		for c, got := range server.ask(client, t.Host().Address().Libvirt) {
			if got.lacks() {
				lacks++
			}
			if what := got.against(own[c], server.fresh[server.commands[c].object]); what != "" {
				wrong = append(wrong, fmt.Sprintf("virsh %s: %s: %s", version, server.commands[c].line, what))
			}
		}
		t.Note("virsh %s knows %d of %d commands", version, len(own)-lacks, len(own))
		if now := server.daemon(); now != pid {
			wrong = append(wrong, fmt.Sprintf("virsh %s: the daemon is another process afterwards: %s, and was %s", version, now, pid))
		}
	}
	if len(wrong) > 0 {
		t.Fail(matrix.LayerManagement, "%d answers of the daemon are wrong:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
})

// server is the daemon that clients ask, with the objects that they work on.
type server struct {
	t        *steps.T
	dir      string
	commands []command
	// fresh is each object as no command has changed it.
	fresh map[string]string
}

func newServer(t *steps.T) *server {
	s := &server{t: t, dir: t.Scratch("files"), commands: all, fresh: map[string]string{}}
	s.put(t)
	t.Put(s.dir+"/objects.sh", objectsScript)
	t.RemoveAfter("/var/lib/libvirt/rpc")
	for _, object := range []string{"net", "pool", "secret", "filter", "off", "on"} {
		s.reset(object)
		s.fresh[object] = s.dump(object)
	}
	t.Cleanup(s.remove)
	return s
}

// put writes the files of commands for a client.
func (s *server) put(client *steps.T) {
	client.Sh("mkdir -p " + s.dir)
	for name, text := range files {
		client.Put(s.dir+"/"+name, text)
	}
}

func (s *server) reset(object string) { s.t.Sh("sh " + s.dir + "/objects.sh reset " + object) }

func (s *server) dump(object string) string {
	return s.t.Sh("sh " + s.dir + "/objects.sh dump " + object)
}

// daemon is the process of the daemon.
func (s *server) daemon() string { return s.t.Sh("pidof " + s.t.Manager().Name) }

// answerLimit bounds a command of virsh, in seconds at scale 1. The daemon waits 30 s for
// a guest that does not let go of a device.
const answerLimit = 45

// ask has a client run all commands, each on fresh objects.
func (s *server) ask(client *steps.T, uri string) []outcome {
	if client != s.t {
		s.put(client)
	}
	limit := int(client.Limit(answerLimit * 1e9).Seconds())
	out := make([]outcome, len(s.commands))
	for i, c := range s.commands {
		line := c.line
		for name := range files {
			line = strings.ReplaceAll(line, "{"+name+"}", s.dir+"/"+name)
		}
		res := client.Run(fmt.Sprintf("timeout %d virsh -q -c %s %s </dev/null", limit, host.Quote(uri), line))
		out[i] = outcome{refused: !res.OK(), text: lastLine(res.Text()), state: s.dump(c.object)}
		if res.Code == 124 { // as timeout says it
			s.t.Fail(matrix.LayerManagement, "virsh %s did not return within %d s: %s", client.Version(matrix.Libvirt), limit, c.line)
		}
		if out[i].state != s.fresh[c.object] {
			s.reset(c.object)
		}
	}
	return out
}

// remove removes the objects.
func (s *server) remove() {
	s.t.Run("for d in on off renamed; do virsh destroy $d; virsh undefine $d; done; " +
		"virsh 'net-destroy net; net-undefine net; pool-destroy pool; pool-undefine pool; secret-undefine 76697274-6d61-4472-8978-00000000cafe; nwfilter-undefine rpc-filter'")
}

// lastLine is what virsh said last, which is why it was refused.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
