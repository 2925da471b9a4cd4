package concurrency

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Who destroys a domain that is starting ends its emulator under the one who starts it.
var _ = check.Register("O-CONC-START", check.Spec{
	Asserts:  "A domain that three clients start and end at once starts as often as they are told, and leaves no emulator",
	Requires: since("0.8.2"),
	Depends:  depends,
	Control:  sabotage.DoubleEvents(),
}, func(t *steps.T) {
	events := t.WatchEvents()
	d := t.Define()
	var told atomic.Int64
	t.Race(14, d.Racers(3, "start the domain or destroy it", func(own *libvirt.Domain, i int) error {
		err := steps.StartsAndEnds(own, i)
		if err == nil && i%2 == 0 {
			told.Add(1)
		}
		return err
	}, libvirt.ERR_OPERATION_INVALID, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR))
	if d.Active() {
		d.Destroy()
	}
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator runs of a domain that is off")
	d.Start()
	d.Guest()
	d.Destroy()
	d.Undefine()
	began := 0
	for _, e := range events.Through(d, "the domain was undefined", gone) {
		if e.Type == libvirt.DOMAIN_EVENT_STARTED {
			began++
		}
	}
	t.Expect(began).To(BeEquivalentTo(told.Load()+1), "events of a start, beside the starts that succeeded")
})

// gone is the event of a domain's end.
var gone = steps.Event{Type: libvirt.DOMAIN_EVENT_UNDEFINED, Detail: int(libvirt.DOMAIN_EVENT_UNDEFINED_REMOVED)}

var _ = check.Register("O-CONC-LIST", check.Spec{
	Asserts:  "While domains come and go, one that stays is once in every list and in all statistics, and nothing that is asked of all fails",
	Requires: since("1.2.8"),
	Depends:  depends,
	Control:  sabotage.Refuse("virConnectGetAllDomainStats", libvirt.ERR_NO_DOMAIN, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	d := t.Define()
	d.StartPaused()
	var comers []*steps.Racer
	for range 3 {
		comer, c := t.Define(), t.NewConnection().Raw
		comer.Undefine()
		comers = append(comers, steps.NewRacer("create a domain and destroy it", func(int) error {
			other, err := c.DomainCreateXML(comer.XML, libvirt.DOMAIN_START_PAUSED)
			if err != nil {
				return err
			}
			defer func() { _ = other.Free() }()
			return other.Destroy()
		}))
	}
	lists, asks := t.NewConnection().Raw, t.NewConnection().Raw
	refused := ""
	t.Race(8, comers,
		steps.NewRacer("list all domains", func(int) error {
			all, err := lists.ListAllDomains(0)
			return once(d.Name, all, err)
		}),
		steps.NewRacer("ask for the statistics of all", func(int) error {
			all, err := asks.GetAllDomainStats(nil, 0, 0)
			if err != nil {
				refused += steps.Text(err) + "\n"
				return nil
			}
			var of []libvirt.Domain
			for _, s := range all {
				of = append(of, *s.Domain)
			}
			return once(d.Name, of, err)
		}),
		t.Visitor("list by virsh", "virsh -c "+t.URI()+" list --all --title | grep -q "+d.Name))
	t.Expect(refused).To(BeEmpty(), "what the statistics of all were refused for")
})

// once says what is wrong with a list that is to name a domain once.
func once(name string, all []libvirt.Domain, err error) error {
	n := 0
	for i := range all {
		if of, err := all[i].GetName(); err == nil && of == name {
			n++
		}
		_ = all[i].Free()
	}
	if err == nil && n != 1 {
		return fmt.Errorf("a domain that stays is %d times among %d", n, len(all))
	}
	return err
}

var _ = check.Register("O-CONC-DEF", check.Spec{
	Asserts:  "What clients at once define, define anew and undefine is there as they left it, in files too, and after the daemon's new start",
	Requires: since("1.2.12"),
	Depends:  depends,
	Control:  sabotage.Swallow("virDomainUndefineFlags"),
}, func(t *steps.T) {
	const turns = 15
	var racers []*steps.Racer
	var names []string
	for range 3 {
		d, c := t.Define(), t.NewConnection().Raw
		names = append(names, d.Name)
		racers = append(racers, steps.NewRacer("undefine its own domain and define it with a title", func(i int) error { return defineAnew(c, d.Name, d.XML, i, turns) }))
	}
	shared := t.Define()
	for range 2 {
		c := t.NewConnection().Raw
		racers = append(racers, steps.NewRacer("undefine a domain of all and define it", func(i int) error { return defineAnew(c, shared.Name, shared.XML, i, turns) },
			libvirt.ERR_NO_DOMAIN, libvirt.ERR_OPERATION_INVALID, libvirt.ERR_OPERATION_FAILED))
	}
	t.Race(turns, racers)
	check := func(when string) {
		for _, name := range names {
			t.Expect(t.Connection().Lookup(name).Has(titled("turn", turns-1))).To(BeTrue(), "%s has the title of the last turn %s", name, when)
		}
		listed := slices.DeleteFunc(t.Connection().Names(), func(name string) bool { return !strings.HasPrefix(name, "l2-") })
		slices.Sort(listed)
		files := strings.Fields(t.Sh("ls /etc/libvirt/qemu | sed -n 's/\\(l2-.*\\)[.]xml$/\\1/p'"))
		slices.Sort(files)
		t.Expect(files).To(Equal(listed), "domains that have a file, beside those that are listed, %s", when)
	}
	check("after the race")
	t.RestartLibvirt(syscall.SIGTERM)
	check("after the daemon's new start")
})

func titled(what string, i int) string { return fmt.Sprintf("<title>%s %d</title>", what, i) }

// defineAnew undefines a domain and defines it with a title of the turn.
func defineAnew(c *libvirt.Connect, name, xml string, i, turns int) error {
	d, err := c.LookupDomainByName(name)
	if err != nil && i < turns-1 {
		return err
	}
	if err == nil {
		defer func() { _ = d.Free() }()
		if err := d.UndefineFlags(0); err != nil {
			return err
		}
	}
	again, err := c.DomainDefineXMLFlags(strings.Replace(xml, "</name>", "</name>"+titled("turn", i), 1), 0)
	if err == nil {
		_ = again.Free()
	}
	return err
}

// A guest that is started while it is saved, and saved while it starts, is one guest.
var _ = check.Register("O-CONC-SAVE", check.Spec{
	Asserts:  "A guest that one client saves for its next start and two others start goes on each time from where it was",
	Requires: since("0.8.2"),
	Depends:  depends,
	Control:  sabotage.Swallow("virDomainManagedSave"),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithDisk(t.DiskImage("disk", 1<<20), "raw"))
	mark := g.Mark()
	savers := d.Racers(1, "save the guest", func(own *libvirt.Domain, _ int) error { return own.ManagedSave(0) }, libvirt.ERR_OPERATION_INVALID)
	starters := d.Racers(2, "start the guest", func(own *libvirt.Domain, _ int) error { return own.Create() }, libvirt.ERR_OPERATION_INVALID)
	t.Race(6, savers, starters...)
	t.Expect(steps.Done(savers...)).To(BeNumerically(">", 0), "saves that succeeded")
	if !d.Active() {
		d.Start()
	}
	d.Guest().ExpectGoesOn(mark)
})
