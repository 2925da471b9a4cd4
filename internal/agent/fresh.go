package agent

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"
)

// requestFresh is the SSH request that carries a Fresh.
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
	payload := freshPayload{uint64(f.Time.UnixNano()), string(f.Seed), f.MachineID}
	return c.ask(ctx, "freshen host", requestFresh, ssh.Marshal(payload))
}

func parseFresh(payload []byte) (Fresh, error) {
	var p freshPayload
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return Fresh{}, err
	}
	return Fresh{Time: time.Unix(0, int64(p.Nanos)), Seed: []byte(p.Seed), MachineID: p.MachineID}, nil
}
