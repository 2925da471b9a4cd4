package rpc

import (
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-RPC-MATRIX", check.Spec{
	Asserts:  "The virsh of every other version does with the daemon what the daemon's own does, or is refused and changes nothing",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
	Depends:  check.On(matrix.Libvirt),
	Hosts:    matrix.Hosts{Each: matrix.Libvirt, Network: true},
	Control:  sabotage.Wrap("virsh", "a virsh of the daemon's version that sets no titles", `case "$*" in *--title*A*title*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	server := newServer(t)
	own := server.ask(t, "qemu:///system", nil)
	pid := t.DaemonPID()
	var wrong []string
	for _, client := range t.Others() {
		version := client.Version(matrix.Libvirt)
		lacks := 0
		for c, got := range server.ask(client, t.Host().Address().Libvirt, own) {
			if got.lacks() {
				lacks++
			}
			if what := got.against(own[c], server.fresh[server.commands[c].object]); what != "" {
				wrong = append(wrong, fmt.Sprintf("virsh %s: %s: %s", version, server.commands[c].line, what))
			}
		}
		t.Note("virsh %s knows %d of %d commands", version, len(own)-lacks, len(own))
		if now := t.DaemonPID(); now != pid {
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

// answerLimit bounds a command of virsh, in seconds at scale 1. The daemon waits 30 s for
// a guest that does not let go of a device.
const answerLimit = 45

// slow is the time from which a command is named in the evidence: what a client waits for
// costs each pair of versions.
const slow = 2 * time.Second

// ask has a client run all commands. own is what came of them for the daemon's own
// client, nil when that is who asks: where it changed nothing, one look at the object
// does for all commands in a row.
func (s *server) ask(client *steps.T, uri string, own []outcome) []outcome {
	if client != s.t {
		s.put(client)
	}
	out := make([]outcome, len(s.commands))
	for i := 0; i < len(s.commands); {
		next := s.row(i, own)
		for c := i; c < next; c++ {
			out[c] = s.run(client, uri, s.commands[c].line)
		}
		if !s.look(out[i:next], s.commands[i].object) && next-i > 1 {
			for c := i; c < next; c++ {
				out[c] = s.run(client, uri, s.commands[c].line)
				s.look(out[c:c+1], s.commands[c].object)
			}
		}
		i = next
	}
	return out
}

// row is the end of the row of commands on one object from i on that the daemon's own
// client changed nothing with; at least i+1.
func (s *server) row(i int, own []outcome) int {
	object := s.commands[i].object
	quiet := func(c int) bool { return own != nil && own[c].state == s.fresh[object] }
	next := i + 1
	for quiet(i) && next < len(s.commands) && s.commands[next].object == object && quiet(next) {
		next++
	}
	return next
}

// look notes the object's state in outcomes, and makes it anew and says false if it is not as no
// command has changed it.
func (s *server) look(outcomes []outcome, object string) bool {
	state := s.dump(object)
	for i := range outcomes {
		outcomes[i].state = state
	}
	if state != s.fresh[object] {
		s.reset(object)
		return false
	}
	return true
}

// run has a client run a command.
func (s *server) run(client *steps.T, uri, line string) outcome {
	asked := line
	for name := range files {
		asked = strings.ReplaceAll(asked, "{"+name+"}", s.dir+"/"+name)
	}
	limit, began := int(client.Limit(answerLimit*1e9).Seconds()), time.Now()
	res := client.Run(fmt.Sprintf("timeout %d virsh -q -c %s %s </dev/null", limit, host.Quote(uri), asked))
	if took := time.Since(began); took > slow {
		client.Note("%.0f s: virsh %s", took.Seconds(), line)
	}
	if res.Code == 124 { // as timeout says it
		s.t.Fail(matrix.LayerManagement, "virsh %s did not return within %d s: %s", client.Version(matrix.Libvirt), limit, line)
	}
	return outcome{refused: !res.OK(), text: lastLine(res.Text())}
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
