package imageboot

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// longestLine is what is read of one answer of an agent.
const longestLine = 64 << 10

// askAgent asks the guest agent for a number that nobody else knows (guest-sync, qga's
// protocol). The error is what came instead.
func (m *machine) askAgent(ctx context.Context) error {
	limit := time.Duration(float64(agentLimit) * m.Scale)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", m.path("agent"))
	if err != nil {
		return fmt.Errorf("its channel takes no connection: %w", err)
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	id := rand.Int64N(1 << 40)
	if _, err := fmt.Fprintf(c, "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":%d}}\n", id); err != nil {
		return fmt.Errorf("the agent that is shipped takes no command: %w", err)
	}
	answers := bufio.NewScanner(io.LimitReader(c, 1<<20))
	answers.Buffer(nil, longestLine)
	for answers.Scan() {
		var said struct {
			Return int64 `json:"return"`
		}
		if json.Unmarshal(answers.Bytes(), &said) == nil && said.Return == id {
			return nil
		}
	}
	return fmt.Errorf("the agent that is shipped did not answer guest-sync within %s", limit.Round(time.Second))
}
