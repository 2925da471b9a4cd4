package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/probe"
	"golang.org/x/sys/unix"
)

// packetWait bounds how long a datagram may take through the kernel. On an
// emulated machine that takes milliseconds.
const packetWait = 20 * time.Second

func askPacket(netns, from, to string) (answer probe.Packet) {
	source, err := sendPacket(netns, from, to)
	answer.Source, answer.Error = source, errText(err)
	return answer
}

func sendPacket(netns, from, to string) (string, error) {
	dst, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return "", fmt.Errorf("cannot read address: %w", err)
	}
	receiver, err := listenIn(netns, dst)
	if err != nil {
		return "", err
	}
	defer receiver.Close()
	sender, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, dst)
	if err != nil {
		return "", fmt.Errorf("cannot open sender: %w", err)
	}
	defer sender.Close()
	if _, err := sender.Write([]byte("virtmatrix")); err != nil {
		return "", fmt.Errorf("cannot send: %w", err)
	}
	if err := receiver.SetReadDeadline(time.Now().Add(packetWait)); err != nil {
		return "", fmt.Errorf("cannot receive: %w", err)
	}
	_, seen, err := receiver.ReadFromUDP(make([]byte, 64))
	if err != nil {
		return "", fmt.Errorf("cannot receive: %w", err)
	}
	return seen.IP.String(), nil
}

// listenIn opens a socket in another network namespace. A socket stays in the
// namespace of the thread that made it; that thread is not used again.
func listenIn(netns string, at *net.UDPAddr) (conn *net.UDPConn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var ns *os.File
		if ns, err = os.Open(netns); err != nil {
			return
		}
		defer ns.Close()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = net.ListenUDP("udp", at)
		}
	}()
	<-done
	if err != nil {
		return nil, fmt.Errorf("cannot listen in %s: %w", netns, err)
	}
	return conn, nil
}
