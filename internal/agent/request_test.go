package agent

import (
	"errors"
	"strings"
	"testing"
)

func TestTheAgentIsToldToRouseTheProcessors(t *testing.T) {
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	roused, fails := 0, errors.New("no processors")
	server.Rouse = func() error {
		if roused++; roused > 2 {
			return fails
		}
		return nil
	}
	l0, l1 := socketPair(t)
	go func() { _ = server.Listen(l1) }()
	c := connect(t, l0)
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
