package container

import (
	"os"
	"path/filepath"
	"testing"
)

// group makes the file of a control group.
func group(t *testing.T, text string, names ...string) string {
	t.Helper()
	file := filepath.Join(names...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKillsAreCountedOfTheContainerAlone(t *testing.T) {
	v1, v2, none := t.TempDir(), t.TempDir(), t.TempDir()
	counts1 := group(t, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", v1, "memory/docker/c1/memory.oom_control")
	counts2 := group(t, "low 0\nhigh 0\nmax 0\noom 1\noom_kill 2\noom_group_kill 0\n", v2, "system.slice/docker-c1.scope/memory.events")
	for _, tc := range []struct {
		groups, root, file string
		kills              int64
	}{
		{"12:memory:/docker/c1\n3:cpu,cpuacct:/docker/c1\n0::/docker/c1\n", v1, counts1, 3},
		{"0::/system.slice/docker-c1.scope\n", v2, counts2, 2},
		{"0::/system.slice/docker-c1.scope\n", none, "", 0},
		{"", v2, "", 0},
	} {
		if file := oomFileOf(tc.groups, tc.root); file != tc.file || oomKills(file) != tc.kills {
			t.Errorf("%q: %s counts %d, want %s and %d", tc.groups, file, oomKills(file), tc.file, tc.kills)
		}
	}
}

func TestKillsOnTheMachineAreNotTheContainers(t *testing.T) {
	h := quiet(t)
	h.oom = group(t, "oom_kill 0\n", t.TempDir(), "memory.events")
	if err := h.Alive(); err != nil {
		t.Error(err)
	}
	group(t, "oom_kill 1\n", h.oom)
	isOurs(t, h.Alive(), "memory ran out", "1 processes of the container")
}
