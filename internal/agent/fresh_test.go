package agent

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// clientOf is a client of an agent that was given what it can do.
func clientOf(t *testing.T, give func(*Server)) *Client {
	t.Helper()
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	give(server)
	l0, l1 := socketPair(t)
	go func() { _ = server.Listen(l1) }()
	return connect(t, l0)
}

// freshAgent is a client of an agent that freshens as it is told to.
func freshAgent(t *testing.T, freshen func(Fresh) error) *Client {
	t.Helper()
	return clientOf(t, func(s *Server) { s.Freshen = freshen })
}

func TestTheAgentIsToldWhatToFreshen(t *testing.T) {
	want := Fresh{Time: time.Unix(1234567890, 987654321), Seed: bytes.Repeat([]byte{0, 255}, SeedBytes/2), MachineID: strings.Repeat("0a", 16)}
	var got Fresh
	c := freshAgent(t, func(f Fresh) error { got = f; return nil })
	if err := c.Freshen(within(t), want); err != nil {
		t.Fatal(err)
	}
	if !got.Time.Equal(want.Time) || !bytes.Equal(got.Seed, want.Seed) || got.MachineID != want.MachineID {
		t.Errorf("the agent was told %+v, want %+v", got, want)
	}
	echoes(t, c, "as before")
}

func TestAnAgentThatCannotFreshenSaysWhy(t *testing.T) {
	c := freshAgent(t, func(Fresh) error { return errors.New("no such clock") })
	if err := c.Freshen(within(t), Fresh{}); err == nil || !strings.HasSuffix(err.Error(), "the agent refuses: no such clock") {
		t.Errorf("Freshen = %v", err)
	}
	if err := newClient(t).Freshen(within(t), Fresh{}); err == nil || !strings.Contains(err.Error(), "it does not know fresh@virtmatrix") {
		t.Errorf("Freshen of an agent that cannot = %v", err)
	}
}

func TestFresheningEndsWithTheContext(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	c := freshAgent(t, func(Fresh) error { <-hold; return nil })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := c.Freshen(ctx, Fresh{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Freshen = %v", err)
	}
}
