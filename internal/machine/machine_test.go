package machine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// fitting is a machine with memory for so many hosts, and processors for two.
func fitting(freeMB, hosts int) Needs {
	return Needs{Fits: func(context.Context) (admit.Fit, error) {
		return admit.Fit{
			Need: admit.Need{MemoryMB: 2560}, ByMemory: hosts, ByProcessors: 2,
			Reading: admit.Reading{FreeMB: freeMB},
		}, nil
	}}
}

func TestMemoryIsJudgedByTheHostsThatItHolds(t *testing.T) {
	for _, c := range []struct {
		name         string
		free, hosts  int
		want         Grade
		text, beside string
	}{
		{"plenty", 16384, 6, Good, "16.0 GiB available; a host takes up to 2.5 GiB", "2 cells fit: 6 by memory, 2 by processors"},
		{"little", 4096, 1, Poor, "4.0 GiB available; a host takes up to 2.5 GiB", "1 cell fits: 1 by memory, 2 by processors"},
		{"none", 1024, 0, Missing, "1.0 GiB available; a host takes up to 2.5 GiB", "no cell fits now"},
	} {
		n := fitting(c.free, c.hosts)
		f := n.memory(t.Context())
		if f.Grade != c.want || f.Text != c.text {
			t.Errorf("%s: got %s %q, want %s %q", c.name, f.Grade, f.Text, c.want, c.text)
		}
		if (f.Fix == "") != (f.Grade == Good) {
			t.Errorf("%s: a %s finding has the fix %q", c.name, f.Grade, f.Fix)
		}
		beside := n.sideBySide(t.Context())
		if beside.Text != c.beside || (beside.Grade == Missing) != (c.want == Missing) {
			t.Errorf("%s: got %s %q, want %q", c.name, beside.Grade, beside.Text, c.beside)
		}
	}
	unknown := Needs{Fits: func(context.Context) (admit.Fit, error) { return admit.Fit{}, errors.New("no /proc") }}
	if f := unknown.memory(t.Context()); f.Grade != Missing || f.Text != "no /proc" || f.Fix == "" {
		t.Errorf("memory that cannot be read: %+v", f)
	}
}

func TestSpaceIsThatOfTheNearestFolderThatExists(t *testing.T) {
	dir := t.TempDir()
	f := space("disk", filepath.Join(dir, "not", "yet"), 0, 0)
	if f.Grade != Good || !strings.HasSuffix(f.Text, "GiB free for "+filepath.Join(dir, "not", "yet")) {
		t.Errorf("got %+v", f)
	}
	if f := space("disk", dir, 1<<62, 1<<61); f.Grade != Missing || f.Fix == "" {
		t.Errorf("a disk that is too small is %+v", f)
	}
}

func TestToolsNameWhatBringsThem(t *testing.T) {
	f := tools([]tool.Tool{
		{Name: "sh", Package: "dash"},
		{Name: "no-such-program", Package: "beta"}, {Name: "/no/such/file", Package: "alpha"},
	})
	if f.Grade != Missing || f.Text != "not there: no-such-program (package beta), /no/such/file (package alpha)" {
		t.Errorf("got %s %q", f.Grade, f.Text)
	}
	got := Packages([]Finding{f, f, {Packages: []string{"alpha"}}})
	if want := []string{"alpha", "beta"}; !slices.Equal(got, want) {
		t.Errorf("packages %q, want %q", got, want)
	}
}

func TestOnlyWhatIsMissingKeepsRunsFromWorking(t *testing.T) {
	if !Works([]Finding{{Grade: Good}, {Grade: Poor}}) {
		t.Error("a poor machine does not work")
	}
	if Works([]Finding{{Grade: Good}, {Grade: Missing}}) {
		t.Error("a machine works though something is missing")
	}
}

func TestMirrorSaysWhyThereIsNone(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want Grade
		text string
	}{
		{"found", nil, Good, "http://mirror.example/debian"},
		{"tools first", &tool.MissingError{Tools: []tool.Tool{{Name: "gpgv", Package: "gpgv"}}}, Missing, "cannot be looked for without its tools"},
		{"none", errors.New("no archive"), Missing, "no archive"},
	} {
		n := Needs{Mirror: func(context.Context) (string, error) { return "http://mirror.example/debian", c.err }}
		if f := n.mirror(t.Context()); f.Grade != c.want || f.Text != c.text {
			t.Errorf("%s: got %s %q, want %s %q", c.name, f.Grade, f.Text, c.want, c.text)
		}
	}
}

func TestAcceleratorIsAskedOnlyWhenThereIsOneToAsk(t *testing.T) {
	n := Needs{Mirror: func(context.Context) (string, error) { return "m", nil }}
	without := len(n.questions())
	n.Accelerator = func(context.Context) (string, error) { return "", errors.New("no kernel boots") }
	if with := len(n.questions()); with != without+1 {
		t.Errorf("%d questions with an accelerator, %d without", with, without)
	}
	if f := n.accelerator(t.Context()); f.Grade != Missing || f.Text != "no kernel boots" {
		t.Errorf("got %+v", f)
	}
}

func TestSettingReadsOSRelease(t *testing.T) {
	text := "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	if got := setting(text, "PRETTY_NAME"); got != "Debian GNU/Linux 12 (bookworm)" {
		t.Errorf("got %q", got)
	}
	if got := setting(text, "NAME"); got != "" {
		t.Errorf("got %q for a key that is not there", got)
	}
}

func TestContainersAreNoConditionOfRuns(t *testing.T) {
	n := Needs{Containers: func(context.Context) (string, error) { return "Docker 26.1", nil }}
	if f := n.containers(t.Context()); f.Grade != Good || f.Text != "Docker 26.1" {
		t.Errorf("got %+v", f)
	}
	n.Containers = func(context.Context) (string, error) { return "", errors.New("nobody answers") }
	f := n.containers(t.Context())
	if f.Grade != Poor || !strings.HasPrefix(f.Text, "nobody answers; container cells are planned as machines") || !strings.Contains(f.Fix, "ci/setup") {
		t.Errorf("got %+v", f)
	}
	if !Works([]Finding{f}) {
		t.Error("runs need containers")
	}
}
