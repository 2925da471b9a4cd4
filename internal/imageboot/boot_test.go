package imageboot

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/imagecheck"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestTheEmulatorIsToldNoNameOfTheImage(t *testing.T) {
	m := machine{Options: Options{Image: `json:{"driver":"nbd","host":"x"}`, Format: "raw", Accel: "tcg", Emulator: host.Emulator{Program: "/usr/bin/qemu"}}}
	for _, arg := range m.command() {
		if strings.Contains(arg, "nbd") || strings.HasPrefix(arg, "driver=file,filename=image,") && !strings.Contains(arg, "read-only=on") {
			t.Errorf("argument %q", arg)
		}
	}
}

// variants are what is done to a good image, for debugfs, and the rules that it breaks then.
var variants = []struct {
	name, debugfs string
	rules         []string
	// ended is what ends a boot that does not report.
	ended string
}{
	{name: "good"},
	{name: "a seed that is not looked for", debugfs: "write EMPTY /etc/cloud/cloud-init.disabled", rules: []string{"B-CLOUD-INIT", "B-BOOT-USER"}, ended: "asks for a login"},
	{name: "nobody gets the key", debugfs: "write USERS /etc/cloud/cloud.cfg.d/99_users.cfg", rules: []string{"B-BOOT-USER"}},
	{name: "nothing grows", debugfs: "write GROW /etc/cloud/cloud.cfg.d/99_grow.cfg", rules: []string{"B-BOOT-GROW"}},
	{name: "a unit fails", debugfs: "write UNIT /etc/systemd/system/wrong.service\nsymlink /etc/systemd/system/multi-user.target.wants/wrong.service /etc/systemd/system/wrong.service", rules: []string{"B-BOOT-UNITS"}},
	{name: "nobody asks for the time", debugfs: "rm /etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", rules: []string{"B-BOOT-TIME"}},
	{name: "random numbers come late", debugfs: "rm /boot/grub/grub.cfg\nwrite GRUB /boot/grub/grub.cfg", rules: []string{"B-BOOT-ENTROPY"}},
	{name: "an agent that is masked", debugfs: "symlink /etc/systemd/system/qemu-guest-agent.service /dev/null", rules: []string{"B-BOOT-AGENT"}},
	{name: "a console that floods", debugfs: "write FLOOD /etc/systemd/system/wrong.service\nsymlink /etc/systemd/system/sysinit.target.wants/wrong.service /etc/systemd/system/wrong.service", ended: "printed more than"},
}

// texts are the files that variants write.
var texts = map[string]string{
	"EMPTY": "", "USERS": "users: []\n", "GROW": "growpart: {mode: off}\nresize_rootfs: false\n",
	"UNIT":  "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
	"GRUB":  "set timeout=0\nmenuentry Linux {\n linux /boot/vmlinuz root=LABEL=root ro console=ttyS0,115200 random.trust_cpu=off random.trust_bootloader=off\n initrd /boot/initrd.img\n}\n",
	"FLOOD": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c 'exec /usr/bin/yes \"$(printf %%0512d 0)\" >/dev/ttyS0'\n",
}

// TestRealBoots boots the cloud image in the folder that VIRTMATRIX_TEST_IMAGEBOOT names, as it
// is and broken: minutes each where nothing accelerates it. A second word selects variants.
func TestRealBoots(t *testing.T) {
	folder, only, _ := strings.Cut(os.Getenv("VIRTMATRIX_TEST_IMAGEBOOT"), " ")
	if folder == "" {
		t.Skip("boots a machine for minutes; name the folder of a cloud image in VIRTMATRIX_TEST_IMAGEBOOT and leave -short out to run it")
	}
	bed := realtest.NewBed(t)
	for _, v := range variants {
		if !strings.Contains(v.name, only) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			path := broken(t, filepath.Join(folder, "disk.raw"), v.debugfs)
			before, _, err := disk.Digest(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := imagecheck.Check(t.Context(), path, imagecheck.Declared{})
			if err != nil {
				t.Fatal(err)
			}
			booted, err := Run(t.Context(), Options{
				Image: path, Format: r.Format, Bytes: r.Bytes, Accel: "tcg", Scale: 1, Scratch: t.TempDir(), Tell: func(said string) { t.Log(said) },
				Emulator: host.Emulator{Usr: bed.EmulatorUsr, Program: bed.Emulator, Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max,cx16=off"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Boot(booted)
			for _, x := range r.Results {
				if strings.HasPrefix(x.Rule, "B-BOOT") {
					t.Logf("%s %s: %s", x.Rule, x.Verdict, x.Seen)
				}
			}
			if got := r.Broken(); !slices.Equal(got, v.rules) {
				t.Errorf("it breaks %q, want %q", got, v.rules)
			}
			if !strings.Contains(booted.Ended, v.ended) || (v.ended == "") != booted.Whole {
				t.Errorf("it ended with %q, want %q", booted.Ended, v.ended)
			}
			if after, _, err := disk.Digest(path); after != before || err != nil {
				t.Errorf("the image was written to (%v)", err)
			}
		})
	}
}

var written = regexp.MustCompile(`write (\w+) (/\S*)/(\S+)`)

// broken copies an image and changes its root, which is not mounted.
func broken(t *testing.T, image, debugfs string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "a name\x1b[2J:with,all.raw")
	if said, err := exec.Command("cp", "--sparse=always", image, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if debugfs == "" {
		return path
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// debugfs writes files into its working directory alone.
	debugfs = written.ReplaceAllString(debugfs, "cd $2\nwrite "+dir+"/$1 $3\ncd /")
	link := filepath.Join(dir, "plain")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("debugfs", "-w", fmt.Sprintf("%s?offset=%d", link, 1<<20))
	cmd.Stdin = strings.NewReader(debugfs + "\n")
	said, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(said, []byte("not found")) {
		t.Fatalf("%v: %s", err, said)
	}
	return path
}
