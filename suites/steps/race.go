package steps

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// Racer is a client that makes the same call again and again while others make theirs.
type Racer struct {
	what  string
	turn  func(i int) error
	may   []libvirt.ErrorNumber
	taken atomic.Int64
	told  map[libvirt.ErrorNumber]int
	// last is what each error said at last.
	last map[libvirt.ErrorNumber]string
}

// NewRacer is a client whose i-th call is turn(i), on connections of its own. Beside others
// the call may be refused with the errors that are named.
func NewRacer(what string, turn func(i int) error, may ...libvirt.ErrorNumber) *Racer {
	return &Racer{what: what, turn: turn, may: may, told: map[libvirt.ErrorNumber]int{}, last: map[libvirt.ErrorNumber]string{}}
}

// Racers are as many clients that do the same with the domain, each on a connection of its own.
func (d *Domain) Racers(n int, what string, turn func(own *libvirt.Domain, i int) error, may ...libvirt.ErrorNumber) (all []*Racer) {
	for range n {
		own := d.t.NewConnection().Lookup(d.Name).Raw
		all = append(all, NewRacer(what, func(i int) error { return turn(own, i) }, may...))
	}
	return all
}

// StartsAndEnds starts a domain at each even turn, paused, and destroys it at each odd one.
func StartsAndEnds(own *libvirt.Domain, i int) error {
	if i%2 == 0 {
		return own.CreateWithFlags(libvirt.DOMAIN_START_PAUSED)
	}
	return own.Destroy()
}

// Own is the pool on a connection of its own.
func (p *Pool) Own() *libvirt.StoragePool {
	conn := p.t.NewConnection().Raw
	own := Get(p.t, "look pool up", func() (*libvirt.StoragePool, error) { return conn.LookupStoragePoolByName(p.Name) })
	p.t.Cleanup(func() { _ = own.Free() })
	return own
}

// Own is the network on a connection of its own.
func (n *Network) Own() *libvirt.Network {
	conn := n.t.NewConnection().Raw
	own := Get(n.t, "look network up", func() (*libvirt.Network, error) { return conn.LookupNetworkByName(n.Name) })
	n.t.Cleanup(func() { _ = own.Free() })
	return own
}

// Done is how many of their calls succeeded, once the race is over.
func Done(racers ...*Racer) (n int) {
	for _, r := range racers {
		n += r.told[libvirt.ERR_OK]
	}
	return n
}

// run takes turns until it is told to stop, or is told what it may not be.
func (r *Racer) run(stop func(i int) bool) error {
	for i := 0; !stop(i); i++ {
		err := r.turn(i)
		code := Code(err)
		if err != nil && !slices.Contains(r.may, code) {
			return err
		}
		r.told[code]++
		r.last[code] = Text(err)
		r.taken.Add(1)
	}
	return nil
}

// said tells how often the call came to what.
func (r *Racer) said() string {
	words := fmt.Sprintf("%s: %d done", r.what, Done(r))
	for _, code := range r.may {
		if n := r.told[code]; n > 0 {
			words += fmt.Sprintf(", %d refused: %s", n, r.last[code])
		}
	}
	return words
}

// Race has clients take so many turns each, side by side, and others as many as there is time
// for meanwhile. Each call must return, and be done or refused as it may be, and libvirt's
// daemon must be the one from before.
func (t *T) Race(turns int, racers []*Racer, meanwhile ...*Racer) {
	pid := t.DaemonPID()
	var over atomic.Bool
	defer over.Store(true)
	stop := func(i int) bool { return over.Load() || i == turns }
	jobs := map[*Racer]*Job{}
	for _, r := range racers {
		jobs[r] = t.Begin(r.what, func() error { return r.run(stop) })
	}
	for _, r := range meanwhile {
		jobs[r] = t.Begin(r.what, func() error { return r.run(func(int) bool { return over.Load() }) })
	}
	for _, r := range racers {
		t.finish(r, jobs[r])
	}
	over.Store(true)
	for _, r := range meanwhile {
		t.finish(r, jobs[r])
		t.Expect(r.taken.Load()).To(gomega.BeNumerically(">", 0), "turns of a client that is to %s", r.what)
	}
	t.Expect(t.DaemonPID()).To(gomega.Equal(pid), "process of the daemon that was asked by many at once")
}

// finish waits for a racer's end for as long as its calls return.
func (t *T) finish(r *Racer, j *Job) {
	for !j.Over() {
		before := r.taken.Load()
		t.Until(callLimit, "the call returns by which a client is to "+r.what+" beside others", func() bool {
			return j.Over() || r.taken.Load() != before
		})
	}
	err := j.End(callLimit)
	t.Note("%s", r.said())
	op := fmt.Sprintf("%s beside others, turn %d", r.what, r.taken.Load()+1)
	var told libvirt.Error
	switch {
	case errors.As(err, &told) && unanswered(err):
		t.must(t.explain(op, err), op)
	case err != nil:
		t.Fail(matrix.LayerManagement, "%s: %s", op, Text(err))
	}
}

// Visitor is a client that is a command in the host, again and again.
func (t *T) Visitor(what, command string) *Racer {
	h := t.Host()
	return NewRacer(what, func(int) error {
		_, err := h.Exec(t.ctx, command)
		return err
	})
}
