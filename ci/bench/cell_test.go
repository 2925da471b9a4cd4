package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// stalled is a host that does not do what it is told.
type stalled struct {
	cell.Host
	dir    string
	err    error
	closed int
}

func (h *stalled) Exec(context.Context, string) (agent.Result, error) {
	return agent.Result{}, h.err
}
func (h *stalled) Write(context.Context, string, []byte) error { return h.err }
func (h *stalled) Forward(string) (string, error)              { return "", h.err }
func (h *stalled) Alive() error                                { return nil }
func (h *stalled) Sched() owner.Sched                          { return owner.Sched{} }
func (h *stalled) Quirks() []string                            { return nil }
func (h *stalled) Notes() []string                             { return nil }
func (h *stalled) LogDir() string                              { return h.dir }
func (h *stalled) Close() error                                { h.closed++; return nil }
func (h *stalled) Console() console.Log {
	return console.Log{Path: filepath.Join(h.dir, "console.log")}
}

func TestAFaultOfOursSpoilsTheSampleAndNoOtherHostIsAsked(t *testing.T) {
	planned := &matrix.Cell{ID: "a", Kind: matrix.KVM}
	for _, id := range checks {
		planned.Checks = append(planned.Checks, matrix.PlannedCheck{ID: id})
	}
	vm := &stalled{dir: t.TempDir(), err: errors.New("the processors stand still\nfor ever")}
	l := &lab{progress: io.Discard, large: &owner.Folder{Path: t.TempDir()}, hosts: &run.Hosts{}}
	_, err := l.answers(t.Context(), &matrix.Plan{Cells: []matrix.Cell{*planned}}, planned, vm)
	if spoilt := new(spoiltError); !errors.As(err, &spoilt) {
		t.Fatalf("answers = %v, want a sample that is spoilt", err)
	}
	if said := err.Error(); !strings.HasPrefix(said, "O-CONN ended in INFRA after 2 attempts: attempt 1 ") || !strings.HasSuffix(said, "the processors stand still") {
		t.Errorf("it says %q", said)
	}
	if vm.closed == 0 {
		t.Error("the host still runs")
	}
}

func TestABooterThatIsReadyHandsItsHostOverOnce(t *testing.T) {
	vm := &stalled{}
	r := &ready{host: vm}
	if got, err := r.Boot(t.Context(), nil, ""); got != vm || err != nil {
		t.Errorf("Boot = %v, %v", got, err)
	}
	if got, err := r.Boot(t.Context(), nil, ""); err == nil {
		t.Errorf("the host that was closed is handed out again: %v", got)
	}
}

func TestOnlyFaultsOfOursSpoilASample(t *testing.T) {
	for name, tc := range map[string]struct {
		rec    journal.Record
		spoilt bool
		says   string
	}{
		"a pass":           {rec: journal.Record{Verdict: matrix.Pass, Attempts: 1}},
		"a second attempt": {rec: journal.Record{Verdict: matrix.Pass, Attempts: 2}, says: "ended in PASS after 2 attempts"},
		"a failure":        {rec: journal.Record{Verdict: matrix.Fail, Attempts: 1, Reason: "no disk"}, says: "ended in FAIL after 1 attempts: no disk"},
		"it was blocked":   {rec: journal.Record{Verdict: matrix.Blocked, Reason: "needs O-CONN"}, says: "needs O-CONN"},
		"a fault of ours":  {journal.Record{Verdict: matrix.Infra, Attempts: 1, Reason: "no room"}, true, "ended in INFRA after 1 attempts: no room"},
		"a fault, and no other host": {
			journal.Record{Verdict: matrix.Infra, Attempts: 2, Reason: "a sample is of one", Notes: []string{"attempt 1: it stalled", "more"}}, true, "after 2 attempts: attempt 1: it stalled",
		},
	} {
		err := atOnce(tc.rec)
		var spoilt *spoiltError
		if errors.As(err, &spoilt) != tc.spoilt || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q, spoilt: %v", name, err, tc.says, tc.spoilt)
		}
	}
}

// shell is as much of a host as the script needs.
type shell func(ctx context.Context) (agent.Result, error)

func (s shell) Write(context.Context, string, []byte) error { return nil }

func (s shell) Exec(ctx context.Context, command string) (agent.Result, error) {
	if strings.HasPrefix(command, "sh ") {
		return s(ctx)
	}
	return agent.Result{}, nil
}

func TestAScriptThatIsNeverDoneSpoilsTheSample(t *testing.T) {
	for name, tc := range map[string]struct {
		l1     shell
		spoilt bool
		says   string
	}{
		"it is done": {l1: func(context.Context) (agent.Result, error) {
			return agent.Result{Stdout: []byte("mark O-CONN 1\nmark end 2\n")}, nil
		}},
		"it hangs": {func(ctx context.Context) (agent.Result, error) {
			<-ctx.Done()
			return agent.Result{Stdout: []byte("mark O-CONN 1\nmark O-SAVE 2\n")}, context.Cause(ctx)
		}, true, `the script was not done within 1ms; its last word is "mark O-SAVE 2"`},
		"it fails": {func(context.Context) (agent.Result, error) {
			return agent.Result{Code: 1, Stderr: []byte("not refused")}, nil
		}, false, "not refused"},
		"its host dies": {func(context.Context) (agent.Result, error) { return agent.Result{}, errors.New("gone") }, false, "gone"},
	} {
		limit := time.Hour
		if tc.spoilt {
			limit = time.Millisecond
		}
		values, err := runScript(t.Context(), tc.l1, nil, limit)
		var spoilt *spoiltError
		if errors.As(err, &spoilt) != tc.spoilt || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q, spoilt: %v", name, err, tc.says, tc.spoilt)
		}
		if _, ok := values["all"]; ok != (err == nil) {
			t.Errorf("%s: %v", name, values)
		}
	}
}
