package imagecheck

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var identityRules = []Rule{
	{
		ID: "B-PASSWORD", needs: theRoot, look: lookPasswords,
		What: "No account has a password, and none does without", Why: "it would be the same on all machines",
		How: "/etc/passwd and /etc/shadow: a field that begins with ! or *",
	},
	{
		ID: "B-MACHINE-ID", needs: theRoot, look: lookMachineID,
		What: "/etc/machine-id is empty or \"uninitialized\", and D-Bus has no copy", Why: "DHCP leases and journals go by it; machine-id(5)",
		How: "/etc/machine-id, /var/lib/dbus/machine-id",
	},
	{
		ID: "B-HOST-KEYS", needs: theRoot, look: func(img *image) (answer, error) { return img.unwanted("etc/ssh", "ssh_host_*") },
		What: "No SSH host keys", Why: "whoever has the image can pose as any machine made from it", How: "/etc/ssh/ssh_host_*",
	},
	{
		ID: "B-AUTHORIZED-KEYS", needs: theRoot, look: lookAuthorized,
		What: "No authorized_keys of anybody", Why: "its maker could log in everywhere", How: ".ssh of root, of /home and of all homes in /etc/passwd",
	},
	{
		ID: "B-CLOUD-STATE", needs: theRoot, look: lookCloudState,
		What: "No instance of cloud-init, and no seed", Why: "cloud-init takes the machine for one that it has set up already",
		How: "/var/lib/cloud: instance, instances, data and sem are empty or not there, and so is seed",
	},
	{
		ID: "B-RANDOM-SEED", needs: theRoot, look: lookRandomSeed,
		What: "No saved random seed", Why: "machines must not begin with the same random numbers; systemd's BUILDING_IMAGES", How: "random-seed of systemd and of older init scripts, below /var/lib",
	},
	{
		ID: "B-HOSTNAME", needs: theRoot, look: lookHostname,
		What: "The hostname is generic", Why: "cloud-init sets it, and the builder's would be in logs and leases", How: "/etc/hostname is empty, localhost, localhost.localdomain or the distribution's name",
	},
	{
		ID: "B-MAC", needs: theRoot, look: lookMAC,
		What: "No rule for network cards by their address, and no address in network configuration", Why: "each machine has others, and gets no network then",
		How: "persistent-net rules of udev; MAC addresses in configuration of ifupdown, netplan, NetworkManager, networkd and network-scripts",
	},
	{
		ID: "B-CACHE", needs: theRoot, look: lookCache,
		What: "No packages or lists in the package manager's cache", Why: "they are old when the image is used, and large", How: "/var/cache/apt, /var/lib/apt/lists, /var/cache/yum, /var/cache/dnf",
	},
	{
		ID: "B-INSTALLER", needs: theRoot, look: lookInstaller,
		What: "No logs or answers of the installer", Why: "they hold how it was made, and at times passwords", How: "anaconda and installer below /var/log, /root/*-ks.cfg, /root/install.log",
	},
	{
		ID: "B-HISTORY", needs: theRoot, look: lookHistory,
		What: "No history of root's commands, or of others'", Why: "it shows the builder's work and secrets", How: ".*_history in /root and /home",
	},
}

// unwanted is broken by what is there of some patterns in a folder.
func (img *image) unwanted(folder string, patterns ...string) (answer, error) {
	found, err := img.root.match(folder, patterns...)
	return brokenIf(found, err, "none")
}

func lookPasswords(img *image) (answer, error) {
	passwd, err := img.root.read("etc/passwd")
	if err != nil {
		return answer{}, err
	}
	shadow, err := img.root.read("etc/shadow")
	if err != nil && !absent(err) {
		return answer{}, err
	}
	var found []string
	for file, text := range map[string]string{"passwd": passwd, "shadow": shadow} {
		for line := range strings.Lines(text) {
			f := strings.Split(strings.TrimRight(line, "\n"), ":")
			if len(f) < 2 || f[1] == "x" && file == "passwd" || strings.HasPrefix(f[1], "!") || strings.HasPrefix(f[1], "*") {
				continue
			}
			found = append(found, f[0])
		}
	}
	if len(found) > 0 {
		slices.Sort(found)
		return broken("%q can log in with a password, or without one: lock it with usermod -L, or passwd -l", found)
	}
	return kept("all accounts are locked")
}

func lookMachineID(img *image) (answer, error) {
	id, err := img.root.read("etc/machine-id")
	if absent(err) {
		return broken("/etc/machine-id is not there: make it empty, so that a root that is read-only at first can have one")
	}
	if err != nil {
		return answer{}, err
	}
	if id = strings.TrimSpace(id); id != "" && id != "uninitialized" {
		return broken("/etc/machine-id is %.40q: make it empty", id)
	}
	at, e, err := img.root.walk("var/lib/dbus/machine-id", true)
	if absent(err) || err == nil && at == "etc/machine-id" {
		return kept("%q", id)
	}
	if err != nil {
		return answer{}, err
	}
	if info, err := e.Info(); err != nil || info.Size() == 0 {
		return answer{Kept, "empty"}, err
	}
	return broken("/var/lib/dbus/machine-id is another one: make it a link to /etc/machine-id")
}

// homes are the folders of users, in the image.
func (img *image) homes() ([]string, error) {
	passwd, err := img.root.read("etc/passwd")
	if err != nil {
		return nil, err
	}
	homes := []string{"root"}
	for line := range strings.Lines(passwd) {
		if f := strings.Split(line, ":"); len(f) >= 6 && strings.Trim(f[5], "/") != "" {
			homes = append(homes, strings.Trim(f[5], "/"))
		}
	}
	users, err := img.root.list("home")
	for _, u := range users {
		homes = append(homes, "home/"+u)
	}
	slices.Sort(homes)
	return slices.Compact(homes), err
}

func (img *image) inHomes(folder string, patterns ...string) (found []string, err error) {
	homes, err := img.homes()
	for _, home := range homes {
		here, problem := img.root.match(home+folder, patterns...)
		for _, name := range here {
			text, unread := img.root.read(name)
			if unread != nil || len(strings.TrimSpace(text)) > 0 {
				found = append(found, name)
			}
		}
		err = errors.Join(err, problem)
	}
	return found, err
}

func lookAuthorized(img *image) (answer, error) {
	found, err := img.inHomes("/.ssh", "authorized_keys*")
	return brokenIf(found, err, "none")
}

func lookHistory(img *image) (answer, error) {
	found, err := img.inHomes("", ".*_history")
	return brokenIf(found, err, "none")
}

func lookCloudState(img *image) (answer, error) {
	var found []string
	for _, name := range []string{"instance", "instances", "data", "sem", "seed"} {
		at := "var/lib/cloud/" + name
		here, err := img.root.list(at)
		if err != nil {
			return answer{}, err
		}
		for _, n := range here {
			// Folders of seeds come with some packages, and are empty.
			deeper, err := img.root.list(at + "/" + n)
			_, e, walked := img.root.walk(at+"/"+n, false)
			if err = errors.Join(err, walked); err != nil {
				return answer{}, err
			}
			if len(deeper) > 0 || !e.IsDir() || name != "seed" {
				found = append(found, at+"/"+n)
			}
		}
	}
	// A link that leads nowhere is the instance, too.
	if there, err := img.root.there("var/lib/cloud/instance"); err != nil || there {
		return broken("there is /var/lib/cloud/instance: run cloud-init clean --logs --seed")
	}
	if len(found) > 0 {
		return broken("%s: run cloud-init clean --logs --seed", quoted(found))
	}
	return kept("none")
}

func lookRandomSeed(img *image) (answer, error) {
	var found []string
	for _, name := range []string{"var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/random-seed"} {
		there, err := img.root.there(name)
		if err != nil {
			return answer{}, err
		}
		if there {
			found = append(found, name)
		}
	}
	return brokenIf(found, nil, "none")
}

func lookHostname(img *image) (answer, error) {
	name, err := img.root.read("etc/hostname")
	if absent(err) {
		return kept("there is none")
	}
	if err != nil {
		return answer{}, err
	}
	name = strings.TrimSpace(name)
	_, release, err := img.root.readAny("etc/os-release", "usr/lib/os-release")
	if err != nil && !absent(err) {
		return answer{}, err
	}
	if slices.Contains([]string{"", "localhost", "localhost.localdomain", assigned(release, "ID")}, name) {
		return kept("%q", name)
	}
	return broken("it is %.80q: make /etc/hostname empty", name)
}

// mac is an address of a card, but for those that stand for none and all.
var mac = regexp.MustCompile(`(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b`)

func lookMAC(img *image) (answer, error) {
	found, err := img.root.match("etc/udev/rules.d", "*-persistent-net.rules")
	if err != nil || len(found) > 0 {
		return brokenIf(found, err, "")
	}
	for _, place := range []struct {
		folder   string
		patterns []string
	}{
		{"etc/network", []string{"interfaces"}}, {"etc/network/interfaces.d", []string{"*"}}, {"etc/netplan", []string{"*.yaml"}},
		{"etc/NetworkManager/system-connections", []string{"*"}}, {"etc/systemd/network", []string{"*"}},
		{"etc/sysconfig/network-scripts", []string{"ifcfg-*"}},
	} {
		files, err := img.root.match(place.folder, place.patterns...)
		if err != nil {
			return answer{}, err
		}
		for _, name := range files {
			_, e, err := img.root.walk(name, true)
			if err == nil && (e == nil || e.IsDir()) || absent(err) {
				continue
			}
			text, err := img.root.read(name)
			if err != nil {
				return answer{}, err
			}
			if m := mac.FindString(fmt.Sprint(settings(text))); m != "" && m != "00:00:00:00:00:00" {
				return broken("%q has the address %s: leave it out", "/"+name, m)
			}
		}
	}
	return kept("none")
}

func lookCache(img *image) (answer, error) {
	var found []string
	for folder, patterns := range map[string][]string{
		"var/cache/apt": {"*.deb", "pkgcache.bin", "srcpkgcache.bin"}, "var/lib/apt/lists": {"*_Packages*", "*_InRelease", "*_Release"},
		"var/cache/yum": {"*.rpm", "*.sqlite*", "*.xml*", "*.solv*"}, "var/cache/dnf": {"*.rpm", "*.xml*", "*.solv*"}, "var/cache/libdnf5": {"*.rpm", "*.xml*", "*.solv*"},
	} {
		here, err := img.root.find(folder, 6, patterns...)
		if err != nil {
			return answer{}, err
		}
		found = append(found, here...)
	}
	slices.Sort(found)
	return brokenIf(found, nil, "none")
}

func lookInstaller(img *image) (answer, error) {
	logs, err := img.root.match("var/log", "anaconda*", "installer")
	answers, err2 := img.root.match("root", "*-ks.cfg", "ks.cfg", "install.log*")
	return brokenIf(append(logs, answers...), errors.Join(err, err2), "none")
}
