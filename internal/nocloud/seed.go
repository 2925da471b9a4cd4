package nocloud

import (
	"fmt"
	"strings"
)

// The names of a seed's files.
const (
	UserData = "user-data"
	MetaData = "meta-data"

	networkConfig = "network-config"
)

// Seed describes a seed whose machine reports.
type Seed struct {
	// Nonce frames the report: no other boot's can be taken for it.
	Nonce string
	// Instance is the instance's ID, Hostname its name; empty for the image's.
	Instance, Hostname string
	// Key is a public key. User is who gets it; without, the image's default user gets it by
	// the metadata.
	Key, User string
	// Login is the private key, for the machine to log in at itself; empty for none.
	Login string
	// MAC is the address of a card that is to have Address, "192.0.2.1/24"; empty for what the
	// machine does by itself.
	MAC, Address string
	// Stays leaves the machine running after its report.
	Stays bool
}

// Files are the files of the seed.
func (s Seed) Files() map[string]string {
	meta := fmt.Sprintf("instance-id: %s\n", s.Instance)
	if s.Hostname != "" {
		meta += fmt.Sprintf("local-hostname: %s\n", s.Hostname)
	}
	user := "#cloud-config\n"
	if s.User != "" {
		user += fmt.Sprintf("users:\n  - name: %s\n    lock_passwd: true\n    shell: /bin/sh\n    ssh_authorized_keys: [%q]\n", s.User, s.Key)
	} else {
		meta += fmt.Sprintf("public-keys: [%q]\n", s.Key)
	}
	// RSA takes longest to make, and shows nothing that the others do not.
	user += "ssh_genkeytypes: [ecdsa, ed25519]\napt: {preserve_sources_list: true}\n"
	user += "runcmd:\n  - echo ran >>" + ranFile + "\n"
	// The report begins at each boot (bootcmd), and ends when cloud-init has written its
	// result: a unit of its own waits for that.
	user += "bootcmd:\n  - |\n" + indented(s.script())
	files := map[string]string{UserData: user, MetaData: meta}
	if s.MAC != "" {
		files[networkConfig] = fmt.Sprintf("version: 2\nethernets:\n  card:\n    match: {macaddress: %q}\n    addresses: [%q]\n", s.MAC, s.Address)
	}
	return files
}

// ranFile has a line for each time that runcmd ran.
const ranFile = "/var/lib/virtmatrix-ran"

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// script starts the unit that reports.
func (s Seed) script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mkdir -p -m 700 %[1]s\ncat >%[1]s/report <<'VMEND'\n", reportDir)
	b.WriteString(strings.NewReplacer("@NONCE", "@"+s.Nonce, "@DIR", reportDir).Replace(reporter))
	for _, f := range facts {
		fmt.Fprintf(&b, "{ %s; } 2>/dev/null | put %s\n", strings.NewReplacer("@DIR", reportDir, "@RAN", ranFile).Replace(f.command), f.name)
	}
	fmt.Fprintf(&b, "cat %[1]s/said %[1]s/said >$tty\nline end 0 >$tty\n", reportDir)
	if !s.Stays {
		b.WriteString("systemctl poweroff --force\n")
	}
	b.WriteString("VMEND\n")
	if s.Login != "" {
		fmt.Fprintf(&b, "umask 077\ncat >%s/key <<'VMEND'\n%s\nVMEND\n", reportDir, strings.TrimSpace(s.Login))
	}
	fmt.Fprintf(&b, "systemd-run --no-block --unit=virtmatrix-report sh %s/report\n", reportDir)
	return b.String()
}

const reportDir = "/run/virtmatrix"

// reporter waits until the machine is through with its boot, and says all twice: the kernel
// and others write to the same line. A fact is one line with its own checksum, because one
// long line of all would be lost as a whole.
const reporter = `tty=/dev/ttyS0
line() { printf '\n@NONCE %s %s %s\n' "$1" "$(printf %s "$2" | sha256sum | cut -c1-16)" "$2"; }
put() { line "$1" "$(base64 | tr -d '\n')" >>@DIR/said; }
line begin 0 >$tty
until test -e /run/cloud-init/result.json; do sleep 0.2; done
systemctl is-system-running --wait >/dev/null 2>&1
`

// facts are what a report has, and how the machine tells it.
var facts = []struct{ name, command string }{
	{"version", "cloud-init --version 2>&1"},
	{"result", "cat /run/cloud-init/result.json"},
	{"status", "cat /run/cloud-init/status.json"},
	{"hostname", "hostname"},
	{"instance", "cat /var/lib/cloud/data/instance-id"},
	{"ran", "cat @RAN"},
	// Who can log in by which key, and whose password is not locked; no hash leaves the machine.
	{"keys", `for f in /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; do test ! -e $f || { stat -c '%a %U %n' $f; cat $f; }; done`},
	{"passwords", `sed -n 's/^\([^:]*\):[^!*][^:]*:.*/\1/p; s/^\([^:]*\)::.*/\1 without/p' /etc/shadow`},
	{"host-keys", "cat /etc/ssh/ssh_host_*_key.pub"},
	{"root", "df -B1 --output=size,source / | tail -n 1"},
	{"disk", `lsblk -bndo SIZE /dev/$(lsblk -ndo PKNAME $(findmnt -no SOURCE /))`},
	{"addresses", "ip -o addr"},
	{"failed", "systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1"},
	// Whoever has the key among his own logs in by it, through the machine's own sshd.
	{"login", `test ! -e @DIR/key || { mine=$(ssh-keygen -y -f @DIR/key); cut -d: -f1,6 /etc/passwd | while IFS=: read -r u home; do grep -qsF "$mine" "$home/.ssh/authorized_keys" || continue; ` +
		`timeout 60 ssh -n -i @DIR/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR $u@localhost id -un 2>&1; done; }`},
	{"time", `timedatectl show 2>&1; systemctl is-active systemd-timesyncd chrony chronyd ntp ntpsec ntpd 2>&1; timeout 10 chronyc -n sources 2>&1 | tail -n 5`},
	{"random", "dmesg | grep -i random:"},
	{"user-space", `systemctl show -p UserspaceTimestampMonotonic --value`},
	{"agent", "systemctl list-unit-files --plain --no-legend 'qemu-guest-agent*' 2>&1"},
	{"uptime", "cut -d ' ' -f 1 /proc/uptime"},
	{"systemd", "systemctl --version | head -n 1; systemctl is-system-running"},
}
