package agent

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// channelRestart is the SSH channel that stands for a restart: it is opened when the
// service is up again, and refused with the reason otherwise. A request of the
// session would keep all others waiting meanwhile.
const channelRestart = "restart@virtmatrix"

type restartRequest struct {
	Service string
	Signal  uint32
}

// Restart ends a service of L1 by a signal and starts it again, with the same command
// line and the same log. It returns when the service's socket is answered again, or
// with what the agent says went wrong, in the words that follow FaultLine. The error
// is about the connection only.
func (c *Client) Restart(ctx context.Context, service string, signal syscall.Signal) (says string, err error) {
	ch, err := c.openOwn(ctx, channelRestart, restartRequest{service, uint32(signal)})
	var no *ssh.OpenChannelError
	switch {
	case err == nil:
		_ = ch.Close() // it has said all by being there
		return "", nil
	case errors.As(err, &no):
		return no.Message, nil
	}
	return "", fmt.Errorf("cannot restart %s in L1: %w", service, err)
}

func (s *Server) serveRestart(nc ssh.NewChannel) {
	var p restartRequest
	err := ssh.Unmarshal(nc.ExtraData(), &p)
	switch {
	case err != nil:
	case s.Restart == nil:
		err = fmt.Errorf("restart %s: this agent has no services", p.Service)
	default:
		err = s.Restart(p.Service, syscall.Signal(p.Signal))
	}
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	if ch, requests, err := nc.Accept(); err == nil {
		go ssh.DiscardRequests(requests)
		ch.Close()
	}
}
