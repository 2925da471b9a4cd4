package host

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

const emulatorName = "qemu-system-x86_64"

// flawEnv tells the fake emulator what to do wrong.
const flawEnv = "HOST_TEST_FLAW"

// TestMain makes the test binary an emulator when it is called like one.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != emulatorName {
		os.Exit(m.Run())
	}
	e := &machine{flaw: os.Getenv(flawEnv)}
	if err := e.run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fake emulator:", err)
		os.Exit(1)
	}
}

// machine is an emulator without a machine: it has a console, a disk, QMP and an
// agent. Its memory is a token, which the agent puts before what it is told.
type machine struct {
	flaw                     string
	console, scratch, memory string
	qmp, port                net.Listener
	token                    string
	out                      *json.Encoder
	mu                       sync.Mutex
	// reboots says that a reset boots it anew.
	reboots bool
}

// tokenAt is where a machine's memory holds its token.
const tokenAt = 5 << 20

// padding makes the state larger than the socket's buffer.
var padding = strings.Repeat("p", 3<<20)

func (m *machine) run(args []string) (err error) {
	incoming := false
	for i, a := range args {
		_, path, _ := strings.Cut(a, "path=")
		switch {
		case strings.HasPrefix(a, "socket,id=agent"):
			m.port, err = net.Listen("unix", path)
		case strings.HasPrefix(a, "file,id=console"):
			m.console = path
		case a == "-qmp":
			path, _, _ := strings.Cut(strings.TrimPrefix(args[i+1], "unix:"), ",")
			m.qmp, err = net.Listen("unix", path)
		case a == "-incoming":
			incoming = true
		case strings.HasPrefix(a, "memory-backend-file"):
			_, rest, _ := strings.Cut(a, "mem-path=")
			m.memory, _, _ = strings.Cut(rest, ",")
		case strings.Contains(a, "id=scratch"):
			_, rest, _ := strings.Cut(a, "file=")
			m.scratch, _, _ = strings.Cut(rest, ",")
		}
		if err != nil {
			return err
		}
	}
	if !incoming {
		if err := m.boot(); err != nil {
			return err
		}
	}
	conn, err := m.qmp.Accept()
	if err != nil {
		return err
	}
	return m.serve(conn)
}

func (m *machine) boot() error {
	m.token = rand.Text()
	for path, at := range map[string]int64{m.scratch: scratchBytes / 2, m.memory: tokenAt} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte(m.token), at); err != nil {
			return err
		}
	}
	if err := m.print("[    0.0] Linux version 6.1\n"); err != nil {
		return err
	}
	if m.flaw == "warns" {
		if err := m.print("[    1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x\n"); err != nil {
			return err
		}
	}
	go m.serveAgent()
	return nil
}

func (m *machine) print(text string) error {
	f, err := os.OpenFile(m.console, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.WriteString(f, text)
	return err
}

// freshFile is where the fake agent notes what it was told to freshen, kicksFile
// where it leaves a byte each time that it was told to kick the processors.
const (
	freshFile = "fresh.json"
	kicksFile = "kicks"
)

func (m *machine) serveAgent() {
	server, err := agent.NewServer()
	if err != nil {
		panic(err)
	}
	server.Shell = []string{"echo", m.token}
	server.Freshen = func(f agent.Fresh) error {
		if m.flaw == "dazed" {
			select {}
		}
		b, err := json.Marshal(f)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(filepath.Dir(m.console), freshFile), b, 0o644)
	}
	server.Kick = func() error {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(m.console), kicksFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString("x")
		return err
	}
	_ = server.Listen(&plug{l: m.port})
}

// plug is a port of one harness after another.
type plug struct {
	l    net.Listener
	conn net.Conn
}

func (p *plug) Read(b []byte) (int, error) {
	if p.conn == nil {
		conn, err := p.l.Accept()
		if err != nil {
			return 0, net.ErrClosed
		}
		p.conn = conn
	}
	n, err := p.conn.Read(b)
	if err != nil {
		p.conn, err = nil, io.EOF
	}
	return n, err
}

func (p *plug) Write(b []byte) (int, error) { return p.conn.Write(b) }

func (m *machine) say(message any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.out.Encode(message)
}

func (m *machine) event(status string) {
	m.say(map[string]any{"event": "MIGRATION", "data": map[string]any{"status": status}, "timestamp": map[string]any{"seconds": 1, "microseconds": 2}})
}

func (m *machine) serve(conn net.Conn) error {
	m.out = json.NewEncoder(conn)
	m.say(map[string]any{"QMP": map[string]any{"version": map[string]any{"qemu": map[string]any{"major": 7, "minor": 2}}, "capabilities": []string{}}})
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var c struct {
			ID        string
			Execute   string
			Arguments struct {
				URI    string
				Line   string `json:"command-line"`
				Reboot string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		if c.Execute == "set-action" {
			m.reboots = c.Arguments.Reboot == "reset"
		}
		if err := m.do(c.Execute, strings.TrimPrefix(c.Arguments.URI, "unix:")); err != nil {
			m.say(map[string]any{"id": c.ID, "error": map[string]any{"class": "GenericError", "desc": err.Error()}})
			continue
		}
		var value any = map[string]any{}
		if c.Execute == "human-monitor-command" {
			value = m.human(c.Arguments.Line)
		}
		m.say(map[string]any{"id": c.ID, "return": value})
	}
	select {} // the harness is done with it, and ends it
}

func (m *machine) do(command, path string) error {
	switch command {
	case "human-monitor-command":
		if m.flaw == "no monitor" {
			return fmt.Errorf("it has no monitor")
		}
	case "stop":
		if m.flaw == "hung" {
			select {}
		}
		if m.flaw == "stalls" {
			return m.print("[    2.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:1]\n")
		}
	case "cont":
		if m.flaw == "lame" {
			return fmt.Errorf("it cannot run")
		}
		return m.resume()
	case "system_reset":
		if !m.reboots {
			os.Exit(0) // -no-reboot
		}
		return m.print("[    0.0] Linux version 6.1, after a reset\n")
	case "migrate":
		if m.flaw == "stingy" {
			return fmt.Errorf("it cannot be migrated")
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		go m.send(conn)
	case "migrate-incoming":
		l, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		go m.receive(l)
	}
	return nil
}

// human answers what a person would ask at the monitor.
func (m *machine) human(line string) string {
	if m.flaw == "verbose" {
		return strings.Repeat("R", 2*maxRegisters)
	}
	return line + ": RIP=ffffffff81000000"
}

// resumed is what a restored machine prints first.
const resumed = "[   99.0] resumed\n"

// resume lets a restored machine run; one that was booted does already.
func (m *machine) resume() error {
	if strings.HasPrefix(m.token, "restored ") {
		m.token = strings.TrimPrefix(m.token, "restored ")
		switch m.flaw {
		case "mute":
			go spin()
		case "panics":
			return m.print(resumed + "[   99.1] Kernel panic - not syncing: x\n")
		default:
			go m.serveAgent()
		}
		return m.print(resumed)
	}
	return nil
}

func (m *machine) send(conn net.Conn) {
	_, err := io.WriteString(conn, padding+"end")
	conn.Close()
	if err != nil {
		m.event("failed")
		return
	}
	m.event("completed")
}

func (m *machine) receive(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		panic(err)
	}
	switch m.flaw {
	case "refuses":
		m.refuse("Invalid argument")
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "slow":
		time.Sleep(time.Second)
	}
	state, _ := io.ReadAll(conn)
	f, err := os.Open(m.memory)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	token := make([]byte, len(rand.Text()))
	if _, err := f.ReadAt(token, tokenAt); err != nil || string(state) != padding+"end" {
		m.refuse("Input/output error")
	}
	m.token = "restored " + string(token)
	m.event("completed")
}

// refuse ends like an emulator that does not take a state.
func (m *machine) refuse(why string) {
	m.event("failed")
	fmt.Fprintln(os.Stderr, "fake emulator: load of migration failed: "+why)
	os.Exit(1)
}

// spin takes some of a processor, as a guest does that gets nowhere.
func spin() {
	for {
		time.Sleep(10 * time.Millisecond)
	}
}
