package sabotage

import (
	"io"
	"net"
	"testing"
)

func TestAGarbledConnectionEndsInWhatIsNoMessage(t *testing.T) {
	daemon, relay := net.Pipe()
	go func() { _, _ = daemon.Write([]byte("said")); _ = daemon.Close() }()
	got, err := io.ReadAll(&garbled{Conn: relay})
	if err != nil || string(got) != "said\xff\xff\xff\xff\xff\xff\xff\xff" {
		t.Errorf("read %q, %v", got, err)
	}
}
