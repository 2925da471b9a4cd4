package libvirtrpc

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// The programs that have procedures of interest (REMOTE_PROGRAM, QEMU_PROGRAM).
var programs = map[string]uint32{"remote": 0x20008086, "qemu": 0x20008087}

// procedure is a procedure of a program.
type procedure struct{ program, number uint32 }

// What a procedure answers; "value" is anything else.
const (
	// answersNothing is a procedure whose reply has no payload.
	answersNothing = "void"
	// answersDomain is a procedure that answers with the domain that is its first
	// argument.
	answersDomain = "domain"
	// isEvent is no call, but what the daemon tells unasked.
	isEvent = "event"
)

// procedureText has a line for each procedure: program, number, name and what it
// answers. Names are those of the public functions (virDomainReset), and the
// protocol's own where there is none. Numbers never change. The source is libvirt's
// remote_protocol.x and qemu_protocol.x, as in github.com/digitalocean/go-libvirt.
//
//go:embed procedures.txt
var procedureText string

// table is procedures.txt.
type table struct {
	byName  map[string]procedure
	names   map[procedure]string
	answers map[procedure]string
}

var procedures = sync.OnceValue(func() table {
	t := table{byName: map[string]procedure{}, names: map[procedure]string{}, answers: map[procedure]string{}}
	for line := range strings.Lines(procedureText) {
		f := strings.Fields(line)
		n, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil {
			panic(err)
		}
		p := procedure{programs[f[0]], uint32(n)}
		t.byName[f[2]], t.names[p], t.answers[p] = p, f[2], f[3]
	}
	return t
})

// String returns the procedure's name.
func (p procedure) String() string {
	if name := procedures().names[p]; name != "" {
		return name
	}
	return fmt.Sprintf("procedure %d of program %#x", p.number, p.program)
}

// lookup finds a procedure by its name.
func lookup(name string) (procedure, error) {
	p, ok := procedures().byName[name]
	if ok {
		return p, nil
	}
	for known := range procedures().byName {
		if strings.EqualFold(known, name) {
			return p, fmt.Errorf("libvirt's protocol has no procedure %s; did you mean %s?", name, known)
		}
	}
	return p, fmt.Errorf("libvirt's protocol has no procedure %s (procedures.txt lists them)", name)
}
