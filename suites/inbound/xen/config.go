package xen

import (
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// planned is what xl would make of a configuration, as far as the checks look at it
// (libxl_types.idl, domain_config).
type planned struct {
	Create struct{ Type, Name string } `json:"c_info"`
	Build  struct {
		Memory     int64 `json:"target_memkb"`
		VCPUs      int   `json:"max_vcpus"`
		Bootloader string
		Kernel     string
		Cmdline    string
		HVM        struct{ BIOS, Boot string } `json:"type.hvm"`
	} `json:"b_info"`
	Disks []struct {
		Path   string `json:"pdev_path"`
		Name   string `json:"vdev"`
		Format string
		CDROM  int `json:"is_cdrom"`
	}
	NICs []struct{ MAC, Bridge string }
}

// String leaves out what is not said.
func (p planned) String() string {
	words := []string{p.Create.Type, p.Build.Bootloader, p.Build.Kernel, p.Build.Cmdline, p.Build.HVM.BIOS, p.Build.HVM.Boot}
	if p.Build.Memory > 0 {
		words = append(words, fmt.Sprintf("%dM", p.Build.Memory>>10))
	}
	for _, d := range p.Disks {
		words = append(words, strings.Join([]string{d.Name, d.Format, d.Path}, ":")+map[int]string{1: ":cdrom"}[d.CDROM])
	}
	for _, n := range p.NICs {
		words = append(words, "vif:"+n.Bridge)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// dryRun asks xl what it would make of a configuration. One that it refuses is "refused".
func dryRun(t *steps.T, text string) (plan planned, says string) {
	file := host.ScratchDir + "/" + t.Check + ".cfg"
	t.Put(file, text)
	defer t.Run("rm -f " + file)
	res := t.TryXl("-N create " + file)
	if !res.OK() {
		return plan, "refused"
	}
	said := string(res.Stdout)
	if err := json.Unmarshal([]byte(said[max(0, strings.Index(said, "{")):]), &plan); err != nil {
		t.Fail(t.Layer, "what xl would make of a configuration cannot be read: %v: %s", err, said)
	}
	return plan, plan.String()
}

// What people wrote for xend and for the first releases of xl, and what it comes to. xl
// takes much in silence for something else: its status says little.
var corpus = []struct{ text, want string }{
	{`kernel="/k" ramdisk="/r" root="/dev/xvda1 ro" extra="quiet"`, "pv /k root=/dev/xvda1 ro quiet 64M"},
	{`builder="generic" kernel="/k"`, "pv /k 64M"},
	{`type="pv" bootloader="pygrub" disk=["phy:/dev/vg/root,xvda,w"]`, "pv pygrub 64M xvda:raw:/dev/vg/root"},
	{`bootloader="/usr/lib/xen-4.4/bin/pygrub" disk=["file:/d,xvda1,w"]`, "pv /usr/lib/xen-4.4/bin/pygrub 64M xvda1:raw:/d"},
	{`bootloader="pygrub" disk=["tap:aio:/d,xvda,w"]`, "pv pygrub 64M xvda:raw:/d"},
	{`bootloader="pygrub" disk=["tap:qcow2:/d,xvda,w"]`, "pv pygrub 64M xvda:qcow2:/d"},
	{`kernel="/k" disk=["format=qcow2,vdev=xvda,access=rw,target=/d"]`, "pv /k 64M xvda:qcow2:/d"},
	{`kernel="/k" disk="phy:/dev/vg/root,xvda,w"`, "pv /k 64M"},
	{`kernel="/k" pvh=1`, "pv /k 64M"},
	{`type="pvh" kernel="/k" cmdline="quiet"`, "pvh /k quiet 64M"},
	{`builder="hvm" boot="dc" disk=["file:/d,hda,w", "file:/iso,hdc:cdrom,r"]`, "hvm dc 64M hda:raw:/d hdc:raw:/iso:cdrom"},
	{`builder="hvm" kernel="/usr/lib/xen/boot/hvmloader" device_model="/usr/lib/xen/bin/qemu-dm"`, "hvm 64M"},
	{`type="hvm" bios="ovmf" vif=["mac=00:16:3e:00:00:01,bridge=xenbr0,type=ioemu"]`, "hvm ovmf 64M vif:xenbr0"},
	{`kernel="/k" vif=["mac=00:16:3e:00:00:01,bridge=xenbr0,colour=red"]`, "pv /k 64M vif:xenbr0"},
	{`builder="linux" kernel="/k"`, "refused"},
	{`type="hvm" builder="generic"`, "refused"},
	{`disk=["phy:/dev/vg/root,xvda,w"]`, "refused"},
	{"import os\nkernel=\"/k\"", "refused"},
	{"kernel=\"/k\"\nvcpus=4\nmaxvcpus=2", "refused"},
	{`kernel="/k" on_crash="explode"`, "refused"},
	{`kernel="/k" disk=["format=vmdk,vdev=xvda,access=rw,target=/d"]`, "refused"},
	{`kernel="/k" vif=["rate=x"]`, "refused"},
}

var _ = check.Register("IX-CFG", check.Spec{
	Asserts:  "Configurations of old users come to what they came to, and those that xl does not know are refused",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Filter("xl", "an xl that makes PV guests of PVH's", `s/"type": "pvh"/"type": "pv"/`),
}, func(t *steps.T) {
	var wrong []string
	for _, c := range corpus {
		text := "name=\"old\"\nmemory=64\n" + strings.ReplaceAll(c.text, "\" ", "\"\n")
		if _, says := dryRun(t, text); says != c.want {
			wrong = append(wrong, fmt.Sprintf("%s\n  comes to: %s\n  expected: %s", c.text, says, c.want))
		}
	}
	t.Expect(wrong).To(BeEmpty(), "configurations that come to something else")
})

var _ = check.Register("IX-NATIVE", check.Spec{
	Asserts:  "What libvirt writes for xl is the domain to xl, what it reads back is the domain, and the guest of a user's configuration boots by libvirt",
	Requires: stack,
	Control:  sabotage.Alter("virConnectDomainXMLToNative", "xvda", "xvdb"),
}, func(t *steps.T) {
	disk := t.DiskImage("disk", 1<<20)
	conn, d := t.Connection().Raw, t.Define(domain.WithDisk(disk, "raw"))
	text := steps.Get(t, "translate to xl's format", func() (string, error) {
		return conn.DomainXMLToNative("xen-xl", d.Dump(libvirt.DOMAIN_XML_INACTIVE), 0)
	})
	reads := func(text string) (def libvirtxml.Domain, xml string) {
		xml = steps.Get(t, "translate from xl's format", func() (string, error) { return conn.DomainXMLFromNative("xen-xl", text, 0) })
		t.Parse("what libvirt reads", xml, &def)
		return def, xml
	}
	plan, _ := dryRun(t, text)
	back, _ := reads(text)
	t.Expect(fmt.Sprintln(plan.Create.Type, plan.Create.Name, plan.Build.Memory>>10, plan.Build.VCPUs, plan.Disks)).
		To(Equal(fmt.Sprintln("pv", d.Name, domain.MemoryMB, 1, "[{"+disk+" xvda raw 0}]")), "what xl reads of what libvirt wrote")
	t.Expect(fmt.Sprintln(back.Name, back.Memory.Value, back.Memory.Unit, back.OS.Kernel, back.Devices.Disks[0].Target.Dev)).
		To(Equal(fmt.Sprintln(d.Name, domain.MemoryMB<<10, "KiB", host.GuestKernel, "xvda")), "what libvirt reads of what it wrote")

	g := t.NewGuest()
	_, xml := reads(domain.XLConfig(g, domain.XL{"disk": []string{"format=raw,vdev=xvda,access=rw,target=" + disk}}))
	users := t.DefineXML(g, xml)
	users.Start()
	users.Guest().WaitDiskNamed("xvda", true)
})
