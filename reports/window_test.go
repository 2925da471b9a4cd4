package reports

import (
	"strings"
	"testing"
	"time"
)

const sigWindow = "block_on: [FAIL]\nrelease_window: {opens: Monday 11:00, closes: Thursday 09:00}\n"

func TestWhatIsTaggedGoesOut(t *testing.T) {
	w := DefaultPolicy().Window
	for tagged, want := range map[string]string{
		"2026-11-23T10:59:59Z": "2026-11-23T11:00:00Z", // Monday
		"2026-11-23T11:00:00Z": "2026-11-23T11:00:00Z",
		"2026-11-24T23:00:00Z": "2026-11-24T23:00:00Z",
		"2026-11-26T09:00:00Z": "2026-11-26T09:00:00Z", // Thursday: after 09:00 is too late
		"2026-11-26T09:00:01Z": "2026-11-30T11:00:00Z",
		"2026-11-27T00:00:00Z": "2026-11-30T11:00:00Z",
		"2026-11-29T23:59:59Z": "2026-11-30T11:00:00Z",
		"2026-12-31T12:00:00Z": "2027-01-04T11:00:00Z", // over the turn of the year
		// It is UTC that counts: 08:00 in New York is 13:00.
		"2026-11-26T04:00:00-05:00": "2026-11-26T09:00:00Z",
		"2026-11-26T08:00:00-05:00": "2026-11-30T11:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, tagged)
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := w.Out(at); out.Format(time.RFC3339) != want {
			t.Errorf("%s goes out %s, want %s", tagged, out.Format(time.RFC3339), want)
		}
	}
}

// Every quarter of an hour of some weeks, against the sentence of the policy.
func TestTheWindowOverWholeWeeks(t *testing.T) {
	for name, w := range map[string]Window{"the default": DefaultPolicy().Window, "another": readWindow(t, "Friday 22:00", "Tuesday 01:30")} {
		opens, closes := *w.Opens.Duration, *w.Closes.Duration
		start := time.Date(2026, 12, 14, 0, 0, 0, 0, time.UTC) // a Monday
		var last time.Time
		for at := start; at.Before(start.Add(4 * week)); at = at.Add(15 * time.Minute) {
			out, until := w.Out(at)
			since := at.Sub(start) % week
			open := since >= opens && since <= closes
			if closes < opens {
				open = since >= opens || since <= closes
			}
			switch {
			case open != out.Equal(at):
				t.Errorf("%s at %s: open is %v, and it goes out %s", name, at, open, out)
			case !open && out.Sub(start)%week != opens:
				t.Errorf("%s at %s: it goes out %s, which is not when the window opens", name, at, out)
			case out.Before(at) || out.Sub(at) > week || until.Before(out) || until.Sub(start)%week != closes%week:
				t.Errorf("%s at %s: out %s, until %s", name, at, out, until)
			case out.Before(last):
				t.Errorf("%s at %s: what is tagged later goes out earlier", name, at)
			}
			last = out
		}
	}
}

func readWindow(t *testing.T, opens, closes string) Window {
	t.Helper()
	p, err := parsePolicy("gate.yaml", strings.NewReader(strings.NewReplacer("Monday 11:00", opens, "Thursday 09:00", closes).Replace(sigWindow)))
	if err != nil {
		t.Fatal(err)
	}
	return p.Window
}

func TestAWindowThatIsNone(t *testing.T) {
	for old, tc := range map[string][2]string{
		"Thursday 09:00":            {"Thursday 9am", `gate.yaml:2: "Thursday 9am" is no time of a week`},
		"Monday 11:00":              {"Mon 11:00", `gate.yaml:2: "Mon 11:00" is no time of a week`},
		", closes: Thursday 09:00}": {"}", "release_window lacks opens or closes"},
		"closes: Thursday 09:00":    {"closes: Monday 11:00", "opens when it closes"},
		"closes":                    {"closed", `unknown key "closed"; did you mean "closes"?`},
	} {
		if _, err := parsePolicy("gate.yaml", strings.NewReader(strings.Replace(sigWindow, old, tc[0], 1))); err == nil || !strings.Contains(err.Error(), tc[1]) {
			t.Errorf("%q: %v, want %q", tc[0], err, tc[1])
		}
	}
	if out, _ := (Window{}).Out(noon); !out.Equal(noon) {
		t.Error("without a window things go out at once")
	}
}

func TestAShipSaysWhenUsersHaveIt(t *testing.T) {
	friday := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	m := judged("PASS")
	for at, want := range map[time.Time]string{
		friday:                      "tagged now, it goes out on Monday 2026-11-30 11:00 UTC: until then the mirrors take no packages",
		friday.Add(-48 * time.Hour): "tagged now, it goes out with the next push: the mirrors take packages until Thursday 2026-11-26 09:00 UTC",
	} {
		d := Gate(m, DefaultPolicy(), at)
		if d.Code != Ship || d.Reasons[1] != want {
			t.Errorf("%s %q, want %q", d.Code, d.Reasons, want)
		}
	}
	if d := Gate(judged("FAIL"), DefaultPolicy(), friday); strings.Contains(strings.Join(d.Reasons, "\n"), "tagged") {
		t.Errorf("a hold says when it goes out: %q", d.Reasons)
	}
}
