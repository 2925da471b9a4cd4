package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

func TestWhoseFaultItIsThatAServiceIsNotUp(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "sock")
	for want, s := range map[string]agent.Service{
		"start libvirtd: exit status 3":                               {Name: "libvirtd", Once: true, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"start libvirtd: it ended before " + absent + " was there: ":  {Name: "libvirtd", Wait: absent, Within: time.Minute, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"start libvirtd: " + absent + agent.Late + "1ms":              {Name: "libvirtd", Wait: absent, Within: time.Millisecond, Argv: []string{"/bin/sleep", "5"}},
		"start libvirtd: fork/exec /none: no such file or directory":  {Name: "libvirtd", Argv: []string{"/none"}},
		"do step dev-nodes: exit status 3":                            {Name: "dev-nodes", Once: true, Own: true, Argv: []string{"/bin/sh", "-c", "exit 3"}},
		"open log of libvirtd: open " + absent + "/libvirtd.log: no ": {Name: "libvirtd", Argv: []string{"/bin/true"}},
	} {
		logs := t.TempDir()
		if strings.HasPrefix(want, "open log") {
			logs = absent
		}
		err := startService(s, filepath.Join(logs, s.Name+".log"))
		if got := complaint(s, err); err == nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
