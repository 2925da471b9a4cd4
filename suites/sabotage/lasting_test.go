package sabotage

import (
	"net"
	"testing"
	"time"
)

func TestALastingConnectionEndsWhenItIsClosed(t *testing.T) {
	daemon, relay := net.Pipe()
	_ = daemon.Close()
	l := &lasting{Conn: relay, closed: make(chan struct{})}
	ended := make(chan struct{})
	go func() { _, _ = l.Read(make([]byte, 1)); close(ended) }()
	if n, err := l.Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	select {
	case <-ended:
		t.Error("it ended with its daemon")
	case <-time.After(50 * time.Millisecond):
	}
	_ = l.Close()
	<-ended
}
