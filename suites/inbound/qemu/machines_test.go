package qemu

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeEmulator answers three commands on its standard input, and then reads on
// until it is told to quit: it never sees the end of its input.
const fakeEmulator = `#!/bin/sh
while [ "$1" != -machine ]; do shift; done
case $2 in
broken) echo "qemu: cannot start $2" >&2; exit 1;;
hung) exec sleep 60;;
esac
echo '{"QMP": {}}'
while read -r line; do
	case $line in
	*qom-get*) echo "{\"return\": \"$2-machine\"}";;
	*quit*) echo '{"return": {}}'; echo '{"event": "SHUTDOWN"}'; exit 0;;
	*) echo '{"return": {}}';;
	esac
done
exit 3
`

func TestStartScriptTellsWhatCameOfAMachine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"emulator": fakeEmulator, "start": startScript(dir+"/emulator", time.Minute), "start-hung": startScript(dir+"/emulator", time.Second),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		script, machine, code, trouble string
	}{
		{"start", "pc-q35-7.2", "pc-q35-7.2 0", ""},
		{"start", "broken", "broken 1", "ended with status 1: qemu: cannot start broken"},
		{"start-hung", "hung", "hung 124", "ended with status 124: "},
	} {
		cmd := exec.Command("sh", filepath.Join(dir, tc.script), tc.machine, "/machine", "-machine", tc.machine)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", tc.machine, err, out)
		}
		read := func(suffix string) string {
			b, err := os.ReadFile(filepath.Join(dir, tc.machine+suffix))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if got := strings.TrimSpace(read(".code")); got != tc.code {
			t.Errorf("%s: code file says %q", tc.machine, got)
		}
		all := readStarted("\n@@ " + read(".code") + read(".out") + "@@@\n" + read(".err"))
		if len(all) != 1 || all[0].name != tc.machine || all[0].trouble("-machine") != tc.trouble {
			t.Errorf("%s: read %+v, trouble %q", tc.machine, all, all[0].trouble("-machine"))
		}
	}
}

func TestReadStartedTellsThemApart(t *testing.T) {
	all := readStarted("\n@@ a 0\nout a\n@@@\n\n@@ b 1\n@@@\nerr b\nmore\n")
	want := []started{{"a", 0, "out a", ""}, {"b", 1, "", "err b\nmore"}}
	if !slices.Equal(all, want) {
		t.Errorf("got %+v", all)
	}
}

func TestAMachineMustSayItsOwnType(t *testing.T) {
	s := started{name: "pc-q35-7.2", out: `{"return": "pc-q35-7.1-machine"}`}
	if why := s.trouble("-machine"); !strings.Contains(why, "does not say") {
		t.Errorf("trouble is %q", why)
	}
}

func TestHelpNames(t *testing.T) {
	help := `Supported machines are:
microvm              microvm (i386)
pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)
pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)
none                 empty machine`
	if got := helpNames(help); !slices.Equal(got, []string{"microvm", "pc", "pc-i440fx-7.2", "none"}) {
		t.Errorf("got %q", got)
	}
	infos := []machineInfo{{Name: "microvm"}, {Name: "pc-i440fx-7.2", Alias: "pc"}}
	if got := machineNames(infos); !slices.Equal(got, []string{"microvm", "pc-i440fx-7.2", "pc"}) {
		t.Errorf("got %q", got)
	}
}

func TestModelNames(t *testing.T) {
	for _, help := range []string{
		"Available CPUs:\nx86 486                   (alias configured by machine type)\nx86 486-v1\nx86 host  processor\n\nRecognized CPUID flags:\n  3dnow acpi",
		"Available CPUs:\n  486                   (alias configured by machine type)\n  486-v1\n  host  processor\n\nRecognized CPUID flags:\n  3dnow acpi",
	} {
		if got := modelNames(help); !slices.Equal(got, []string{"486", "486-v1", "host"}) {
			t.Errorf("got %q", got)
		}
	}
}
