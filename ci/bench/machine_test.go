package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHowBusyAMachineIs(t *testing.T) {
	got, err := parseStat("cpu  100 20 30 4000 500 6 7 8 50 9\ncpu0 1 2 3 4\n")
	if want := 100.0 + 20 + 30 + 6 + 7 + 8; err != nil || got != want {
		t.Errorf("parseStat = %v, %v, want %v", got, err, want)
	}
	if _, err := parseStat("intr 5"); err == nil {
		t.Error("no processors, and no error")
	}
}

func TestWhatProcessesAreCalled(t *testing.T) {
	host := proc{argv: []string{"/usr/bin/qemu-system-x86_64", "-nodefaults"}}
	if !host.isHost() || (proc{argv: []string{"virtmatrix-guard"}}).isHost() || (proc{}).isHost() {
		t.Error("hosts are not told from others")
	}
}

func TestAChildIsFoundWithItsMemory(t *testing.T) {
	child := exec.Command("cat", "-", "/dev/null")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { child.Process.Kill(); child.Wait() }()
	// Until its program runs, /proc tells of no command line.
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	all := descendants(os.Getpid())
	if !slices.ContainsFunc(all, func(p proc) bool {
		return p.pid == child.Process.Pid && slices.Equal(p.argv, child.Args) && p.name() == "cat"
	}) {
		t.Errorf("descendants = %v", all)
	}
	whole, part, err := resident(os.Getpid())
	if err != nil || part <= 0 || whole < part {
		t.Errorf("resident = %v, %v, %v", whole, part, err)
	}
}

func TestACommandOfPlainQEMU(t *testing.T) {
	c, err := parseCommand([]string{
		"qemu-system-x86_64", "-object", "memory-backend-file,id=ram,size=2048M,mem-path=/proc/7/fd/9,share=off",
		"-chardev", "file,id=console,path=/logs/host-1/console.log", "-qmp", "unix:/run/vm-1/qmp.sock,server=on",
		"-drive", "file=/cache/vm-2/scratch.img", "-initrd", "/cache/vm-2/initramfs", "-S", "-incoming", "defer",
	}, "/logs/host-1")
	if err != nil {
		t.Fatal(err)
	}
	plain := c.without("-S", 0).without("-incoming", 1).in("/d")
	for _, want := range []struct {
		memory string
		argv   []string
	}{
		{"/snap/memory", []string{"-object", "memory-backend-file,id=ram,size=2048M,mem-path=/snap/memory,share=off"}},
		{"", []string{"-object", "memory-backend-ram,id=ram,size=2048M"}},
	} {
		argv := append([]string{"qemu-system-x86_64"}, want.argv...)
		argv = append(argv, "-chardev", "file,id=console,path=/d/console.log", "-qmp", "unix:/d/qmp.sock,server=on", "-drive", "file=/d/scratch.img", "-initrd", "/d/initramfs")
		if got := plain.mapping(want.memory).argv; !slices.Equal(got, argv) {
			t.Errorf("the command is\n%q, want\n%q", got, argv)
		}
	}
	if len(c.argv) != 14 {
		t.Errorf("the host's own command changed: %q", c.argv)
	}
	if _, err := parseCommand([]string{"qemu-system-x86_64", "-S"}, "/logs"); err == nil {
		t.Error("a command line without sockets was read")
	}
}

func TestWhatAScriptSays(t *testing.T) {
	got, err := marks("mark O-CONN 10.5\nnoise\nmark O-DEF 12.0\nmark end 15.25\n")
	if err != nil || len(got) != 2 || got["O-CONN"] != 1.5 || got["O-DEF"] != 3.25 {
		t.Errorf("marks = %v, %v", got, err)
	}
	for _, cut := range []string{"", "mark O-CONN 10.5\n", "mark O-CONN soon\nmark end 11\n"} {
		if _, err := marks(cut); err == nil {
			t.Errorf("%q was read to its end", cut)
		}
	}
}

func TestTheScriptDoesWhatTheChecksDo(t *testing.T) {
	var marked []string
	for line := range strings.Lines(string(script)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "mark "); ok && name != "end" {
			marked = append(marked, name)
		}
	}
	if !slices.Equal(marked, checks) {
		t.Errorf("the script has %q, the harness is asked %q", marked, checks)
	}
	if out, err := exec.Command("sh", "-n", "l1/checks.sh").CombinedOutput(); err != nil {
		t.Errorf("the script: %v: %s", err, out)
	}
	if out, err := exec.Command("perl", "-c", "l1/talk.pl").CombinedOutput(); err != nil {
		t.Errorf("its client: %v: %s", err, out)
	}
}

func TestFilesThatATraceShows(t *testing.T) {
	got := opened(`12 openat(AT_FDCWD, "/etc/apt/sources.list", O_RDONLY|O_CLOEXEC) = 3
12 openat(AT_FDCWD, "/etc/apt/sources.list", O_RDONLY) = 4
13 openat(AT_FDCWD, "/missing", O_RDONLY) = -1 ENOENT (No such file or directory)
13 openat(AT_FDCWD, "/tmp/new", O_WRONLY|O_CREAT, 0666) = 5
13 openat(AT_FDCWD, "/proc/self/maps", O_RDONLY) = 6
`)
	if !slices.Equal(got, []string{"/etc/apt/sources.list"}) {
		t.Errorf("opened = %q", got)
	}
}

func TestWhenAHostBeganToRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l0-qmp.ndjson")
	text := `{"time":"2026-01-02T03:04:05Z","dir":"sent","message":{"execute":"cont"}}
{"time":"2026-01-02T03:04:06Z","dir":"received","message":{"event":"RESUME"}}
{"time":"2026-01-02T03:04:07Z","dir":"received","message":{"event":"RESUME"}}
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if at, err := resumed(path); err != nil || at.Second() != 6 {
		t.Errorf("resumed = %v, %v", at, err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if at, err := resumed(path); err == nil {
		t.Errorf("a host that never ran did at %v", at)
	}
}

func TestASoakNamesWhatGrew(t *testing.T) {
	var held []map[string]float64
	for i := range 10 {
		held = append(held, map[string]float64{"sockets": 5 + float64(i), "files": 7, memoryName: float64(30<<20 + i<<10)})
	}
	rows := soakRows(3, []float64{1, 1, 1}, held)
	last := rows[len(rows)-1]
	if last.verdict() != missed || !strings.Contains(strings.Join(last.Notes, "\n"), "grew: sockets, from 5 to 14") || strings.Contains(strings.Join(last.Notes, "\n"), "grew: files") {
		t.Errorf("%s: %q", last.verdict(), last.Notes)
	}
	for _, h := range held {
		h["sockets"] = 5
	}
	rows = soakRows(3, []float64{1, 1, 1}, held)
	if last = rows[len(rows)-1]; last.verdict() != met {
		t.Errorf("nothing grew: %s, %q", last.verdict(), last.Notes)
	}
	rows = soakRows(500, []float64{1, 1, 1}, held)
	if last = rows[len(rows)-1]; last.verdict() != tooFew || rows[0].columns()[2] != "3 of 500" {
		t.Errorf("nothing grew until it was cut short: %s, %q", last.verdict(), rows[0].columns())
	}
	if rows = soakRows(500, nil, nil); len(rows) != 1 || rows[0].columns()[2] != "0 of 500" {
		t.Errorf("the first restore failed: %+v", rows)
	}
}

func TestProcessesAreListedByMemory(t *testing.T) {
	if got := processes(map[string]float64{"ginkgo": 20 << 20, "suites.test": 80 << 20}); got != "suites.test 80 MiB, ginkgo 20 MiB" {
		t.Errorf("processes = %q", got)
	}
}
