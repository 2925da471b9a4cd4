package consumers

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

func init() {
	ansible("C-ANS-AGAIN", "A definition with one of each device changes nothing when its playbook runs again",
		defines("gives each definition another title", `import time; xml = xml.replace("</domain>", "<title>%s</title></domain>" % time.time())`), definedAgain)
	ansible("C-ANS-EDIT", "A definition that changed under the same UUID is told as a change, and is what libvirt has then",
		sameMemory, editedByUUID)
	ansible("C-ANS-EDIT-NAME", "A definition that changed and has no UUID is told as a change of the guest of its name, and is what libvirt has then",
		sameMemory, editedByName)
	ansible("C-ANS-UUID", "A definition that has the name of a guest and another UUID fails and tells of that guest, which stays as it was",
		goesOn("usurp"), otherUUID)
	ansible("C-ANS-AUTO", "A playbook has a guest start with the host, and takes that back, once each",
		binding("virDomainSetAutostart"), autostarts)
}

// sameMemory is a binding that forgets that a guest is to have more memory.
var sameMemory = defines("keeps a guest's memory", `xml = xml.replace("196608", "131072")`)

// defines is a Python binding that does something to what it is to define.
func defines(what, python string) *sabotage.Control {
	return sabotage.Spoil("a Python binding that "+what, `f=/usr/lib/python3/dist-packages/libvirt.py; grep -q 'def defineXML(' $f && `+
		`sed -i 's|^    def defineXML(.*|&\n        `+python+`|' $f`)
}

const (
	uuid      = "5a6b7c8d-0000-4000-8000-000000000001"
	otherOne  = "5a6b7c8d-0000-4000-8000-000000000002"
	someMAC   = "52:54:00:19:04:01"
	secondMAC = "52:54:00:19:04:02"
)

// defined is the task that defines a domain.
func defined(a *steps.Ansible, name, xml string) steps.Task {
	return a.Virt(name, steps.Args{"command": "define", "xml": xml})
}

// told describes a guest to libvirt.
func told(t *steps.T, opts ...domain.Option) (name string, xml func(uuid string, memoryKB uint) string) {
	g := t.NewGuest()
	return g.Name, func(uuid string, memoryKB uint) string {
		d := t.Describe(g, opts...)
		d.UUID, d.Memory = uuid, &libvirtxml.DomainMemory{Value: memoryKB, Unit: "KiB"}
		return t.Marshal(d)
	}
}

func definedAgain(t *steps.T, a *steps.Ansible) {
	_, describe := told(t, domain.Rich, withMACs)
	xml := describe(uuid, 256<<10)
	a.Play(defined(a, "define", xml)).ExpectChanged("define")
	t.Cleanup(func() { t.Virsh("undefine " + uuid) })
	had := t.VirshSays("dumpxml --inactive " + uuid)
	a.Play(defined(a, "again", xml)).ExpectChanged()
	t.Expect(t.VirshSays("dumpxml --inactive "+uuid)).To(Equal(had), "the definition once its playbook ran again")
}

// withMACs gives each card an address: libvirt makes one up for a card that has none, anew each
// time that it is defined.
func withMACs(d *libvirtxml.Domain) {
	for i, mac := range []string{someMAC, secondMAC} {
		d.Devices.Interfaces[i].MAC = &libvirtxml.DomainInterfaceMAC{Address: mac}
	}
}

func editedByUUID(t *steps.T, a *steps.Ansible) { edited(t, a, uuid) }

func editedByName(t *steps.T, a *steps.Ansible) { edited(t, a, "") }

func edited(t *steps.T, a *steps.Ansible, uuid string) {
	name, describe := told(t)
	a.Play(defined(a, "define", describe(uuid, 128<<10))).ExpectChanged("define")
	d := t.Adopt(domain.Guest{Name: name})
	had := d.UUID()
	played := a.Play(defined(a, "edit", describe(uuid, 192<<10)))
	t.ExpectSays("the definition once its playbook has more memory", d.Dump(libvirt.DOMAIN_XML_INACTIVE), "/domain/memory=196608")
	played.ExpectChanged("edit")
	t.Expect(d.Again().UUID()).To(Equal(had), "UUID of the guest that was defined again")
}

func otherUUID(t *steps.T, a *steps.Ansible) {
	name, describe := told(t)
	a.Play(defined(a, "define", describe(uuid, 128<<10))).ExpectChanged("define")
	d := t.Adopt(domain.Guest{Name: name})
	said := a.Play(defined(a, "usurp", describe(otherOne, 192<<10))).ExpectFailed("usurp")
	// In libvirt's words, or in those of the collection from 2 on.
	t.Expect(said).To(ContainSubstring(uuid), "the user is told whose name it is")
	t.ExpectSays("the definition", d.Dump(libvirt.DOMAIN_XML_INACTIVE), "/domain/uuid="+uuid, "/domain/memory=131072")
}

func autostarts(t *steps.T, a *steps.Ansible) {
	d := t.Define()
	with := func(on bool) steps.Task {
		return a.Virt("autostart", steps.Args{"name": d.Name, "autostart": on})
	}
	link := t.Layout().LibvirtConfig + "/qemu/autostart/" + d.Name + ".xml"
	for _, on := range []bool{true, false} {
		a.Play(with(on)).ExpectChanged("autostart")
		t.Expect(t.Exists(link)).To(Equal(on), "a link has the guest start with the host")
		t.Expect(strings.Contains(t.VirshSays("list --all --autostart --name"), d.Name)).To(Equal(on), "virsh lists the guest among those that start with the host")
		a.Play(with(on)).ExpectChanged()
	}
}
