package progress

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"github.com/virtmatrix/virtmatrix/matrix"
)

var rows = []Row{{Cell: cellA, Checks: 12}, {Cell: cellB, Checks: 6, Done: 2}}

// halfway are the events of a run that stopped in its second cell.
var halfway = []Event{
	{Time: at(0), Phase: Fetching, Image: "qemu-trixie", Done: 1_000_000, Total: 2_000_000},
	{Time: at(20), Phase: Finished, Image: "qemu-trixie", Seconds: 20},
	{Time: at(30), Phase: Booting, Cell: cellA},
	{Time: at(60), Phase: Checking, Cell: cellA, Check: "O-SAVE", Done: 11, Total: 12},
	{Time: at(90), Phase: Finished, Cell: cellA, Check: "O-SAVE", Verdict: matrix.Fail, Done: 12, Total: 12, Text: "cannot restore"},
}

// last draws the events on a screen of the given width and returns what stays
// on it: everything after the last movement of the cursor.
func last(t *testing.T, width int, colour bool, events []Event) string {
	t.Helper()
	var b bytes.Buffer
	sink, end := live(rows, colour, mpb.WithOutput(&b), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond), mpb.WithWidth(width))
	for _, e := range events {
		sink(e)
	}
	end()
	end()
	sink(Event{Time: at(99), Phase: Finished, Image: "late"}) // must not panic
	parts := strings.Split(b.String(), "A\x1b[J")
	return parts[len(parts)-1]
}

func TestLiveLeavesTheLastStateOnTheScreen(t *testing.T) {
	want := "" +
		"20s  image ready qemu-trixie 20.0s\n" +
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0  ████████████████  12/12  done  (1m00s in all)  1 red\n" +
		"xen_linux-6.1_xen-4.17_libvirt-9.0  █████░░░░░░░░░░░   2/6   waiting\n"
	if diff := cmp.Diff(want, last(t, 100, false, halfway)); diff != "" {
		t.Errorf("last screen (-want +got):\n%s", diff)
	}
}

func TestLiveIsNeverWiderThanTheTerminal(t *testing.T) {
	for width := 1; width <= 120; width++ {
		for line := range strings.Lines(last(t, width, false, halfway)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("at %d columns a line has %d: %q", width, n, line)
			}
		}
	}
}

func TestLiveKeepsWhatMattersWhenNarrow(t *testing.T) {
	want := "" +
		"20s  image ready qemu-trixie 20.0s\n" +
		"kvm_linux-…ibvirt-9.0  12/12  done  1 red\n" +
		"xen_linux-6.…_libvirt-9.0   2/6   waiting\n"
	got := last(t, 42, false, halfway)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("last screen (-want +got):\n%s", diff)
	}
}

func TestLiveTellsFailuresAbove(t *testing.T) {
	var b bytes.Buffer
	sink, end := live(rows, true, mpb.WithOutput(&b), mpb.WithAutoRefresh(), mpb.WithWidth(100))
	for _, e := range halfway {
		sink(e)
	}
	end()
	want := "\x1b[31mFAIL        O-SAVE " + cellA + " 12/12: cannot restore\x1b[0m\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want it to contain %q", b.String(), want)
	}
}

func TestLiveTellsOnceWhyACellWaits(t *testing.T) {
	var b bytes.Buffer
	sink, end := live(rows, false, mpb.WithOutput(&b), mpb.WithAutoRefresh(), mpb.WithWidth(120))
	for i, free := range []string{"1.1", "1.2", "1.3"} {
		sink(Event{Time: at(float64(i)), Phase: Waiting, Cell: cellB, Text: "for memory: needs 2.5 GiB, " + free + " GiB are free"})
	}
	end()
	want := "waiting " + cellB + ": for memory: needs 2.5 GiB, 1.1 GiB are free\n"
	if n := strings.Count(b.String(), "waiting "+cellB); n != 1 || !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want it to contain %q once", b.String(), want)
	}
}

func TestLiveHasColourOnlyWhenAsked(t *testing.T) {
	if got := last(t, 100, false, halfway); strings.Contains(got, "\x1b[31m") {
		t.Errorf("got colour without asking: %q", got)
	}
	if got := last(t, 100, true, halfway); !strings.Contains(got, "\x1b[31m  1 red\x1b[0m") {
		t.Errorf("got no red: %q", got)
	}
}

func TestStateFollowsACell(t *testing.T) {
	s := &state{name: cellA, doing: "waiting", total: 2}
	for _, step := range []struct {
		event Event
		want  string
	}{
		{Event{Time: at(1), Phase: Waiting, Text: "for memory: needs 2.5 GiB"}, "waiting for memory 0/2 red 0"},
		{Event{Time: at(1), Phase: Booting}, "booting 0/2 red 0"},
		{Event{Time: at(2), Phase: Checking, Check: "A"}, "A 0/2 red 0"},
		{Event{Time: at(3), Phase: Finished, Check: "A", Verdict: matrix.Pass}, "A 1/2 red 0"},
		{Event{Time: at(4), Phase: Booting, Text: "again"}, "booting 1/2 red 0"},
		{Event{Time: at(5), Phase: Finished, Check: "B", Verdict: matrix.Infra}, "done 2/2 red 1"},
	} {
		s.take(step.event)
		if got := fmt.Sprintf("%s %d/%d red %d", s.doing, s.done, s.total, s.red); got != step.want {
			t.Errorf("after %+v: got %q, want %q", step.event, got, step.want)
		}
	}
	if got := s.took(at(100)).Seconds(); got != 4 {
		t.Errorf("took %v seconds, want 4", got)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Terminal(f) || Colour(f) {
		t.Error("a file is taken for a terminal")
	}
}
