package admit

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// machineOf lays out a machine's files.
func machineOf(t *testing.T, files map[string]string) machine {
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
	return machine{root: root}
}

const meminfo = "MemTotal:       16777216 kB\nMemFree:          100000 kB\nMemAvailable:    8388608 kB\n"

func TestMemoryIsThatOfTheTightestGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		files       map[string]string
		free, total int
	}{
		"no group": {nil, 8192, 16384},
		"version 2, no limit": {map[string]string{
			"proc/self/cgroup":              "0::/user\n",
			"sys/fs/cgroup/user/memory.max": "max\n", "sys/fs/cgroup/user/memory.current": "1\n",
		}, 8192, 16384},
		"version 2, the parent's limit": {map[string]string{
			"proc/self/cgroup":                "0::/ci/job\n",
			"sys/fs/cgroup/ci/job/memory.max": "max\n",
			"sys/fs/cgroup/ci/memory.max":     "4294967296\n", "sys/fs/cgroup/ci/memory.current": "2147483648\n",
			"sys/fs/cgroup/ci/memory.stat": "anon 5\ninactive_file 1073741824\nactive_file 7\n",
		}, 3072, 4096},
		"version 2, less free than the limit leaves": {map[string]string{
			"proc/self/cgroup":            "0::/ci\n",
			"sys/fs/cgroup/ci/memory.max": "17179869184\n", "sys/fs/cgroup/ci/memory.current": "1073741824\n",
		}, 8192, 16384},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:devices:/other\n4:memory:/job\n0::/\n",
			"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "3221225472\n", "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2048, 3072},
		"version 1, within a container": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/c0ffee\n",
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
	for _, files := range []map[string]string{nil, {"proc/meminfo": "MemFree: 7 kB\n"}} {
		if _, err := machineOf(t, files).read(""); err == nil {
			t.Errorf("%v is read", files)
		}
	}
}

func TestPressureIsThatOfTheLastTenSeconds(t *testing.T) {
	for text, want := range map[string]float64{"some avg10=95.99 avg60=93.99 avg300=84.96 total=9\nfull avg10=1.00\n": 95.99, "": 0} {
		r, err := machineOf(t, map[string]string{"proc/meminfo": meminfo, "proc/pressure/cpu": text}).read("")
		if err != nil || r.Pressure != want {
			t.Errorf("%q is %g (%v), want %g", text, r.Pressure, err, want)
		}
	}
}

func TestThisMachineIsRead(t *testing.T) {
	m := machine{root: "/"}
	r, err := m.read(t.TempDir())
	if err != nil || r.FreeMB <= 0 || r.TotalMB < r.FreeMB || r.Processors < 1 || r.DiskMB <= 0 {
		t.Errorf("read %+v, %v", r, err)
	}
	for range 3 { // of about a MiB each
		start(t, t.TempDir()).says("in")
	}
	if mb := m.belowMB(os.Getpid()); mb < 1 {
		t.Errorf("children of this process have %d MiB", mb)
	}
}
