package lifecycle

import (
	"encoding/base64"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// alone is a check of what a user made, and finds after having left for longer than the daemon
// waits for somebody. What is only in the daemon's memory is to keep it from ending.
func alone(id, asserts string, hosts matrix.Hosts, control *sabotage.Control, thing func(t *steps.T) (look, want string)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.6.0")},
		Depends:  check.On(matrix.Libvirt, matrix.QEMU),
		Hosts:    hosts,
		Control:  control,
	}, func(t *steps.T) {
		t.EndsAlone()
		look, want := thing(t)
		t.Expect(t.VirshSays(look)).To(ContainSubstring(want))
		t.LeaveAlone()
		t.Expect(t.Virsh(look).Text()).To(ContainSubstring(want), "virsh %s, asked by the next who comes", look)
	})
}

// create has virsh make something of XML, and unmake it when the check is over.
func create(t *steps.T, verb, xml, unmake string) {
	file := t.Scratch("alone.xml")
	t.Put(file, xml)
	t.Cleanup(func() { t.Virsh(unmake) })
	t.VirshSays(verb + " " + file)
}

func init() {
	alone("O-IDLE-GUEST", "A transient guest that was left by all who were connected runs on, and who comes next finds it",
		matrix.Hosts{}, sabotage.Filter("virsh", "a virsh that calls a paused guest off", "s/paused/shut off/"),
		func(t *steps.T) (look, want string) {
			g := t.NewGuest()
			t.RemoveAfter(domain.ConsoleLog(g.Name))
			create(t, "create --paused", t.Marshal(t.Describe(g)), "destroy "+g.Name)
			return "domstate " + g.Name, "paused"
		})
	alone("O-IDLE-NET", "A transient network that was left by all who were connected is up, and who comes next finds it",
		matrix.Hosts{Network: true}, sabotage.Filter("virsh", "a virsh that calls a network that is up off", "s/yes/no/"),
		func(t *steps.T) (look, want string) {
			create(t, "net-create", "<network><name>alone</name><bridge name='vmbr9'/><ip address='192.168.199.1' netmask='255.255.255.0'/></network>", "net-destroy alone")
			return "net-info alone | grep Active", "yes"
		})
	alone("O-IDLE-POOL", "A transient pool that was left by all who were connected runs, and who comes next finds it",
		matrix.Hosts{}, sabotage.Filter("virsh", "a virsh that calls a pool that runs off", "s/running/inactive/"),
		func(t *steps.T) (look, want string) {
			folder := t.Scratch("alone")
			t.Sh("mkdir " + folder)
			create(t, "pool-create", t.Marshal(&libvirtxml.StoragePool{Type: "dir", Name: "alone", Target: &libvirtxml.StoragePoolTarget{Path: folder}}), "pool-destroy alone")
			return "pool-info alone", "running"
		})
	alone("O-IDLE-SECRET", "The value of an ephemeral secret is there for who comes next, once all who were connected had left",
		matrix.Hosts{}, sabotage.Filter("virsh", "a virsh that tells another value", "s/b3BlbnM/c2h1dHM/"),
		func(t *steps.T) (look, want string) {
			const uuid = "0d6eb6b6-6ad5-4c4a-8a2c-5b2f5a3c7e11"
			create(t, "secret-define", "<secret ephemeral='yes'><uuid>"+uuid+"</uuid><usage type='volume'><volume>/O-IDLE-SECRET</volume></usage></secret>", "secret-undefine "+uuid)
			told := base64.StdEncoding.EncodeToString([]byte("opens it"))
			t.VirshSays("secret-set-value " + uuid + " " + told)
			return "secret-get-value " + uuid, told
		})
}
