package machine

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTraitsStayUntilTheMachineChanges(t *testing.T) {
	first, err := Traits(t.Context(), false)
	if err != nil {
		t.Skipf("this machine cannot run cells: %v", err)
	}
	again, err := Traits(t.Context(), false)
	if err != nil || !maps.Equal(first, again) {
		t.Errorf("twice the same machine: %v and %v, %v", first, again, err)
	}
	for _, name := range []string{"kernel", "kernel arguments", "processor", "processors", "libvirt client", "mkfs.ext4"} {
		if first[name] == "" {
			t.Errorf("nothing is said of %s", name)
		}
	}
}

func TestAHostHasTheTraitsThatItDependsOn(t *testing.T) {
	all, err := Traits(t.Context(), true)
	if err != nil {
		t.Skipf("this machine cannot run cells: %v", err)
	}
	of, err := HostTraits(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kernel", "kernel arguments", "processor", "file systems' settings", "mkfs.ext4", "kvm"} {
		if got, ok := of[name]; !ok || got != all[name] {
			t.Errorf("%s is %q, to an answer %q", name, got, all[name])
		}
	}
	if client, ok := of["libvirt client"]; ok {
		t.Errorf("a host depends on who talks to it: %s", client)
	}
	if of, err = HostTraits(t.Context(), false); err != nil || of["kvm"] != "" {
		t.Errorf("an emulated host depends on KVM: %v, %v", of, err)
	}
}

const cpuinfo = `processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 143
model name	: Intel(R) Xeon(R) Processor
stepping	: 8
microcode	: 0x1
cpu MHz		: 2100.000
flags		: fpu vme de
bogomips	: 4200.00

processor	: 1
cpu MHz		: 3000.000
`

func TestAProcessorIsToldByWhatStays(t *testing.T) {
	want := processorOf(cpuinfo)
	if !strings.HasPrefix(want, "Intel(R) Xeon(R) Processor ") {
		t.Errorf("it is called %q", want)
	}
	for old, new := range map[string]string{"2100.000": "2101.5", "4200.00": "4200.01", "processor	: 1": "processor	: 2"} {
		if got := processorOf(strings.Replace(cpuinfo, old, new, 1)); got != want {
			t.Errorf("%s: another processor", new)
		}
	}
	for old, new := range map[string]string{"vme": "vmx", "0x1": "0x2", ": 143": ": 144", "Intel(R)": "AMD"} {
		if got := processorOf(strings.Replace(cpuinfo, old, new, 1)); got == want {
			t.Errorf("%s: the same processor", new)
		}
	}
}

func TestALibraryIsFoundAsTheLinkerFindsIt(t *testing.T) {
	const cache = `2 libs found in cache
	libvirt.so.0 (libc6) => /lib/i386/libvirt.so.0
	libvirt.so.0 (libc6,x86-64) => /lib/libvirt.so.0
	libvirt.so (libc6,x86-64) => /lib/libvirt.so
`
	t.Setenv("LD_LIBRARY_PATH", "")
	if got, err := library(cache, "libvirt.so.0"); err != nil || got != "/lib/libvirt.so.0" {
		t.Errorf("found %q, %v", got, err)
	}
	if _, err := library(cache, "libvirt-qemu.so.0"); err == nil {
		t.Error("found what is not there")
	}
	own := filepath.Join(t.TempDir(), "libvirt.so.0")
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LD_LIBRARY_PATH", "/nowhere:"+filepath.Dir(own))
	if got, err := library(cache, "libvirt.so.0"); err != nil || got != own {
		t.Errorf("found %q, %v; want the folder that the environment names", got, err)
	}
}

func TestAnotherLibraryIsAnotherProgram(t *testing.T) {
	one, err := loaded(t.Context(), "/bin/ls")
	if err != nil {
		t.Skipf("no ldd here: %v", err)
	}
	if other, err := loaded(t.Context(), "/bin/cat"); err != nil || other == one {
		t.Errorf("two programs are the same: %s, %v", other, err)
	}
	if _, err := loaded(t.Context(), "/bin/none-such"); err == nil {
		t.Error("a program that is not there was loaded")
	}
}
