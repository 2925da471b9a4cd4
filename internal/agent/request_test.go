package agent

import (
	"errors"
	"strings"
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
