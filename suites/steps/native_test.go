package steps

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
)

// TestCommandLinesAreTriedUpToAnAnswer runs the script with emulators of shell.
func TestCommandLinesAreTriedUpToAnAnswer(t *testing.T) {
	dir := t.TempDir()
	emulator := filepath.Join(dir, "emulator")
	script := `#!/bin/sh
case $1 in
refuses) echo "warning: old" >&2; echo "no such option" >&2; exit 1;;
silent) exit 0;;
hangs) exec sleep 60;;
needs) test -s "${2#*=}" || exit 3;;
esac
read a; read b; echo '{"return": {"status": "prelaunch"}}'; read c; test "$A $*" = "b $*"
`
	if err := os.WriteFile(emulator, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	line := func(args string) string { return "A=b \\\n" + emulator + " " + args }
	natives := []Native{
		{"good", line("fine")}, {"refuses", line("refuses")}, {"silent", line("silent")}, {"hangs", line("hangs")},
		{"needs", line("needs file=" + dir + "/domain/master-key.aes")}, {"good-again", line("fine")},
	}
	out, err := exec.Command("sh", "-c", nativeScript(dir, [][]Native{natives[:3], natives[3:]}, 5*time.Second)).Output()
	if err != nil {
		t.Fatal(err)
	}
	unread := readNatives(string(out))
	if len(unread) != 3 || unread["refuses"].Code != 1 || unread["silent"].Code != 0 || unread["hangs"].Code != 124 {
		t.Errorf("not read: %v", unread)
	}
	if said := string(unread["refuses"].Stderr); !strings.HasSuffix(said, "no such option") {
		t.Errorf("said is %q", said)
	}
	if _, err := os.Stat(dir + "/domain"); err == nil {
		t.Error("a folder of a domain is left")
	}
}

func TestLinesThatDifferInANameAloneAreOneQuestion(t *testing.T) {
	const line = "HOME=/var/lib/libvirt/qemu/domain--1-disk-a /usr/bin/qemu -name guest=disk-a,debug-threads=on -uuid 11111111-1111-4111-8111-111111111111 -m 128"
	natives := []Native{
		{"a", line}, {"b", strings.NewReplacer("disk-a", "disk-b", "1111-", "2222-").Replace(line)},
		{"c", line + " -device vmgenid,guid=11111111-1111-4111-8111-111111111111"}, {"d", strings.Replace(line, "128", "129", 1)},
	}
	var names []string
	for _, n := range distinct(natives) {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); got != "a c d" {
		t.Errorf("asked are %s", got)
	}
}

func TestLinesWithImagesAreInOneLane(t *testing.T) {
	image := host.ScratchDir + "/a.img"
	got := lanes([]Native{{"a", "x"}, {"b", image}, {"c", "y"}, {"d", "z " + image}})
	if len(got) != 2 || len(got[0]) != 2 || got[0][0].Name != "b" || got[0][1].Name != "d" || len(got[1]) != 2 {
		t.Errorf("lanes are %v", got)
	}
}
