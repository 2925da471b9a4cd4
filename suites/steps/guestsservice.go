package steps

import (
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// GuestsService is libvirt-guests(8), the script that a host's init calls once the host is up and
// before it goes down.
type GuestsService struct {
	t              *T
	script, config string
}

// guestsServiceLimit bounds what the service does with a few guests, at scale 1.
const guestsServiceLimit = 2 * time.Minute

// GuestsService is the service, for the guests of this host's driver.
func (t *T) GuestsService() *GuestsService {
	s := &GuestsService{t: t, script: t.Sh("ls -d /usr/libexec/libvirt-guests.sh /usr/lib/libvirt/libvirt-guests.sh 2>/dev/null | head -n 1")}
	s.config = t.Sh(`eval "$(grep -E '^(sysconfdir|initconfdir)=' ` + s.script + `)"; echo ${initconfdir:-$sysconfdir/default}/libvirt-guests`)
	s.Configure("URIS=" + host.Quote(t.URI()))
	return s
}

// Configure adds lines to the service's configuration, until the check is over.
func (s *GuestsService) Configure(lines string) { s.t.amend(s.config, lines+"\n", func() {}) }

// Does asserts that the service ends with a status when it is called so, and returns what it said.
func (s *GuestsService) Does(verb string, status int) string {
	res := s.t.RunWithin(guestsServiceLimit, s.script+" "+verb+" </dev/null")
	s.t.Expect(res.Code).To(gomega.Equal(status), "status of libvirt-guests %s, which said: %s", verb, res.Text())
	return res.Text()
}
