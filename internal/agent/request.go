package agent

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// requestKick is the SSH request to kick the processors.
const requestKick = "kick@virtmatrix"

// Kick makes each of L1's processors take an interrupt. It returns when they have.
func (c *Client) Kick(ctx context.Context) error {
	return c.ask(ctx, "kick processors", requestKick, nil)
}

// ask asks the agent something of the session as a whole. The reply of an agent that
// refuses holds the reason.
func (c *Client) ask(ctx context.Context, op, request string, payload []byte) error {
	err := until(ctx, func() error {
		ok, reply, err := c.ssh.SendRequest(request, true, payload)
		if err == nil && !ok {
			err = fmt.Errorf("the agent refuses: %s", reply)
		}
		return err
	})
	if err != nil {
		return because(ctx, op, err)
	}
	return nil
}

// serveRequests answers what is asked of the session as a whole.
func (s *Server) serveRequests(requests <-chan *ssh.Request) {
	for req := range requests {
		if err := s.grant(req); err != nil {
			_ = req.Reply(false, []byte(err.Error()))
			continue
		}
		_ = req.Reply(true, nil)
	}
}

// grant does what is asked; the error says why not.
func (s *Server) grant(req *ssh.Request) error {
	switch {
	case req.Type == requestFresh && s.Freshen != nil:
		f, err := parseFresh(req.Payload)
		if err != nil {
			return err
		}
		return s.Freshen(f)
	case req.Type == requestKick && s.Kick != nil:
		return s.Kick()
	}
	return fmt.Errorf("it does not know %s", req.Type)
}
