package admit

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// machineOf lays out a machine's files.
func machineOf(t *testing.T, files map[string]string) Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Root: root}
}

const (
	meminfo = "MemTotal:       16777216 kB\nMemFree:          100000 kB\nMemAvailable:    8388608 kB\n"
	v2Mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	v1Mount = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	docker  = "35 31 0:32 /docker/c0ffee /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)

func TestMemoryIsThatOfTheTightestGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		files       map[string]string
		free, total int
	}{
		"no group": {nil, 8192, 16384},
		"version 2, no limit": {map[string]string{
			"proc/self/cgroup": "0::/user\n", "proc/self/mountinfo": v2Mount,
			"sys/fs/cgroup/user/memory.max": "max\n", "sys/fs/cgroup/user/memory.current": "1\n",
		}, 8192, 16384},
		"version 2, the parent's limit": {map[string]string{
			"proc/self/cgroup": "0::/ci/job\n", "proc/self/mountinfo": v2Mount,
			"sys/fs/cgroup/ci/job/memory.max": "max\n",
			"sys/fs/cgroup/ci/memory.max":     "4294967296\n", "sys/fs/cgroup/ci/memory.current": "2147483648\n",
			"sys/fs/cgroup/ci/memory.stat": "anon 5\ninactive_file 1073741824\nactive_file 7\n",
		}, 3072, 4096},
		"version 2, less free than the limit leaves": {map[string]string{
			"proc/self/cgroup": "0::/ci\n", "proc/self/mountinfo": v2Mount,
			"sys/fs/cgroup/ci/memory.max": "17179869184\n", "sys/fs/cgroup/ci/memory.current": "1073741824\n",
		}, 8192, 16384},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:devices:/other\n4:memory:/job\n0::/\n", "proc/self/mountinfo": v1Mount,
			"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "3221225472\n", "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2048, 3072},
		"version 1, within a container": {map[string]string{
			"proc/self/cgroup": "4:memory:/docker/c0ffee\n", "proc/self/mountinfo": docker,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "3221225472\n",
			"sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
		}, 0, 2048},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"proc/meminfo": meminfo}
			maps.Copy(files, tc.files)
			free, total, err := machineOf(t, files).memory()
			if err != nil || free != tc.free || total != tc.total {
				t.Errorf("%d of %d MiB (%v), want %d of %d", free, total, err, tc.free, tc.total)
			}
		})
	}
}

func TestAMachineWithoutProcSaysSo(t *testing.T) {
	if _, err := machineOf(t, nil).Read(""); err == nil {
		t.Error("it is read")
	}
	if _, err := machineOf(t, map[string]string{"proc/meminfo": meminfo, "proc/stat": "intr 7\n"}).Read(""); err == nil {
		t.Error("its processors are read")
	}
}

func TestThisMachineIsRead(t *testing.T) {
	r, err := Machine{Root: "/"}.Read(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if r.FreeMB <= 0 || r.TotalMB < r.FreeMB || r.Processors < 1 || r.DiskMB <= 0 || r.ticks == 0 {
		t.Errorf("read %d of %d MiB, %d processors, %d MiB of disk, %d ticks", r.FreeMB, r.TotalMB, r.Processors, r.DiskMB, r.ticks)
	}
	table, err := Machine{Root: "/"}.processes()
	if err != nil {
		t.Fatal(err)
	}
	if me := os.Getpid(); table.parent[me] != os.Getppid() || table.memory(me) < 1 {
		t.Errorf("this process: parent %d, %d MiB", table.parent[me], table.memory(me))
	}
}

func TestProcessesAreReadWhateverTheirNames(t *testing.T) {
	m := machineOf(t, map[string]string{
		"proc/7/stat":   "7 (a) S 1 (b) R 3 7 7 0 -1 0 1 2 3 4 10 20 30 40 20 0 1\n",
		"proc/7/status": "Name:\ta) S 1 (b\nRssAnon:\t    2048 kB\nRssFile:\t  999999 kB\nRssShmem:\t    1024 kB\n",
		"proc/8/stat":   "8 (torn",
	})
	table, err := m.processes()
	if err != nil {
		t.Fatal(err)
	}
	if table.parent[7] != 3 || table.ticks[7] != 100 || table.memory(7) != 3 {
		t.Errorf("parent %d, %d ticks, %d MiB", table.parent[7], table.ticks[7], table.memory(7))
	}
	if _, there := table.parent[8]; there {
		t.Error("a torn line is a process")
	}
}

// family: 10 is a harness with a guard 11 and its emulator 12; 20 is another
// harness below it with an emulator 21; 30 is a container's first process.
func family(ticks map[int]uint64) table {
	return table{
		children: map[int][]int{1: {10, 30, 40}, 10: {11, 20}, 11: {12}, 20: {21}, 30: {31}},
		ticks:    ticks,
		memory: func(pid int) int {
			return map[int]int{10: 50, 11: 2, 12: 1000, 20: 60, 21: 300, 30: 5, 31: 400, 40: 9999}[pid]
		},
	}
}

func claims() []claimed {
	need := func(mb int) Need { return Need{MemoryMB: mb, Processors: 1} }
	return []claimed{
		{number: 1, state: state{Need: need(700), Owner: 10, Root: 10, Held: true}},
		{number: 2, state: state{Need: need(700), Owner: 10, Root: 10, Held: true}},
		{number: 3, state: state{Need: need(2500), Owner: 20, Root: 20, Held: true}},
		{number: 4, state: state{Need: need(600), Owner: 20, Root: 30, Held: true}},
		{number: 5, state: state{Need: need(2500), Owner: 50, Root: 50}},
	}
}

func TestWhatAClaimHasTakenIsThatOfItsTree(t *testing.T) {
	var used []int
	for _, h := range heldOf(claims(), family(nil)) {
		used = append(used, h.usedMB)
	}
	// 11 and 12 have 1002 MiB, which two claims share; 21 has 300, 30 and 31 have 405.
	want := []int{700, 302, 300, 405}
	if len(used) != len(want) {
		t.Fatalf("%d claims are held", len(used))
	}
	for i := range want {
		if used[i] != want[i] {
			t.Errorf("claims have taken %v MiB, want %v", used, want)
			break
		}
	}
}

func TestOthersAreWhatNoClaimRuns(t *testing.T) {
	var m meter
	begin := time.Now()
	if _, known := m.look(begin, 1000, family(map[int]uint64{12: 100, 40: 5}), claims()); known {
		t.Error("it is known at once")
	}
	if _, known := m.look(begin.Add(window/2), 1100, table{}, claims()); known {
		t.Error("it is known before the window's end")
	}
	// In two seconds of two processors: 150 ticks of one emulator, 40 of another,
	// 10 of a harness, and 100 of somebody else.
	busy, known := m.look(begin.Add(2*window), 1300, family(map[int]uint64{12: 250, 21: 40, 20: 10, 40: 105}), claims())
	if !known || busy != 0.5 {
		t.Errorf("others keep %g busy (known: %t), want 0.5", busy, known)
	}
	if busy, known = m.look(begin.Add(2*window+window/2), 9999, table{}, nil); !known || busy != 0.5 {
		t.Errorf("shortly after, it is %g (known: %t)", busy, known)
	}
}
