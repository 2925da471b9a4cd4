package imagecheck

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var systemRules = []Rule{
	{
		ID: "B-FSTAB", needs: theRoot, look: lookFstab,
		What: "/etc/fstab mounts / and all else by UUID or LABEL, and the root is the one that is there", Why: "names such as /dev/sda1 depend on the bus of the disk", How: "/etc/fstab and the superblock",
	},
	{
		ID: "B-CLOUD-INIT", needs: theRoot, look: lookCloudInit,
		What: "cloud-init is installed, enabled and not disabled", Why: "without it nobody can log in", How: "/usr/bin/cloud-init, links of systemd, /etc/cloud/cloud-init.disabled, ds-identify's policy, kernel arguments",
	},
	{
		ID: "B-GROWPART", needs: theRoot, look: func(img *image) (answer, error) { return img.wanted("usr/bin/growpart") },
		What: "growpart is there", Why: "cloud-init grows the root partition by it", How: "/usr/bin/growpart",
	},
	{
		ID: "B-CONSOLE", needs: theRoot, look: lookConsole,
		What: "Each boot entry has console=ttyS0, and no other console behind it", Why: "the last one is /dev/console: clouds show what goes there, and nothing else when a machine does not come up",
		How: "entries of the boot loader specification, grub.cfg, grub.conf and menu.lst, in /boot or on its partition",
	},
	{
		ID: "B-SSH", needs: theRoot, look: lookSSH,
		What: "The SSH server is installed and started at boot", Why: "it is how users come in", How: "/usr/sbin/sshd, links of systemd",
	},
	{
		ID: "B-UTC", needs: theRoot, look: lookUTC,
		What: "The time zone is UTC", Why: "logs of machines are compared", How: "/etc/localtime is not there, or a link to UTC",
	},
	{
		ID: "B-EL-SELINUX", For: []Family{EL}, needs: theRoot, look: lookSELinux,
		What: "SELinux is enforcing", Why: "it is the distribution's default, and switching it on later labels all files anew", How: "/etc/selinux/config",
	},
	{
		ID: "B-EL-FIREWALL", For: []Family{EL}, needs: theRoot, look: lookFirewall,
		What: "No firewalld", Why: "clouds have security groups; the CentOS kickstarts leave it out", How: "/usr/sbin/firewalld",
	},
	{
		ID: "B-EL-TARGET", For: []Family{EL}, needs: theRoot, look: lookTarget,
		What: "The default target is multi-user", Why: "there is no screen; the preset of systemd is graphical", How: "/etc/systemd/system/default.target",
	},
}

func (img *image) wanted(name string) (answer, error) {
	there, err := img.root.there(name)
	if err == nil && !there {
		return broken("/%s is not there: install its package", name)
	}
	return answer{Kept, "/" + name}, err
}

// named are the ways in fstab(5) to name a device by what is on it.
var named = regexp.MustCompile(`^("?(UUID|LABEL|PARTUUID|PARTLABEL)=|/dev/disk/by-(uuid|label|partuuid|partlabel)/)`)

func lookFstab(img *image) (answer, error) {
	text, err := img.root.read("etc/fstab")
	if absent(err) {
		return broken("there is none")
	}
	if err != nil {
		return answer{}, err
	}
	root := ""
	for _, f := range settings(text) {
		if strings.HasPrefix(f[0], "/dev/") && !named.MatchString(f[0]) {
			return broken("it has %.80q: name it by UUID", f[0])
		}
		if len(f) > 1 && f[1] == "/" {
			root = strings.Trim(f[0], `"`)
		}
	}
	if root == "" {
		return broken("it has no entry for /")
	}
	uuid, label, err := identity(img.disk, img.at)
	if err != nil {
		return answer{}, err
	}
	if want, ok := strings.CutPrefix(root, "UUID="); ok && !strings.EqualFold(want, uuid) {
		return broken("/ is %.80q, and the root file system %q", root, uuid)
	}
	if want, ok := strings.CutPrefix(root, "LABEL="); ok && want != label {
		return broken("/ is %.80q, and the root file system has the label %q", root, label)
	}
	return kept("/ is %.80q", root)
}

func lookCloudInit(img *image) (answer, error) {
	if a, err := img.wanted("usr/bin/cloud-init"); err != nil || a.verdict == Broken {
		return a, err
	}
	if there, err := img.root.there("etc/cloud/cloud-init.disabled"); err != nil || there {
		return answer{Broken, "there is /etc/cloud/cloud-init.disabled: remove it"}, err
	}
	policy, err := img.root.read("etc/cloud/ds-identify.cfg")
	if err != nil && !absent(err) {
		return answer{}, err
	}
	for _, f := range settings(policy) {
		if f[0] == "policy:" && len(f) > 1 && f[1] == "disabled" {
			return broken("/etc/cloud/ds-identify.cfg says policy: disabled")
		}
	}
	entries, err := img.bootEntries()
	if err != nil {
		return answer{}, err
	}
	for _, e := range entries {
		if slices.Contains(e.args, "cloud-init=disabled") {
			return broken("%s has cloud-init=disabled", e)
		}
	}
	return img.enabled("cloud-init.service", "cloud-init-local.service", "cloud-init-main.service", "cloud-init-network.service", "cloud-config.service", "cloud-final.service")
}

// enabled says whether one of some units is started at boot, and none is masked.
func (img *image) enabled(units ...string) (answer, error) {
	const etc = "etc/systemd/system"
	masked, err := img.root.match(etc, units...)
	if err != nil {
		return answer{}, err
	}
	for _, name := range masked {
		// The link is to a device, which an image has none of.
		if target, err := img.root.from.ReadLink(name); err == nil && target == "/dev/null" {
			return broken("%q is masked", "/"+name)
		}
	}
	wants, err := img.root.match(etc, "*.wants")
	vendor, err2 := img.root.match("usr/lib/systemd/system", "*.wants")
	if err = errors.Join(err, err2); err != nil {
		return answer{}, err
	}
	for _, folder := range append(wants, vendor...) {
		found, err := img.root.match(folder, units...)
		if err != nil {
			return answer{}, err
		}
		if len(found) > 0 {
			return kept("%q", "/"+found[0])
		}
	}
	return broken("no target wants %s: systemctl enable it", strings.Join(units, ", "))
}

func lookSSH(img *image) (answer, error) {
	if a, err := img.wanted("usr/sbin/sshd"); err != nil || a.verdict == Broken {
		return a, err
	}
	return img.enabled("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")
}

func lookConsole(img *image) (answer, error) {
	entries, err := img.bootEntries()
	if err != nil {
		return answer{}, err
	}
	for _, p := range img.table.parts {
		if len(entries) == 0 && p.holds == "vfat" {
			return answer{}, fmt.Errorf("there is no boot entry in /boot, and what %s has on vfat is not read here", p)
		}
	}
	if len(entries) == 0 {
		return broken("no boot entry was found in /boot or on a partition for it")
	}
	for _, e := range entries {
		last := ""
		for _, arg := range e.args {
			if c, ok := strings.CutPrefix(arg, "console="); ok {
				last = c
			}
		}
		if last != "ttyS0" && !strings.HasPrefix(last, "ttyS0,") {
			return broken("%s has %.40q as its last console: end its arguments with console=ttyS0,115200", e, last)
		}
	}
	return kept("in %d boot entries", len(entries))
}

func lookUTC(img *image) (answer, error) {
	_, e, err := img.root.walk("etc/localtime", false)
	if absent(err) {
		return kept("/etc/localtime is not there")
	}
	if err != nil {
		return answer{}, err
	}
	if e.Type().IsRegular() {
		// A copy of the zone's file ends with its rule: tzfile(5).
		zone, err := img.root.read("etc/localtime")
		if err == nil && !strings.HasSuffix(zone, "\nUTC0\n") {
			return broken("/etc/localtime is a copy of another zone")
		}
		return answer{Kept, "a copy of UTC"}, err
	}
	target, err := img.root.from.ReadLink("etc/localtime")
	if err != nil {
		return answer{}, err
	}
	if _, zone, _ := strings.Cut(target, "zoneinfo/"); !slices.Contains([]string{"UTC", "Etc/UTC", "Etc/UCT", "Universal", "Zulu"}, zone) {
		return broken("/etc/localtime is a link to %.80q", target)
	}
	return kept("%.80q", target)
}

func lookSELinux(img *image) (answer, error) {
	text, err := img.root.read("etc/selinux/config")
	if err != nil && !absent(err) {
		return answer{}, err
	}
	if mode := assigned(text, "SELINUX"); mode != "enforcing" {
		return broken("SELINUX is %.40q in /etc/selinux/config", mode)
	}
	return kept("enforcing")
}

func lookFirewall(img *image) (answer, error) {
	there, err := img.root.there("usr/sbin/firewalld")
	if there {
		return answer{Broken, "there is /usr/sbin/firewalld: leave firewalld out"}, err
	}
	return answer{Kept, "none"}, err
}

func lookTarget(img *image) (answer, error) {
	target, err := "", error(nil)
	if there, problem := img.root.there("etc/systemd/system/default.target"); there {
		target, err = img.root.from.ReadLink("etc/systemd/system/default.target")
	} else {
		err = problem
	}
	if err != nil {
		return answer{}, err
	}
	if !strings.HasSuffix(target, "/multi-user.target") && target != "multi-user.target" {
		return broken("it is %.80q: systemctl set-default multi-user.target", target)
	}
	return kept("multi-user")
}
