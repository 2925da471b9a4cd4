package consumers

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	ansible("C-ANS-FACTS", "What a playbook gathers of guests and their host is what virsh tells",
		sabotage.WrapAddOn("ansible-playbook", "an Ansible that calls what runs paused", `$REAL "$@" | sed 's/"running"/"paused"/'`), guestFacts)
	ansible("C-ANS-STOP", "Each command that the module virt documents for guests does something",
		binding("virDomainDestroy"), commands)
	ansible("C-ANS-INV", "The collection's inventory has each guest as a host with its connection and, where it tells more, the state that virsh tells",
		sabotage.WrapAddOn("ansible-inventory", "an inventory that misses a guest", `$REAL "$@" | sed 's/"l2-[0-9a-f]*": {/"other": {/'`), inventory)
	ansible("C-ANS-QGA", "A playbook runs commands in a guest by its agent alone, tells what they print and how they end, and fails where the guest has none",
		module("a connection that tells nothing of what commands print", "connection/libvirt_qemu.py", "\\['exitcode'\\], stdout, stderr", "['exitcode'], b'', b''"), inGuests)
}

func guestFacts(t *steps.T, a *steps.Ansible) {
	d, _ := t.Started()
	off := t.Define()
	of := func(command string, more steps.Args) steps.Task {
		args := steps.Args{"command": command}
		for name, value := range more {
			args[name] = value
		}
		return a.Virt(command, args)
	}
	played := a.Play(of("info", nil), of("list_vms", steps.Args{"state": "running"}), of("status", steps.Args{"name": d.Name}),
		of("get_xml", steps.Args{"name": off.Name}), of("nodeinfo", nil), of("virttype", nil), of("freemem", nil)).ExpectChanged()

	var info map[string]any
	played.Returned("info", &info)
	t.Expect(info[d.Name]).To(And(HaveKeyWithValue("state", "running"), HaveKeyWithValue("maxMem", fmt.Sprint(t.GuestMemoryKB()))), "facts of the guest that runs")
	t.Expect(info[off.Name]).To(HaveKeyWithValue("state", "shutdown"), "facts of the guest that is off")
	var said struct {
		Running []string `json:"list_vms"`
		Status  string
		XML     string `json:"get_xml"`
		CPUs    string
		Type    string `json:"virttype"`
	}
	for _, task := range []string{"list_vms", "status", "get_xml", "nodeinfo", "virttype"} {
		played.Returned(task, &said)
	}
	t.Expect(said.Running).To(ConsistOf(strings.Fields(t.VirshSays("list --name"))), "guests that run")
	t.Expect(said.Status).To(Equal("running"), "status of the guest")
	t.Expect(strings.TrimSpace(said.XML)).To(Equal(t.VirshSays("dumpxml "+off.Name)), "XML of the guest")
	t.Expect(strings.Fields(t.VirshSays("nodeinfo | grep '^CPU(s)'"))).To(ContainElement(said.CPUs), "processors of the host")
	t.Expect(said.Type).To(Equal("QEMU"), "the driver's name")
}

func commands(t *steps.T, a *steps.Ansible) {
	d := t.Define()
	of := func(command string) steps.Task {
		return a.Virt(command, steps.Args{"command": command, "name": d.Name})
	}
	a.Play(of("start"), of("pause")).ExpectOK()
	t.Expect(t.VirshSays("domstate "+d.Name)).To(Equal("paused"), "what virsh says of the guest")
	a.Play(of("unpause"), of("destroy"), of("create")).ExpectOK()
	t.Expect(t.VirshSays("domstate "+d.Name)).To(Equal("running"), "what virsh says of the guest")
	a.Play(of("destroy")).ExpectOK()
	t.Expect(t.VirshSays("domstate "+d.Name)).To(Equal("shut off"), "what virsh says of the guest")
	a.Play(of("start"), of("stop")).ExpectOK()
}

// sinceStates is the version of the collection from which on its inventory tells of guests' states.
const sinceStates = "1.2.0"

func inventory(t *steps.T, a *steps.Ansible) {
	d, _ := t.Started(domain.WithAgent)
	d.WaitAgent()
	off := t.Define()
	var said struct {
		Meta struct {
			Hosts map[string]struct {
				Connection string `json:"ansible_connection"`
				Info       struct{ State string }
				Agent      map[string]any `json:"guest_info"`
			} `json:"hostvars"`
		} `json:"_meta"`
	}
	a.Inventory(&said)
	for name, state := range map[string]string{d.Name: "running", off.Name: "shutoff"} {
		t.Expect(said.Meta.Hosts).To(HaveKey(name), "hosts of the inventory")
		of := said.Meta.Hosts[name]
		t.Expect(of.Connection).To(Equal("community.libvirt.libvirt_qemu"), "connection of the host %s", name)
		if matrix.Compare(a.Collection, sinceStates) >= 0 {
			t.Expect(of.Info.State).To(Equal(state), "state of the host %s", name)
		}
	}
	if matrix.Compare(a.Collection, sinceStates) >= 0 {
		t.Expect(said.Meta.Hosts[d.Name].Agent).To(HaveKeyWithValue("os.id", "virtmatrix"), "what the guest's agent says")
	}
}

func inGuests(t *steps.T, a *steps.Ansible) {
	d, g := t.Started(domain.WithAgent)
	d.WaitAgent()
	raw := func(name, command string) steps.Task { // without a shell of its own
		return steps.Task{Name: name, Module: "ansible.builtin.raw", Args: "/bin/sh -c '" + command + "'"}
	}
	var said struct{ Stdout, Stderr string }
	a.PlayInGuest(d, raw("read", "cat /proc/cmdline")).ExpectOK().Returned("read", &said)
	t.Expect(said.Stdout).To(ContainSubstring(l2.TokenArg+g.Token), "the kernel's arguments in the guest")
	played := a.PlayInGuest(d, raw("refused", "unheard-of"))
	played.ExpectFailed("refused")
	played.Returned("refused", &said)
	t.Expect(said.Stderr).To(ContainSubstring("unheard-of: not found"), "what the guest says of a command that it lacks")

	mute, _ := t.Started()
	t.Note("a guest without an agent: %s", a.PlayInGuest(mute, raw("read", "cat /proc/cmdline")).ExpectFailed("read"))
}
