package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// portPair is a port and the harness's end of it. A socket whose peer has closed
// reads as zero bytes, as the device does while no harness is connected.
func portPair(t *testing.T) (p *port, harness int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]) })
	return &port{fd: fds[0]}, fds[1]
}

func TestThePortReadsAsItsEndWhileNoHarnessIsThere(t *testing.T) {
	p, harness := portPair(t)
	if _, err := unix.Write(harness, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := p.Read(b); n != 5 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	unix.Close(harness)
	for range 2 {
		if n, err := p.Read(b); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("Read = %d, %v; want the end", n, err)
		}
	}
}

func TestThePortWritesAll(t *testing.T) {
	p, harness := portPair(t)
	long := bytes.Repeat([]byte("0123456789"), 1<<17) // more than the socket holds
	failed := make(chan error, 1)
	go func() {
		n, err := p.Write(long)
		if err == nil && n != len(long) {
			err = io.ErrShortWrite
		}
		failed <- err
	}()
	var got bytes.Buffer
	b := make([]byte, 1<<16)
	for got.Len() < len(long) {
		n, err := unix.Read(harness, b)
		if err != nil || n == 0 {
			t.Fatalf("%d bytes came, then %v", got.Len(), err)
		}
		got.Write(b[:n])
	}
	if err := <-failed; err != nil || !bytes.Equal(got.Bytes(), long) {
		t.Errorf("Write = %v", err)
	}
}

func TestAPortThatFailsSaysSo(t *testing.T) {
	p := &port{fd: -1}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, unix.EBADF) {
		t.Errorf("Read = %v", err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, unix.EBADF) {
		t.Errorf("Write = %v", err)
	}
}

func TestWhatAppearsIsWaitedForWithPatience(t *testing.T) {
	asked := 0
	found, ok := appears(time.Minute, func() (string, bool) { asked++; return "/dev/vda", asked == 3 })
	if found != "/dev/vda" || !ok || asked != 3 {
		t.Errorf("found %q, %v, after %d looks", found, ok, asked)
	}
	asked = 0
	if _, ok := appears(0, func() (string, bool) { asked++; return "", false }); ok || asked != 1 {
		t.Errorf("without patience: found %v after %d looks", ok, asked)
	}
}
