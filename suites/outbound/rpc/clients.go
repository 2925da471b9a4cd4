package rpc

import (
	"fmt"
	"strconv"
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
	server.askOwn()
	pid := t.DaemonPID()
	var wrong []string
	for _, client := range t.Others() {
		version := client.Version(matrix.Libvirt)
		lacks := 0
		for c, got := range server.ask(client) {
			if got.lacks() {
				lacks++
			}
			if what := got.against(server.own[c], server.before(c)); what != "" {
				wrong = append(wrong, fmt.Sprintf("virsh %s: %s: %s", version, server.commands[c].line, what))
			}
		}
		t.Note("virsh %s knows %d of %d commands", version, len(all)-lacks, len(all))
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
	// now is each object as it was when it was looked at last.
	now map[string]string
	// own is what came of the commands for the daemon's own client, and anew are those
	// before which the object was made anew: as the command before had left it, it was
	// refused.
	own  []outcome
	anew []bool
}

func newServer(t *steps.T) *server {
	s := &server{t: t, dir: t.Scratch("files"), commands: all, fresh: map[string]string{}, now: map[string]string{}}
	s.put(t)
	t.Put(s.dir+"/objects.sh", objectsScript)
	t.RemoveAfter("/var/lib/libvirt/rpc")
	for _, object := range objects {
		s.reset(object)
		if s.fresh[object] = s.dump(object); object != "host" && !strings.Contains(s.fresh[object], object) {
			t.Fail(matrix.LayerManagement, "the daemon's own client makes no object %q: there is\n%s", object, s.fresh[object])
		}
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

func (s *server) reset(object string) {
	s.t.Sh("sh " + s.dir + "/objects.sh reset " + object)
	s.now[object] = s.fresh[object]
}

func (s *server) dump(object string) string {
	s.now[object] = s.t.Sh("sh " + s.dir + "/objects.sh dump " + object)
	return s.now[object]
}

// answerLimit bounds a command of virsh, at scale 1. The daemon waits 30 s for a guest that
// does not let go of a device.
const answerLimit = 45 * time.Second

// slow are the seconds from which a command is named in the evidence: what a client waits
// for costs each pair of versions.
const slow = 2

// askOwn has the daemon's own client run all commands. An object goes on as a command left
// it, for making a domain anew costs ten times what a command does.
func (s *server) askOwn() {
	s.own, s.anew = make([]outcome, len(s.commands)), make([]bool, len(s.commands))
	for i, c := range s.commands {
		s.own[i] = s.run(s.t, i, i+1)[0]
		if s.own[i].refused && s.before(i) != s.fresh[c.object] {
			s.anew[i] = true
			s.reset(c.object)
			s.own[i] = s.run(s.t, i, i+1)[0]
		}
		s.own[i].state = s.dump(c.object)
	}
}

// before is the object of a command as the daemon's own client had it before the command.
func (s *server) before(i int) string {
	if i == 0 || s.anew[i] || s.commands[i-1].object != s.commands[i].object {
		return s.fresh[s.commands[i].object]
	}
	return s.own[i-1].state
}

// ask has a client run all commands, each on the object as the daemon's own client had it.
func (s *server) ask(client *steps.T) (out []outcome) {
	s.put(client)
	for alone := 0; len(out) < len(s.commands); {
		i := len(out)
		end := i + 1
		if i >= alone {
			end = s.row(i)
		}
		s.restore(i)
		row := s.run(client, i, end)
		state := s.dump(s.commands[i].object)
		if state != s.own[i].state && end > i+1 { // who of them was it?
			alone = end
			continue
		}
		for j := range row {
			row[j].state = state
		}
		out = append(out, row...)
	}
	return out
}

// row is the end of the row of commands from i on that are asked of an object which the daemon's own
// client changed with none of them but the first: one look at it does for all.
func (s *server) row(i int) int {
	end := i + 1
	for end < len(s.commands) && s.before(end) == s.own[i].state && s.own[end].state == s.own[i].state && s.commands[end].object == s.commands[i].object {
		end++
	}
	return end
}

// restore makes the object of a command as it was before it for the daemon's own client.
func (s *server) restore(i int) {
	object, from := s.commands[i].object, i
	if s.now[object] == s.before(i) {
		return
	}
	for s.before(from) != s.fresh[object] {
		from--
	}
	s.reset(object)
	if from < i {
		s.run(s.t, from, i)
	}
}

// run has a client run commands one after the other.
func (s *server) run(client *steps.T, from, to int) (out []outcome) {
	uri, limit := "qemu:///system", int(client.Limit(answerLimit).Seconds())
	if client != s.t {
		uri = s.t.Host().Address().Libvirt
	}
	script := fmt.Sprintf(`ask() { at=$(date +%%s); said=$(timeout %d virsh -q -c %s "$@" 2>&1 </dev/null); printf '%%s\t%%s\t%%s\n' $? $(($(date +%%s) - at)) "$(printf %%s "$said" | sed '/^ *$/d' | tail -n 1)"; }
`, limit, host.Quote(uri))
	for _, c := range s.commands[from:to] {
		for name := range files {
			c.line = strings.ReplaceAll(c.line, "{"+name+"}", s.dir+"/"+name)
		}
		script += "ask " + c.line + "\n"
	}
	for i, line := range client.Lines(to-from, answerLimit*time.Duration(to-from+1), script) {
		got := strings.SplitN(line, "\t", 3)
		asked := s.commands[from+i].line
		if got[0] == "124" { // as timeout says it
			s.t.Fail(matrix.LayerManagement, "virsh %s did not return within %d s: %s", client.Version(matrix.Libvirt), limit, asked)
		}
		if seconds, _ := strconv.Atoi(got[1]); seconds > slow {
			client.Note("%d s: virsh %s", seconds, asked)
		}
		out = append(out, outcome{refused: got[0] != "0", text: strings.TrimSpace(got[2])})
	}
	return out
}

// remove removes the objects.
func (s *server) remove() {
	s.t.Run("for d in on off renamed; do virsh destroy $d; virsh undefine $d; done; " +
		"virsh 'net-destroy net; net-undefine net; pool-destroy pool; pool-undefine pool; secret-undefine 76697274-6d61-4472-8978-00000000cafe; nwfilter-undefine rpc-filter'")
}
