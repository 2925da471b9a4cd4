package main

import (
	"cmp"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

var (
	configured = regexp.MustCompile(`(?m)^(?:# )?CONFIG_(\w+)(?:=(.*)| is not set)$`)
	// ofBuild are symbols that tell of who built it.
	ofBuild = regexp.MustCompile(`^(CC_|LD_|AS_|CLANG_|GCC|RUSTC?_|PAHOLE_|LLD_|.*_VERSION|.*_VERSION_TEXT|BUILD_SALT|LOCALVERSION)`)
	// hosting are modules that hosts and guests are made with.
	hosting = regexp.MustCompile(`^(kvm|virt|vhost|vfio|vsock|vmw_vsock|hv_|xen|tun$|tap$|macv|bridge|veth|nbd|loop|dm_|9p|fuse|nf_|nft_|ip6?t|ip6?_tables|ebt|xt_|sch_|cls_|act_|iommu|intel_iommu|amd_iommu|irqbypass|balloon|qxl|bochs|cirrus|scsi_mod|virtio_scsi|squashfs|overlay|pvpanic|i6300esb|iTCO|qemu_fw_cfg|mdev|ccp|isst|tdx|sev)`)
)

// takeKernel takes a kernel's configuration, its modules with their parameters, and what
// loaders see.
func takeKernel(t *taker) error {
	t.add("payload", capture.Fact{Path: "packing", Value: t.Kernel.Packing}, capture.Fact{Path: "protocol", Value: t.Kernel.Protocol})
	t.addNames("payload", "loads", t.Kernel.Loads...)
	notes := capture.Fact{Path: "notes"}
	if t.Kernel.Unread != "" {
		notes.Value = capture.Unseen + t.Kernel.Unread
	}
	t.add("payload", notes)
	for name, value := range t.Kernel.Notes {
		t.add("payload", capture.Fact{Path: "notes/" + name, Value: value})
	}
	for _, m := range configured.FindAllStringSubmatch(t.Config, -1) {
		if !ofBuild.MatchString(m[1]) {
			t.add("kconfig", capture.Fact{Path: m[1], Value: cmp.Or(m[2], "n")})
		}
	}
	err := filepath.WalkDir("/modules", func(path string, d fs.DirEntry, err error) error {
		name, module := strings.CutSuffix(d.Name(), ".ko")
		if err != nil || !module {
			return err
		}
		if name = strings.ReplaceAll(name, "-", "_"); !hosting.MatchString(name) {
			return nil
		}
		f, err := elf.Open(path)
		if err != nil {
			return fmt.Errorf("cannot read module %s: %w", path, err)
		}
		defer f.Close()
		t.add("modules", capture.Fact{Path: name, Value: "module"})
		section := f.Section(".modinfo")
		if section == nil {
			return nil
		}
		info, err := section.Data()
		t.addParameters(map[string][]string{name: strings.Split(string(info), "\x00")})
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot read modules: %w", err)
	}
	files, err := filepath.Glob("/modules/*/modules.builtin.modinfo")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read modules: %w", err)
		}
		lines := map[string][]string{}
		for line := range strings.SplitSeq(string(text), "\x00") {
			if name, line, _ := strings.Cut(line, "."); hosting.MatchString(name) {
				t.add("modules", capture.Fact{Path: name, Value: "built in"})
				lines[name] = append(lines[name], line)
			}
		}
		t.addParameters(lines)
	}
	return nil
}

// addParameters reads the lines of modules' information: "parmtype=NAME:TYPE", which not
// each parameter has, and "parm=NAME:DESCRIPTION".
func (t *taker) addParameters(lines map[string][]string) {
	for module, lines := range lines {
		types := map[string]string{}
		for _, line := range lines {
			key, text, _ := strings.Cut(line, "=")
			name, is, _ := strings.Cut(text, ":")
			switch key {
			case "parmtype":
				types[name] = is
			case "parm":
				types[name] = types[name]
			}
		}
		for name, typ := range types {
			t.add("modules", capture.Fact{Path: module + "/" + name, Value: typ})
		}
	}
}
