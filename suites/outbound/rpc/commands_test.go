package rpc

import (
	"strings"
	"testing"
)

func TestTheListOfCommandsIsWellFormed(t *testing.T) {
	list, err := commands(commandsText)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range list {
		if seen[c.line] {
			t.Errorf("%q is there twice", c.line)
		}
		seen[c.line] = true
		for rest := c.line; strings.Contains(rest, "{"); {
			_, after, _ := strings.Cut(rest, "{")
			name, _, _ := strings.Cut(after, "}")
			if files[name] == "" && !strings.Contains(name, `"`) {
				t.Errorf("%q has {%s}, and there is no such file", c.line, name)
			}
			rest = after
		}
	}
	if len(list) < 200 {
		t.Errorf("there are %d commands, want most of virsh's", len(list))
	}
}

func TestALineThatIsNoCommandIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"off: dominfo off\nnonsense": "line 2 is no",
		"of: dominfo off":            `did you mean "off"`,
	} {
		if _, err := commands(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestWhatAClientGotIsJudgedByWhatTheDaemonsOwnGot(t *testing.T) {
	const fresh, changed = "<x/>", "<x y='1'/>"
	refused := func(text, state string) outcome { return outcome{true, text, state} }
	for _, c := range []struct {
		about    string
		got, own outcome
		want     string
	}{
		{"the same", outcome{state: changed}, outcome{state: changed}, ""},
		{"both refused", refused("error: no", fresh), refused("error: no", fresh), ""},
		{"a client that is older", refused("error: unknown command: 'x'", fresh), outcome{state: changed}, ""},
		{"a client that is older, and changed it", refused("error: unknown command: 'x'", changed), outcome{state: changed}, "does not know it, and yet"},
		{"a daemon that is older", refused("error: unknown procedure: 400", fresh), refused("error: unknown command: 'x'", fresh), ""},
		{"a daemon that is older, and fails", refused("error: internal error", fresh), refused("error: unknown command: 'x'", fresh), "in other words"},
		{"a daemon that is older, and changes it", refused("error: unsupported flags (0x8)", changed), refused("error: unknown command: 'x'", fresh), "it was refused, and yet"},
		{"a refusal of this client alone", refused("error: no", fresh), outcome{state: changed}, "this one is refused"},
		{"a refusal of the other alone", outcome{state: changed}, refused("error: no", fresh), "this one is not"},
		{"what arrived otherwise", outcome{state: changed}, outcome{state: fresh}, `"<x y='1'/>" in place of "<x/>"`},
	} {
		if got := c.got.against(c.own, fresh); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
}
