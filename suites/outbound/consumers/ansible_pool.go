package consumers

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	ansible("C-ANS-POOL", "Playbooks define a pool, build it, start it, tell what it holds, stop it, delete it and forget it, and do not do so twice",
		binding("virStoragePoolBuild"), poolLife)
	ansible("C-ANS-POOL-ABSENT", "A pool that a playbook takes away leaves its volumes, and those of a deleted one are refused while there are any",
		binding("virStoragePoolUndefine"), poolAbsent)
}

// pool is a task about a pool.
func pool(a *steps.Ansible, p *steps.Pool, name string, more steps.Args) steps.Task {
	args := steps.Args{"name": p.Name}
	for key, value := range more {
		args[key] = value
	}
	return a.VirtPool(name, args)
}

// present is the task that defines a pool in a folder.
func present(a *steps.Ansible, p *steps.Pool) steps.Task {
	return pool(a, p, "present", steps.Args{"state": "present",
		"xml": fmt.Sprintf("<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>", p.Name, p.Path)})
}

func poolLife(t *steps.T, a *steps.Ansible) {
	p := t.NewPool()
	state := func(state string) steps.Task { return pool(a, p, state, steps.Args{"state": state}) }
	auto := pool(a, p, "autostart", steps.Args{"autostart": true})
	a.Play(present(a, p), pool(a, p, "build", steps.Args{"command": "build"}), state("active"), auto).ExpectChanged("present", "build", "active", "autostart")
	a.Play(present(a, p), state("active"), auto).ExpectChanged()
	p.LookUp()
	t.Expect([]bool{t.Exists(p.Path), p.Active(), p.Autostart()}).To(Equal([]bool{true, true, true}), "the pool has its folder, is active, starts with the host")

	p.Create("one", "raw", mib, nil)
	var said struct {
		Pools map[string]struct {
			State, Status, Path, UUID string
			Volumes                   []string
			Count                     int    `json:"volume_count"`
			Total                     string `json:"size_total"`
		}
	}
	a.Play(a.VirtPool("info", steps.Args{"command": "info"})).ExpectOK().Returned("info", &said)
	told := said.Pools[p.Name]
	t.Expect([]string{told.State, told.Status, told.Path, told.UUID, told.Total, fmt.Sprint(told.Count), strings.Join(told.Volumes, " ")}).To(
		Equal([]string{"active", "running", p.Path, p.UUID(), fmt.Sprint(p.Info().Capacity), "1", "one"}), "what a playbook gathered of the pool")

	p.Volume("one").Delete()
	a.Play(state("inactive")).ExpectChanged("inactive")
	t.Expect(p.Active()).To(BeFalse(), "the stopped pool is active")
	a.Play(state("inactive"), state("deleted")).ExpectChanged("deleted")
	a.Play(state("deleted")).ExpectChanged()
	p.ExpectGone()
	t.Expect(t.Exists(p.Path)).To(BeFalse(), "the folder of the deleted pool is there")
}

func poolAbsent(t *steps.T, a *steps.Ansible) {
	p := t.NewPool()
	a.Play(present(a, p), pool(a, p, "build", steps.Args{"command": "build"}), pool(a, p, "active", steps.Args{"state": "active"})).ExpectOK()
	p.LookUp()
	volume := p.Create("one", "raw", mib, nil)
	deleted := pool(a, p, "deleted", steps.Args{"state": "deleted"})
	t.Note("deleting a pool with a volume: %s", a.Play(deleted).ExpectFailed("deleted"))
	t.Expect(t.Exists(volume.Path)).To(BeTrue(), "the volume of a pool that could not be deleted is there")
	a.Play(pool(a, p, "absent", steps.Args{"state": "absent"})).ExpectChanged("absent")
	p.ExpectGone()
	t.Expect(t.Exists(volume.Path)).To(BeTrue(), "the volume of a pool that is not defined any more is there")
}
