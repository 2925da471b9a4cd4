package agent

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestTheAgentIsToldToKickTheProcessors(t *testing.T) {
	kicked, fails := 0, errors.New("no processors")
	c := clientOf(t, func(s *Server) {
		s.Kick = func() error {
			if kicked++; kicked > 2 {
				return fails
			}
			return nil
		}
	})
	for range 2 {
		if err := c.Kick(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Kick(within(t)); err == nil || !strings.HasSuffix(err.Error(), "the agent refuses: no processors") || kicked != 3 {
		t.Errorf("Kick = %v, after %d", err, kicked)
	}
	if err := newClient(t).Kick(within(t)); err == nil || !strings.Contains(err.Error(), "it does not know kick@virtmatrix") {
		t.Errorf("Kick of an agent that cannot = %v", err)
	}
	c.Close()
	if err := c.Kick(within(t)); err == nil {
		t.Error("Kick of a session that has ended is no error")
	}
}

func TestTheAgentRestartsAServiceAndSaysWhyNot(t *testing.T) {
	c := clientOf(t, func(s *Server) {
		s.Restart = func(service string, signal syscall.Signal) error {
			if service != "libvirtd" || signal != syscall.SIGTERM {
				return fmt.Errorf("start %s: not after %s", service, signal)
			}
			return nil
		}
	})
	for signal, want := range map[syscall.Signal]string{syscall.SIGTERM: "", syscall.SIGKILL: "start libvirtd: not after killed"} {
		if says, err := c.Restart(within(t), "libvirtd", signal); err != nil || says != want {
			t.Errorf("after %s it says %q, %v", signal, says, err)
		}
	}
	if says, err := newClient(t).Restart(within(t), "libvirtd", syscall.SIGTERM); err != nil || says != "restart libvirtd: this agent has no services" {
		t.Errorf("an agent without services says %q, %v", says, err)
	}
	c.Close()
	if _, err := c.Restart(within(t), "libvirtd", syscall.SIGTERM); err == nil {
		t.Error("a restart by a session that has ended is no error")
	}
}
