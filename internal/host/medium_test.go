package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// fromDisc has a host boot from a disc.
func fromDisc(o options, media string) options {
	o.parts.Medium = o.parts.Root
	o.settings.Axes = []matrix.Setting{{Axis: matrix.MediaAxis, Value: media}}
	return o
}

// mediumLine is the command line of a native host from a medium.
func mediumLine(t *testing.T, media string, firmware layout.Firmware) (string, error) {
	t.Helper()
	c := compositions()["native"]
	c.parts.Medium, c.parts.Client = "/store/medium", ""
	if media == OSTree {
		c.parts.Client = "/store/client"
	}
	c.settings.Axes = []matrix.Setting{{Axis: matrix.MediaAxis, Value: media}}
	em := emulator
	em.Firmware = firmware
	argv, err := commandLine(c.parts, c.settings, em, places{sockets: "/vm", files: "/vm", memory: "/memory"}, false)
	return strings.Join(argv, " "), err
}

func TestAMachineBootsFromItsMedium(t *testing.T) {
	uefi := layout.Firmware{Code: "/fw/code.fd", Vars: "/fw/vars.fd"}
	const disc = "-drive if=none,id=medium,format=raw,media=cdrom,readonly=on,file=/store/medium -device scsi-cd,drive=medium,bootindex=0"
	for media, want := range map[string][]string{
		ISOBIOS: {disc},
		ISOUEFI: {disc, "if=pflash,unit=0,format=raw,readonly=on,file=/fw/code.fd", "if=pflash,unit=1,format=raw,snapshot=on,file=/fw/vars.fd"},
		OSTree: {"if=none,id=medium,format=raw,snapshot=on,cache=unsafe,file=/store/medium", "virtio-blk-pci,drive=medium,bootindex=0,serial=sysroot",
			"id=ostree,format=raw,file=/store/client,readonly=on"},
	} {
		line, err := mediumLine(t, media, uefi)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range append(want, "serial=parts", "serial=scratch") {
			if !strings.Contains(line, part) {
				t.Errorf("%s: %q is missing in %s", media, part, line)
			}
		}
		for _, part := range []string{"-kernel", "-initrd", "-append", "serial=root", "serial=modules"} {
			if strings.Contains(line, part) {
				t.Errorf("%s: it is given %s: %s", media, part, line)
			}
		}
		if strings.Contains(line, "pflash") != (media == ISOUEFI) {
			t.Errorf("%s: its firmware is wrong: %s", media, line)
		}
	}
	if _, err := mediumLine(t, ISOUEFI, layout.Firmware{}); err == nil || !strings.Contains(err.Error(), "no UEFI firmware") {
		t.Errorf("without firmware: %v", err)
	}
}

func TestARootComesFromTheMedium(t *testing.T) {
	spec := func(media, medium, bundle string) (agent.Spec, error) {
		c := compositions()["native"]
		c.parts.Medium, c.parts.QEMU = medium, bundle
		if bundle != "" {
			c = compositions()["bundled"]
			c.parts.Medium = medium
		}
		c.settings.Axes = []matrix.Setting{{Axis: matrix.MediaAxis, Value: media}}
		s, _, err := compose(c.parts, c.settings)
		return s, err
	}
	disc, err := spec(ISOBIOS, "/store/medium", "")
	if err != nil {
		t.Fatal(err)
	}
	modules := agent.Mount{Path: "/usr/lib/modules", File: "live/modules.squashfs"}
	if disc.Root != "" || *disc.Medium != (agent.Medium{Label: "VIRTMATRIX", Root: "live/root.squashfs"}) || !slices.Equal(disc.Images, []agent.Mount{modules}) {
		t.Errorf("a disc: root %q, medium %+v, images %+v", disc.Root, disc.Medium, disc.Images)
	}
	bundled, err := spec(ISOBIOS, "/store/medium", "/store/qemu")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bundled.Images, []agent.Mount{modules, {Serial: "qemu", Path: BundleDir}}) {
		t.Errorf("a bundle beside a disc: %+v", bundled.Images)
	}
	deployed, err := spec(OSTree, "/store/medium", "")
	if err != nil {
		t.Fatal(err)
	}
	if *deployed.Medium != (agent.Medium{Sysroot: "sysroot"}) || !slices.Equal(deployed.Images, []agent.Mount{{Serial: "ostree", Path: ClientDir}}) {
		t.Errorf("a deployment: medium %+v, images %+v", deployed.Medium, deployed.Images)
	}
	for name, c := range map[string][3]string{"no disc": {ISOUEFI}, "no disk": {OSTree}, "a bundle in a deployment": {OSTree, "/store/medium", "/store/qemu"}} {
		if _, err := spec(c[0], c[1], c[2]); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestAMediumsInitramfsHasWhatItReadsTheRestWith(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(name), 0o644))
		return path
	}
	out := filepath.Join(dir, "initrd")
	check(t, WriteMediumInitramfs(out, file("agent"), []string{file("b.ko"), file("a.ko")}, []string{file("program")}))
	b, err := os.ReadFile(out)
	check(t, err)
	for _, want := range []string{"init\x00", "modules/load\x00", "b.ko\na.ko\n", "modules/a.ko\x00", strings.TrimPrefix(dir, "/") + "/program\x00"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is missing in the initramfs", want)
		}
	}
}
