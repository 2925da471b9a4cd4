package agent

import (
	"errors"
	"strings"
	"testing"
)

func TestTheAgentIsToldToRouseTheProcessors(t *testing.T) {
	roused, fails := 0, errors.New("no processors")
	c := clientOf(t, func(s *Server) {
		s.Rouse = func() error {
			if roused++; roused > 2 {
				return fails
			}
			return nil
		}
	})
	for range 2 {
		if err := c.Rouse(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Rouse(within(t)); err == nil || !strings.HasSuffix(err.Error(), "the agent refuses: no processors") || roused != 3 {
		t.Errorf("Rouse = %v, after %d", err, roused)
	}
	if err := newClient(t).Rouse(within(t)); err == nil || !strings.Contains(err.Error(), "it does not know rouse@virtmatrix") {
		t.Errorf("Rouse of an agent that cannot = %v", err)
	}
	c.Close()
	if err := c.Rouse(within(t)); err == nil {
		t.Error("Rouse of a session that has ended is no error")
	}
}
