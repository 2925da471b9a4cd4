package main

import (
	"bytes"
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
	configured = regexp.MustCompile(`(?m)^CONFIG_(\w+)=(.*)$`)
	// ofBuild are symbols that tell of who built it.
	ofBuild = regexp.MustCompile(`^(CC_|LD_|AS_|CLANG_|GCC|RUSTC?_|PAHOLE_|LLD_|.*_VERSION|.*_VERSION_TEXT|BUILD_SALT|LOCALVERSION)`)
	// hosting are modules that hosts and guests are made with.
	hosting = regexp.MustCompile(`^(kvm|virt|vhost|vfio|vsock|vmw_vsock|hv_|xen|tun$|tap$|macv|bridge|veth|nbd|loop|dm_|9p|fuse|nf_|nft_|ip6?t|ip6?_tables|ebt|xt_|sch_|cls_|act_|iommu|intel_iommu|amd_iommu|irqbypass|balloon|qxl|bochs|cirrus|scsi_mod|virtio_scsi|squashfs|overlay|pvpanic|i6300esb|iTCO|qemu_fw_cfg|mdev|ccp|isst|tdx|sev)`)
)

// takeKernel takes a kernel's configuration, and its modules with their parameters.
func takeKernel(t *taker) error {
	for _, m := range configured.FindAllStringSubmatch(t.Config, -1) {
		if !ofBuild.MatchString(m[1]) {
			t.add("kconfig", capture.Fact{Path: m[1], Value: m[2]})
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
		for line := range bytes.SplitSeq(info, []byte{0}) {
			t.addParameter(name, string(line))
		}
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
		for line := range bytes.SplitSeq(text, []byte{0}) {
			name, line, _ := strings.Cut(string(line), ".")
			if hosting.MatchString(name) {
				t.add("modules", capture.Fact{Path: name, Value: "built in"})
				t.addParameter(name, line)
			}
		}
	}
	return nil
}

// addParameter reads a line of a module's information: "parmtype=NAME:TYPE".
func (t *taker) addParameter(module, line string) {
	if text, ok := strings.CutPrefix(line, "parmtype="); ok {
		name, typ, _ := strings.Cut(text, ":")
		t.add("modules", capture.Fact{Path: module + "/" + name, Value: typ})
	}
}
