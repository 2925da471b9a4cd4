package host

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestADaemonThatDoesNotComeBackIsTheProducts(t *testing.T) {
	const late = "start libvirtd: /run/x" + agent.Late + "2m0s"
	died := errors.New("the host died")
	for name, tc := range map[string]struct {
		says string
		had  owner.Sched
		gone bool
		want matrix.Verdict
	}{
		"it is back":            {want: matrix.Pass},
		"it ended":              {says: "start libvirtd: it ended before /run/x was there: exit status 3", want: matrix.Fail},
		"it is late":            {says: late, had: owner.Sched{Ran: time.Minute}, want: matrix.Fail},
		"on a starved machine":  {says: late, had: owner.Sched{Ran: time.Second, Waited: time.Minute}, want: matrix.Infra},
		"there is none":         {says: "restart x: the host has no daemon of this name", want: matrix.Infra},
		"the connection breaks": {gone: true, want: matrix.Infra},
	} {
		server, err := agent.NewServer()
		check(t, err)
		server.Restart = func(string, syscall.Signal) error {
			if tc.says == "" {
				return nil
			}
			return errors.New(tc.says)
		}
		l0, l1 := socket(t)
		go func() { _ = server.Listen(wire{l1}) }()
		var had owner.Sched
		link := &Link{Transport: Transport{
			Lost:  func(context.Context) error { return fault.Infraf("run host", "%w", died) },
			Sched: func() owner.Sched { now := had; had = tc.had; return now },
		}}
		check(t, link.Open(t.Context(), l0))
		if tc.gone {
			link.Shut()
		}
		err = link.Restart(t.Context(), "libvirtd", syscall.SIGTERM)
		if got, _ := fault.Classify(err); got != tc.want || errors.Is(err, died) != tc.gone {
			t.Errorf("%s: %s, want %s: %v", name, got, tc.want, err)
		}
		link.Shut()
	}
}
