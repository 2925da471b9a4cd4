package imagecheck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

func check(t *testing.T, path string) *Report {
	t.Helper()
	r, err := Check(t.Context(), path, Declared{})
	must(t, err)
	return r
}

func (r *Report) of(id string) Result {
	return r.Results[slices.IndexFunc(r.Results, func(x Result) bool { return x.Rule == id })]
}

// breaks fails unless an image breaks these rules and no other, and each other is answered.
func breaks(t *testing.T, r *Report, rules ...string) {
	t.Helper()
	if got := r.Broken(); !slices.Equal(got, rules) {
		t.Errorf("it breaks %q, want %q", got, rules)
	}
	for _, x := range r.Results {
		if slices.Contains(rules, x.Rule) || x.Verdict == Broken {
			t.Logf("%s %s: %s", x.Rule, x.Verdict, x.Seen)
		}
	}
}

func answered(t *testing.T, r *Report) {
	t.Helper()
	for _, id := range r.Unseen() {
		t.Errorf("%s was not looked at: %s", id, r.of(id).Seen)
	}
}

func TestGoodImagesAreKept(t *testing.T) {
	raw := makeDisk(t, "good.raw", debian)
	for name, path := range map[string]string{
		"raw": raw, "qcow2": makeQCOW(t, raw, "good.qcow2", false), "compressed": makeQCOW(t, raw, "small.qcow2", true),
		"EL": makeDisk(t, "el.img", el),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, path)
			breaks(t, r)
			answered(t, r)
			if want := map[bool]Family{true: EL, false: Debian}[name == "EL"]; r.Family != want || r.Release == "" || r.Bytes != diskBytes {
				t.Errorf("family %q, release %q, %d bytes", r.Family, r.Release, r.Bytes)
			}
		})
	}
}

func TestWhatOnlyABootCanTellIsNeverPassed(t *testing.T) {
	n := 0
	for _, x := range check(t, makeDisk(t, "good.raw", debian)).Results {
		if x.Boot {
			n++
			if x.Verdict != NotLooked {
				t.Errorf("%s: %s", x.Rule, x.Verdict)
			}
		}
	}
	if n != len(bootRules) {
		t.Errorf("%d of %d rules", n, len(bootRules))
	}
}

func TestBrokenSystemsAreRefusedByTheirRule(t *testing.T) {
	const key = "ssh-ed25519 AAAA builder\n"
	for _, c := range []struct {
		name, rule string
		of         map[string]string
		files      map[string]string
		says       string
	}{
		{"root with a password", "B-PASSWORD", debian, map[string]string{"etc/shadow": "root:$6$salt$hash:19000::::::\ndaemon:*:::::::\n"}, `["root"] can log in`},
		{"root without one", "B-PASSWORD", debian, map[string]string{"etc/shadow": "root::19000::::::\n"}, "without one"},
		{"a password in passwd", "B-PASSWORD", debian, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\nold:abJnggxhB/yWI:9:9::/:/bin/sh\n"}, `["old"]`},
		{"a machine's ID", "B-MACHINE-ID", debian, map[string]string{"etc/machine-id": "0123456789abcdef0123456789abcdef\n"}, "0123456789"},
		{"no ID file", "B-MACHINE-ID", debian, map[string]string{"etc/machine-id": gone, "var/lib/dbus/machine-id": gone}, "not there"},
		{"D-Bus' copy", "B-MACHINE-ID", debian, map[string]string{"var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n"}, "dbus"},
		{"host keys", "B-HOST-KEYS", debian, map[string]string{"etc/ssh/ssh_host_rsa_key": "k", "etc/ssh/ssh_host_rsa_key.pub": "k"}, `"/etc/ssh/ssh_host_rsa_key"`},
		{"root's authorized keys", "B-AUTHORIZED-KEYS", debian, map[string]string{"root/.ssh/authorized_keys": key}, `"/root/.ssh/authorized_keys"`},
		{"a user's, at home elsewhere", "B-AUTHORIZED-KEYS", debian, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\nbob:x:1:1::/srv/bob:/bin/sh\n", "srv/bob/.ssh/authorized_keys2": key}, `"/srv/bob/.ssh/authorized_keys2"`},
		{"an instance", "B-CLOUD-STATE", debian, map[string]string{"var/lib/cloud/instances/i-1/boot-finished": "x"}, `"/var/lib/cloud/instances/i-1"`},
		{"the link to it", "B-CLOUD-STATE", debian, map[string]string{"var/lib/cloud/instance": link + "/var/lib/cloud/instances/i-1"}, "cloud-init clean"},
		{"a seed", "B-CLOUD-STATE", debian, map[string]string{"var/lib/cloud/seed/nocloud/meta-data": "x"}, `"/var/lib/cloud/seed/nocloud"`},
		{"a random seed", "B-RANDOM-SEED", debian, map[string]string{"var/lib/systemd/random-seed": "x"}, "random-seed"},
		{"the builder's hostname", "B-HOSTNAME", debian, map[string]string{"etc/hostname": "build-host-17\n"}, `"build-host-17"`},
		{"a rule of udev", "B-MAC", debian, map[string]string{"etc/udev/rules.d/70-persistent-net.rules": "x"}, "70-persistent-net.rules"},
		{"a MAC in configuration", "B-MAC", el, map[string]string{"etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nHWADDR=52:54:00:AA:bb:01\n"}, "52:54:00:AA:bb:01"},
		{"apt's cache", "B-CACHE", debian, map[string]string{"var/cache/apt/archives/foo_1_amd64.deb": "x"}, "foo_1_amd64.deb"},
		{"dnf's cache", "B-CACHE", el, map[string]string{"var/cache/dnf/baseos-1/repodata/a-primary.xml.gz": "x"}, "primary.xml.gz"},
		{"a MAC in netplan", "B-MAC", debian, map[string]string{"etc/netplan/50-cloud-init.yaml": "# 52:54:00:00:00:01\nnetwork:\n  macaddress: \"52:54:00:00:00:02\"\n"}, "52:54:00:00:00:02"},
		{"the installer's logs", "B-INSTALLER", el, map[string]string{"var/log/anaconda/journal.log": "x"}, `"/var/log/anaconda"`},
		{"the kickstart", "B-INSTALLER", el, map[string]string{"root/anaconda-ks.cfg": "rootpw secret"}, "anaconda-ks.cfg"},
		{"root's history", "B-HISTORY", debian, map[string]string{"root/.bash_history": "passwd\n"}, ".bash_history"},
		{"a device in fstab", "B-FSTAB", debian, map[string]string{"etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"}, `"/dev/sda1"`},
		{"another root in fstab", "B-FSTAB", debian, map[string]string{"etc/fstab": "LABEL=other / ext4 defaults 0 1\n"}, `"cloudroot"`},
		{"no cloud-init", "B-CLOUD-INIT", debian, map[string]string{"usr/bin/cloud-init": gone}, "install its package"},
		{"cloud-init disabled", "B-CLOUD-INIT", debian, map[string]string{"etc/cloud/cloud-init.disabled": ""}, "cloud-init.disabled"},
		{"cloud-init masked", "B-CLOUD-INIT", debian, map[string]string{"etc/systemd/system/cloud-init.service": link + "/dev/null"}, "masked"},
		{"cloud-init not enabled", "B-CLOUD-INIT", debian, map[string]string{"etc/systemd/system/cloud-init.target.wants/cloud-init.service": gone}, "no target wants"},
		{"cloud-init off in arguments", "B-CLOUD-INIT", debian, map[string]string{"boot/grub/grub.cfg": " linux /v cloud-init=disabled console=ttyS0\n"}, "line 1"},
		{"no growpart", "B-GROWPART", debian, map[string]string{"usr/bin/growpart": gone}, "growpart"},
		{"no serial console", "B-CONSOLE", debian, map[string]string{"boot/grub/grub.cfg": "linux /v root=x\n"}, "last console"},
		{"a screen behind it", "B-CONSOLE", el, map[string]string{"boot/loader/entries/b.conf": "options console=ttyS0 console=tty0\n"}, `"tty0"`},
		{"no boot entry", "B-CONSOLE", debian, map[string]string{"boot/grub/grub.cfg": gone}, "no boot entry"},
		{"no SSH server", "B-SSH", debian, map[string]string{"usr/sbin/sshd": gone}, "sshd"},
		{"another time zone", "B-UTC", debian, map[string]string{"etc/localtime": link + "/usr/share/zoneinfo/Europe/Berlin"}, "Berlin"},
		{"SELinux permissive", "B-EL-SELINUX", el, map[string]string{"etc/selinux/config": "SELINUX=permissive\n"}, `"permissive"`},
		{"firewalld", "B-EL-FIREWALL", el, map[string]string{"usr/sbin/firewalld": "x"}, "firewalld"},
		{"a graphical target", "B-EL-TARGET", el, map[string]string{"etc/systemd/system/default.target": link + "/usr/lib/systemd/system/graphical.target"}, "graphical"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := check(t, makeDisk(t, "x.raw", with(c.of, c.files)))
			breaks(t, r, c.rule)
			answered(t, r)
			if x := r.of(c.rule); !strings.Contains(x.Seen, c.says) {
				t.Errorf("it says %q, want %q", x.Seen, c.says)
			}
		})
	}
}

func TestBrokenDisksAreRefusedByTheirRule(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		break_     func(t *testing.T, path string)
		options    []string
		says       string
	}{
		{"a GPT that was overwritten at its begin", "B-TABLE", func(t *testing.T, path string) { poke(t, path, sector+16, 0xde, 0xad) }, nil, "first GPT is broken"},
		{"a GPT without its copy", "B-TABLE", func(t *testing.T, path string) { must(t, os.Truncate(path, diskBytes+1<<20)) }, nil, "sgdisk -e"},
		{"a root that is not last", "B-ROOT-LAST", func(t *testing.T, path string) {
			writeGPT(t, path, []*gpt.Partition{
				{Index: 1, Start: rootAt / sector, End: (rootAt+rootBytes)/sector - 1, Type: gpt.LinuxFilesystem, Name: "root"},
				{Index: 2, Start: (rootAt + rootBytes) / sector, End: diskBytes/sector - 64, Type: gpt.LinuxFilesystem, Name: "swap"},
			})
		}, nil, "partition 2 is behind partition 1"},
		{"a file system in use", "B-CLEAN", func(t *testing.T, path string) { poke(t, path, rootAt+1024+0x3a, 0) }, nil, "shut the machine down"},
		{"no root", "B-ROOT", func(t *testing.T, path string) { poke(t, path, rootAt+1024+0x38, 0, 0) }, nil, "no root file system"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := makeDisk(t, "x.raw", debian, c.options...)
			c.break_(t, path)
			r := check(t, path)
			breaks(t, r, c.rule)
			if x := r.of(c.rule); !strings.Contains(x.Seen, c.says) {
				t.Errorf("it says %q, want %q", x.Seen, c.says)
			}
		})
	}
}

func TestHostileNamesDoNotReachATerminal(t *testing.T) {
	r := check(t, makeDisk(t, "x.raw", with(debian, map[string]string{
		"etc/ssh/ssh_host_\x1b[2Jkey\nB-FORMAT kept": "k", "home/\u202eevil\x07/.bash_history": "x", "usr/lib/os-release": "PRETTY_NAME=\"De\x1b]0;bian\"\nID=debian\n",
		"etc/hostname": "\x1b[31mred\n",
	})))
	breaks(t, r, "B-HOST-KEYS", "B-HOSTNAME", "B-HISTORY")
	for _, x := range r.Results {
		if strings.ContainsAny(x.Seen, "\x1b\n\x07\u202e") {
			t.Errorf("%s: %q", x.Rule, x.Seen)
		}
	}
}

func TestLinksLeadNowhereButIntoTheImage(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("ours"), 0o600))
	r := check(t, makeDisk(t, "x.raw", with(debian, map[string]string{
		"etc/hostname": link + secret, "etc/machine-id": link + "../../../../etc/../empty", "empty": "",
		"root/.ssh":       link + "../../.." + filepath.Dir(secret),
		"var/lib/systemd": link + "/../../loop/a", "loop/a": link + "b", "loop/b": link + "/loop/a", "var/cache/apt/up": link + "..",
	})))
	breaks(t, r)
	if got := r.Unseen(); !slices.Equal(got, []string{"B-RANDOM-SEED"}) {
		t.Errorf("not looked at: %q", got)
	}
	if x := r.of("B-RANDOM-SEED"); !strings.Contains(x.Seen, "go in circles") {
		t.Errorf("%+v", x)
	}
	if x := r.of("B-HOSTNAME"); x.Seen != "there is none" {
		t.Errorf("%+v", x)
	}
}

func TestChecksumFilesAreCompared(t *testing.T) {
	path := makeDisk(t, "x.raw", debian)
	image, err := os.ReadFile(path)
	must(t, err)
	short, long := fmt.Sprintf("%x", sha256.Sum256(image)), fmt.Sprintf("%x", sha512.Sum512(image))
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		file, text string
		want       Verdict
	}{
		{"CHECKSUM", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# x.raw: 25165824 bytes\nSHA256 (x.raw) = " + short + "\n", Kept},
		{"x.raw.SHA256SUM", "SHA256 (x.raw) = " + other + "\n", Broken},
		{"SHA256SUMS", other + "  y.raw\n" + short + " *x.raw\n", Kept},
		{"SHA512SUMS", long + "  ./x.raw\r\n", Kept},
		{"SHA512SUMS", other + other + "  x.raw\n", Broken},
		{"SHA256SUMS", short + "  y.raw\n", Broken},
		{"SHA256SUMS", short[:20] + "  x.raw\n", Broken},
		{"notes", other + "  x.raw\n", NotMeant},
	} {
		beside := filepath.Join(filepath.Dir(path), c.file)
		must(t, os.WriteFile(beside, []byte(c.text), 0o600))
		if x := check(t, path).of("B-CHECKSUM"); x.Verdict != c.want {
			t.Errorf("%s %q: %s, %s; want %s", c.file, c.text, x.Verdict, x.Seen, c.want)
		}
		must(t, os.Remove(beside))
	}
}

func TestPartitionsOfAnMBRAreOnTheDiskAndShareNothing(t *testing.T) {
	const root, end = rootAt / sector, (rootAt + rootBytes) / sector
	for _, c := range []struct {
		name  string
		kind  mbr.Type
		parts [][2]uint32
		rules []string
		says  string
	}{
		{"good", mbr.Linux, [][2]uint32{{root, end}}, nil, "mbr: partition 1: ext4"},
		{"shared", mbr.Linux, [][2]uint32{{root, end}, {bootAt / sector, root + 8}}, []string{"B-TABLE"}, "partition 1 begins before"},
		{"outside", mbr.Linux, [][2]uint32{{root, 1 << 20}}, []string{"B-TABLE"}, "the image is cut off"},
		{"logical", mbr.ExtendedLBA, [][2]uint32{{root, end}}, []string{"B-TABLE"}, "holds logical ones"},
		{"empty", mbr.Empty, [][2]uint32{{root, end}}, []string{"B-TABLE"}, "no partition"},
		{"a GPT that is gone", mbr.GPTProtective, [][2]uint32{{1, end}}, []string{"B-TABLE"}, "EFI Signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, makeMBR(t, c.kind, c.parts...))
			breaks(t, r, c.rules...)
			if x := r.of("B-TABLE"); !strings.Contains(x.Seen, c.says) {
				t.Errorf("it says %q, want %q", x.Seen, c.says)
			}
		})
	}
}

func TestBootEntriesAreFoundOnAPartitionByThemselves(t *testing.T) {
	system := with(el, map[string]string{"boot/grub2/grubenv": gone, "boot/loader/entries/a-5.14.0.conf": gone})
	build := func(t *testing.T, entry string) string {
		path := makeDisk(t, "x.raw", debian)
		must(t, os.Truncate(path, diskBytes+rootBytes))
		// The system comes behind its /boot, where there was one.
		makeExt4(t, path, rootAt, map[string]string{"grub2/grubenv": "kernelopts=root=x console=ttyS0\n", "loader/entries/a.conf": entry})
		makeExt4(t, path, rootAt+rootBytes, system)
		writeGPT(t, path, []*gpt.Partition{
			{Index: 1, Start: rootAt / sector, End: (rootAt+rootBytes)/sector - 1, Type: gpt.LinuxFilesystem, Name: "boot"},
			{Index: 2, Start: (rootAt + rootBytes) / sector, End: (rootAt+2*rootBytes)/sector - 1, Type: gpt.LinuxFilesystem, Name: "root"},
		})
		return path
	}
	breaks(t, check(t, build(t, "options $kernelopts quiet\n")))
	breaks(t, check(t, build(t, "options root=x quiet\n")), "B-CONSOLE")
}

func TestNothingIsPassedOfADiskThatCannotBeRead(t *testing.T) {
	path := makeDisk(t, "x.raw", debian, "-O", "inline_data")
	r := check(t, path)
	breaks(t, r)
	if x := r.of("B-PASSWORD"); x.Verdict != NotLooked || !strings.Contains(x.Seen, "1<<15") {
		t.Errorf("%+v", x)
	}
}

func TestBrokenFilesAreRefusedByTheirRule(t *testing.T) {
	raw := makeDisk(t, "x.raw", debian)
	whole, err := os.ReadFile(makeQCOW(t, raw, "x.qcow2", false))
	must(t, err)
	l2 := len(whole) - cluster
	for _, c := range []struct {
		name, rule string
		edit       func(b []byte) []byte
		says       string
	}{
		{"cut off", "B-QCOW-SOUND", func(b []byte) []byte { return b[:len(b)/2] }, "the file ends at"},
		{"cut off in its header", "B-FORMAT", func(b []byte) []byte { return b[:60] }, "fetch it again"},
		{"cut off behind its header", "B-QCOW-SOUND", func(b []byte) []byte { return b[:200] }, "cut off"},
		{"a backing file", "B-QCOW-ALONE", func(b []byte) []byte {
			copy(b[8:], be64(4096))
			copy(b[4096:], "/etc/passwd")
			b[19] = byte(len("/etc/passwd"))
			return b
		}, `"/etc/passwd", which was not opened`},
		{"an external data file", "B-QCOW-ALONE", func(b []byte) []byte { b[79] |= 4; return b }, "external data file"},
		{"internal snapshots", "B-QCOW-ALONE", func(b []byte) []byte { b[63] = 2; return b }, "2 internal snapshots"},
		{"marked corrupt", "B-QCOW-SOUND", func(b []byte) []byte { b[79] |= 2; return b }, "marked corrupt"},
		{"a cluster of two", "B-QCOW-SOUND", func(b []byte) []byte { copy(b[l2+8*300:], b[l2:l2+8]); return b }, "used 2 times and counted 1 times"},
		{"a cluster outside", "B-QCOW-SOUND", func(b []byte) []byte { copy(b[l2+8*300:], be64(entryCopied|1<<40)); return b }, "the file ends at"},
		{"a leaked cluster", "B-QCOW-SOUND", func(b []byte) []byte {
			b[3*cluster+2*(len(b)/cluster)+1] = 1
			return append(b, make([]byte, cluster)...)
		}, "1 clusters are leaked"},
		{"encrypted", "B-QCOW-COMPAT", func(b []byte) []byte { b[35] = 2; return b }, "encrypted"},
		{"a disk of 2^60 bytes", "B-SIZE", func(b []byte) []byte { copy(b[24:], be64(1<<60)); return b }, "1 EiB"},
		{"no image", "B-FORMAT", func([]byte) []byte { return bytes.Repeat([]byte("Dear all, "), 1<<18) }, "no disk image"},
		{"a page of a mirror", "B-FORMAT", func([]byte) []byte { return []byte("<!DOCTYPE html>404") }, "HTML"},
		{"still compressed", "B-FORMAT", func([]byte) []byte { return append([]byte("\xfd7zXZ\x00"), make([]byte, 1<<20)...) }, "xz"},
		{"raw by the name of qcow2", "B-FORMAT", func([]byte) []byte { b, _ := os.ReadFile(raw); return b }, "its name ends in .qcow2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.qcow2")
			must(t, os.WriteFile(path, c.edit(bytes.Clone(whole)), 0o600))
			r := check(t, path)
			breaks(t, r, c.rule)
			if x := r.of(c.rule); !strings.Contains(x.Seen, c.says) {
				t.Errorf("it says %q, want %q", x.Seen, c.says)
			}
		})
	}
}

func TestWhatIsDeclaredIsCompared(t *testing.T) {
	path := makeQCOW(t, makeDisk(t, "x.raw", debian), "x.qcow2", false)
	for _, c := range []struct {
		says  Declared
		rules []string
	}{
		{Declared{Compat: "1.1", Bytes: diskBytes}, nil},
		{Declared{Compat: "0.10"}, []string{"B-QCOW-COMPAT"}},
		{Declared{Bytes: 10 << 30}, []string{"B-SIZE"}},
	} {
		r, err := Check(t.Context(), path, c.says)
		must(t, err)
		breaks(t, r, c.rules...)
	}
}

func TestWhatIsNoFileCannotBeAsked(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	for path, says := range map[string]string{filepath.Join(dir, "none\x1b[2J"): `none\x1b[2J": `, dir: "no regular file", "/dev/null": "no regular file", empty: "fetch it again"} {
		if _, err := Check(t.Context(), path, Declared{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", path, err, says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, makeDisk(t, "x.raw", debian), Declared{}); err == nil {
		t.Error("it goes on after ^C")
	}
}

func TestTheDocumentIsThatOfTheRules(t *testing.T) {
	var want bytes.Buffer
	must(t, Document(&want))
	got, err := os.ReadFile("../../docs/image-baseline.md")
	must(t, err)
	if string(got) != want.String() {
		t.Error("docs/image-baseline.md is another one; write it with: virtmatrix image rules > docs/image-baseline.md")
	}
	seen := map[string]bool{}
	for _, r := range Baseline() {
		if seen[r.ID] || !strings.HasPrefix(r.ID, "B-") || r.What == "" || r.Why == "" || r.How == "" {
			t.Errorf("%s: its ID is there twice, or it does not say what, why and how", r.ID)
		}
		seen[r.ID] = true
	}
}
