package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// requestFresh is the SSH request that carries a Fresh. The reply to one that was
// refused holds the reason.
const requestFresh = "fresh@virtmatrix"

// SeedBytes is how long a seed is.
const SeedBytes = 64

// Fresh is what a restored host must not share with those that were restored from
// the same snapshot, and must not keep from the time when that was made.
type Fresh struct {
	// Time is what the clock is set to.
	Time time.Time
	// Seed is fed to the kernel's random number generator and counted as random. It
	// has SeedBytes.
	Seed []byte
	// MachineID is the new machine-id, in 32 hexadecimal digits (machine-id(5)).
	MachineID string
}

// freshPayload is a Fresh on the wire; the time is in nanoseconds since 1970.
type freshPayload struct {
	Nanos     uint64
	Seed      string
	MachineID string
}

// Freshen makes L1 a host of its own. It returns when that is done.
func (c *Client) Freshen(ctx context.Context, f Fresh) error {
	ended := make(chan error, 1)
	go func() {
		ok, reply, err := c.ssh.SendRequest(requestFresh, true, ssh.Marshal(freshPayload{uint64(f.Time.UnixNano()), string(f.Seed), f.MachineID}))
		if err == nil && !ok {
			err = fmt.Errorf("the agent refuses: %s", reply)
		}
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return because(ctx, "freshen host", err)
	}
	return nil
}

// serveRequests answers what is asked of the session as a whole.
func (s *Server) serveRequests(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.Type != requestFresh || s.Freshen == nil {
			_ = req.Reply(false, []byte("it does not know "+req.Type))
			continue
		}
		var p freshPayload
		err := ssh.Unmarshal(req.Payload, &p)
		if err == nil {
			err = s.Freshen(Fresh{Time: time.Unix(0, int64(p.Nanos)), Seed: []byte(p.Seed), MachineID: p.MachineID})
		}
		if err != nil {
			_ = req.Reply(false, []byte(err.Error()))
			continue
		}
		_ = req.Reply(true, nil)
	}
}
