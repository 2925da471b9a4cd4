package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// takeLibvirt takes what clients, daemons and files of libvirt offer.
func takeLibvirt(t *taker) error {
	for name, path := range libraries(t.Layout.Loader, "libvirt*.so.0") {
		if err := t.addLibrary("symbols", path, name); err != nil {
			return err
		}
	}
	for _, take := range []func(*taker) error{takeTools, takeSchemas, takeConfig, takeUnits, takePolkit, takeFilters, takeCPUMap, takeHooks, takeFiles, lackPackages, takeCapabilities} {
		if err := take(t); err != nil {
			return err
		}
	}
	return nil
}

var (
	listedCommand = regexp.MustCompile(`(?m)^ {4}([a-z][a-z0-9-]+) {2,}`)
	longOption    = regexp.MustCompile(`(?:^|[\s|])--([a-z][a-z0-9-]+)`)
	shellOption   = regexp.MustCompile(`(?m)^ {4}(?:\[--([\w-]+)\]|--([\w-]+)|<([\w-]+)>)`)
	// What may be given more than once was {[--x] <string>}... up to 9.x, and is <x>....
	repeated  = regexp.MustCompile(`\{\[--([\w-]+)\] <[\w-]+>\}`)
	optional  = regexp.MustCompile(`\[[^\[\]]*\]`)
	mandatory = regexp.MustCompile(`<([\w-]+)>`)
)

// otherTools are programs of libvirt that have options and no commands.
var otherTools = []string{
	"libvirtd", "virtlogd", "virtlockd", "virtqemud", "virtproxyd", "virt-host-validate", "virt-xml-validate", "virt-pki-validate",
	"virt-pki-query-dn", "virt-qemu-run", "virt-ssh-helper", "virt-qemu-qmp-proxy",
}

func takeTools(t *taker) error {
	for _, name := range []string{layout.Virsh, layout.VirtAdmin} {
		program, err := t.Layout.Program(name)
		if err != nil {
			return err
		}
		if err := t.takeShell(program, name); err != nil {
			return err
		}
	}
	for _, name := range otherTools {
		for _, path := range layout.Candidates(name) {
			if _, err := os.Stat(path); err != nil {
				continue
			}
			t.addNames("virsh", "", name)
			// Not each says yes to being asked for help.
			help, _ := output(path, "--help")
			for _, m := range longOption.FindAllStringSubmatch(help, -1) {
				t.addNames("virsh", name, "--"+m[1])
			}
		}
	}
	return nil
}

// takeShell takes the commands of virsh or virt-admin with their options. One process
// tells of all of them.
func (t *taker) takeShell(program, name string) error {
	list, err := output(program, "help")
	if err != nil {
		return err
	}
	var ask []string
	for _, m := range listedCommand.FindAllStringSubmatch(list, -1) {
		ask = append(ask, "help "+m[1])
	}
	help, err := output(program, strings.Join(sortedUnique(ask), "; "))
	if err != nil {
		return err
	}
	t.addNames("virsh", "", name)
	for _, page := range strings.Split(help, "  NAME\n")[1:] {
		t.addCommand(name, page)
	}
	global, _ := output(program, "--help")
	for _, m := range longOption.FindAllStringSubmatch(global, -1) {
		t.addNames("virsh", name, "--"+m[1])
	}
	return nil
}

// addCommand reads the page of a command: its options whatever is said of them, and
// which must be given. Options that go by their place are <x> in one release and
// [--x] in another.
func (t *taker) addCommand(tool, page string) {
	command, _, _ := strings.Cut(strings.TrimSpace(page), " ")
	if command == "" {
		return
	}
	t.addNames("virsh", tool, command)
	_, options, _ := strings.Cut(page, "  OPTIONS\n")
	_, synopsis, _ := strings.Cut(page, "  SYNOPSIS\n")
	synopsis, _, _ = strings.Cut(synopsis, "\n\n")
	synopsis = repeated.ReplaceAllString(synopsis, "<$1>")
	for optional.MatchString(synopsis) {
		synopsis = optional.ReplaceAllString(synopsis, "")
	}
	var must []string
	for _, m := range mandatory.FindAllStringSubmatch(synopsis, -1) {
		must = append(must, m[1])
	}
	for _, m := range shellOption.FindAllStringSubmatch(options, -1) {
		option := m[1] + m[2] + m[3]
		t.add("virsh", capture.Fact{Path: tool + "/" + command + "/--" + option, Required: slices.Contains(must, option)})
	}
}

// startLimit bounds how long a daemon may take until its socket is there.
const startLimit = 2 * time.Minute

var (
	wholeCapabilities = regexp.MustCompile(`(?s)<capabilities>.*?</capabilities>`)
	wholeDomain       = regexp.MustCompile(`(?s)<domainCapabilities>.*?</domainCapabilities>`)
	guestMachine      = regexp.MustCompile(`<machine[^>]*>([^<]+)</machine>`)
	guest64           = regexp.MustCompile(`(?s)<arch name='x86_64'>.*?</arch>`)
)

// takeCapabilities starts the daemons and asks them what their driver can do.
func takeCapabilities(t *taker) error {
	if t.Layout.Toolstack != "" {
		return nil // the driver for Xen answers only where Xen runs
	}
	if err := t.lackModules("domcaps"); err != nil {
		return err
	}
	stop, err := t.startDaemons()
	defer stop()
	if err != nil {
		return err
	}
	virsh, err := t.Layout.Program(layout.Virsh)
	if err != nil {
		return err
	}
	text, err := output(virsh, "-c", "qemu:///system", "capabilities")
	if err != nil {
		return err
	}
	facts, err := xmlFacts(wholeCapabilities.FindString(text), "", func(path string) bool {
		// The host is not the image, and machines have capabilities of their own.
		return path == "host" || strings.HasPrefix(path, "host/") || strings.Contains(path, "/machine")
	})
	if err != nil {
		return err
	}
	t.add("capabilities", facts...)
	var ask []string
	for _, m := range guestMachine.FindAllStringSubmatch(guest64.FindString(text), -1) {
		ask = append(ask, "domcapabilities --arch x86_64 --virttype qemu --machine "+m[1])
	}
	// Some machines have none, which virsh's status tells of.
	text, err = output(virsh, "-q", "-c", "qemu:///system", strings.Join(sortedUnique(ask), "; "))
	all := wholeDomain.FindAllString(text, -1)
	if len(all) == 0 {
		return errors.Join(errors.New("cannot read domain capabilities: there are none"), err)
	}
	for _, text := range all {
		if err := t.addDomain(text); err != nil {
			return err
		}
	}
	return nil
}

var ownMachine = regexp.MustCompile(`<machine>([^<]+)</machine>`)

// addDomain adds the domain capabilities of a machine, but for what is the host's
// processor or the place of a file.
func (t *taker) addDomain(text string) error {
	m := ownMachine.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("cannot read domain capabilities: they are of no machine: %.200s", text)
	}
	t.addNames("domcaps", "", m[1])
	facts, err := xmlFacts(text, m[1], func(path string) bool {
		path = strings.TrimPrefix(path, m[1]+"/")
		return strings.HasPrefix(path, "cpu") || strings.HasPrefix(path, "path") || strings.HasPrefix(path, "machine") || strings.Contains(path, "=/")
	})
	t.add("domcaps", facts...)
	return err
}

// startDaemons starts those that libvirt's clients call, and waits for their sockets.
func (t *taker) startDaemons() (stop func(), err error) {
	// A network would be made, which is no part of what the driver can do.
	if err := os.RemoveAll(t.Layout.LibvirtConfig + "/qemu/networks/autostart"); err != nil {
		return func() {}, err
	}
	var started []*daemon
	stop = func() {
		for _, d := range slices.Backward(started) {
			d.end()
		}
	}
	daemons, err := t.Layout.Start("kvm")
	if err != nil {
		return stop, err
	}
	for _, d := range daemons {
		it, err := startDaemon(d)
		if err != nil {
			return stop, err
		}
		started = append(started, it)
		if err := it.await(d.Socket); err != nil {
			return stop, err
		}
	}
	return stop, nil
}

// takeFiles takes the files of a root whose paths match, with their modes, owners and
// capabilities. Numbers of accounts differ by image, names do not.
func (t *taker) takeFiles(kind string, match *regexp.Regexp) error {
	users, err := accounts("/etc/passwd")
	if err != nil {
		return err
	}
	groups, err := accounts("/etc/group")
	if err != nil {
		return err
	}
	for _, top := range []string{"/etc", "/usr", "/var"} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && slices.Contains(unread, path) {
				return fs.SkipDir
			}
			if !match.MatchString(path) {
				return nil
			}
			value, err := describeFile(path, d, users, groups)
			t.add(kind, capture.Fact{Path: unversioned(path), Value: value})
			return err
		})
		if err != nil {
			return fmt.Errorf("cannot list files: %w", err)
		}
	}
	return nil
}

// unread are folders of files that no program depends on, or that others own.
var unread = []string{"/usr/share/doc", "/usr/share/locale", "/usr/share/man", "/usr/share/info", "/usr/lib/modules", "/var/lib/dpkg", "/var/cache", "/usr/share/lintian", "/usr/share/bug", "/var/lib/apt", "/var/log", "/etc/systemd", "/var/lib/systemd", "/etc/ssl", "/usr/lib/python3", "/usr/share/augeas"}

var (
	libraryRelease = regexp.MustCompile(`(\.so\.\d+)\.[\d.]+$`)
	xenRelease     = regexp.MustCompile(`(xen)-4\.\d+`)
)

// unversioned is a path without the number of the release that is in it.
func unversioned(path string) string {
	return xenRelease.ReplaceAllString(libraryRelease.ReplaceAllString(path, "$1"), "$1")
}

// ownFile are the files of libvirt by their names.
var ownFile = regexp.MustCompile(`libvirt|/virsh|/virt-[^/]*$|/virt(admin|log|lock|qemu|xen|lxc|proxy|network|nodedev|nwfilter|secret|storage|interface)d[^/]*$`)

func takeFiles(t *taker) error { return t.takeFiles("files", ownFile) }
