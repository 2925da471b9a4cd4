// Package rpc holds the checks of clients of one version against daemons of another.
package rpc

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed commands.txt
var commandsText string

// all are the commands that are asked.
var all = func() []command {
	list, err := commands(commandsText)
	if err != nil {
		panic(err) // of a list that is built in
	}
	return list
}()

// command is what a client asks of a daemon about one object.
type command struct{ object, line string }

// objects are what commands work on, in the order in which they are made: the guests have
// a card on the network.
var objects = []string{"host", "net", "off", "on", "pool", "secret", "filter"}

// commands reads the list: "OBJECT: COMMAND" lines, and comments.
func commands(text string) ([]command, error) {
	var list []command
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		object, rest, ok := strings.Cut(line, ": ")
		if !ok || strings.TrimSpace(rest) == "" {
			return nil, fmt.Errorf("cannot read commands: line %d is no \"OBJECT: COMMAND\": %s", i+1, line)
		}
		if !slices.Contains(objects, object) {
			return nil, fmt.Errorf("cannot read commands: line %d: %w", i+1, matrix.Unknown("object", object, objects))
		}
		list = append(list, command{object, rest})
	}
	return list, nil
}

// outcome is what came of a command: whether it was refused, in what words, and what
// there was of the object afterwards.
type outcome struct {
	refused bool
	text    string
	state   string
}

var (
	// lacking are virsh's own words for what it does not know itself (vsh.c).
	lacking = regexp.MustCompile(`unknown command|doesn't support option|unexpected data|unsupported option|unknown option|option --\S+ is required`)
	// newer are the words of daemons and drivers for what came after them: error codes 39,
	// 3 and 8, and 1 where a driver is older than 67 (virerror.c).
	newer = regexp.MustCompile(`unknown procedure|unsupported flags?|not supported|unsupported|invalid argument|unable to handle|not available`)
)

// lacks says that the client itself does not know the command or an option of it.
func (o outcome) lacks() bool { return o.refused && lacking.MatchString(o.text) }

// against says what is wrong with what a client got, compared with what the daemon's own
// client got; fresh is the object as no command has changed it. It is empty when nothing
// is.
func (o outcome) against(own outcome, fresh string) string {
	switch {
	case o.lacks() && o.state != fresh:
		return "the client does not know it, and yet it changed the object: " + difference(fresh, o.state)
	case o.lacks():
		return ""
	case own.lacks() && o.refused && !newer.MatchString(o.text):
		return "the daemon is older than the command, and refuses it in other words: " + o.text
	case own.lacks() && o.refused && o.state != fresh:
		return "it was refused, and yet it changed the object: " + difference(fresh, o.state)
	case own.lacks():
		return ""
	case o.refused && !own.refused:
		return "the daemon's own client may, this one is refused: " + o.text
	case !o.refused && own.refused:
		return "the daemon's own client is refused (" + own.text + "), this one is not"
	case o.state != own.state:
		return "it arrived as something else than from the daemon's own client: " + difference(own.state, o.state)
	}
	return ""
}

// difference is the first line in which two texts differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		was, is := "", ""
		if i < len(w) {
			was = strings.TrimSpace(w[i])
		}
		if i < len(g) {
			is = strings.TrimSpace(g[i])
		}
		if was != is {
			return fmt.Sprintf("%q in place of %q", is, was)
		}
	}
	return "nothing but blanks"
}
