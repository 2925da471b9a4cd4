package connection

import (
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// virt-admin has no API that L0's bindings know.
var _ = check.Register("O-ADM", check.Spec{
	Asserts:  "The daemon's administrator sees its servers and clients, ends a client, and has it log what was asked for",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.0.0")},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Wrap(layout.VirtAdmin, "a virt-admin that disconnects nobody",
		`case "$*" in *client-disconnect*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	name := t.Manager().Name
	admin := func(args string) string {
		return t.Sh("virt-admin -q -c " + name + ":///system " + args)
	}
	t.Until(time.Minute, "the administrator is answered", func() bool { return t.Run("virt-admin -q -c " + name + ":///system uri").OK() })
	t.Expect(strings.Fields(admin("srv-list"))).To(ContainElements(name, "admin"), "servers")
	t.Expect(admin("srv-threadpool-info " + name)).To(MatchRegexp(`(?s)minWorkers\s*: \d+.*maxWorkers\s*: \d+.*nWorkers\s*: \d+`))

	before := clients(admin("client-list " + name))
	conn := t.NewConnection()
	var ours string
	for id := range clients(admin("client-list " + name)) {
		if !before[id] {
			ours = id
		}
	}
	t.Expect(ours).NotTo(BeEmpty(), "a client that the list has since another connection")
	t.Expect(admin("client-info " + name + " " + ours)).To(MatchRegexp(`(?s)id\s*: ` + ours + `\b.*transport\s*: unix.*readonly\s*: no`))
	admin("client-disconnect " + name + " " + ours)
	t.Until(time.Minute, "the client's connection has ended", func() bool {
		alive, err := conn.Raw.IsAlive()
		return err == nil && !alive
	})
	limits(t, name, admin)
	logs(t, admin)
})

var clientLine = regexp.MustCompile(`(?m)^ *(\d+) +(unix|tcp|tls)`)

// clients are the numbers in a list of them.
func clients(list string) map[string]bool {
	ids := map[string]bool{}
	for _, m := range clientLine.FindAllStringSubmatch(list, -1) {
		ids[m[1]] = true
	}
	return ids
}

// limits sets how many clients a server takes, and takes it back.
func limits(t *steps.T, name string, admin func(string) string) {
	highest := regexp.MustCompile(`nclients_max\s*: (\d+)`)
	was := highest.FindStringSubmatch(admin("srv-clients-info " + name))
	t.Expect(was).NotTo(BeNil(), "the most clients that a server takes")
	admin("srv-clients-set " + name + " --max-clients 77")
	t.Expect(highest.FindStringSubmatch(admin("srv-clients-info " + name))[1]).To(Equal("77"))
	admin("srv-clients-set " + name + " --max-clients " + was[1])
}

// logs has the daemon log one subject to a file of its own, and takes it back.
func logs(t *steps.T, admin func(string) string) {
	file := t.Scratch("daemon.log")
	filters, outputs := admin("daemon-log-filters"), admin("daemon-log-outputs")
	admin("daemon-log-filters 1:rpc")
	admin("daemon-log-outputs 1:file:" + file)
	t.Expect(admin("daemon-log-filters")).To(MatchRegexp(`^1:\*?rpc`)) // a release writes a word as a pattern
	t.Connection().Names()
	t.Until(time.Minute, "the daemon logs what it is asked", func() bool { return t.Run("grep -q virNetServer " + file).OK() })
	admin("daemon-log-filters " + host.Quote(filters))
	admin("daemon-log-outputs " + host.Quote(outputs))
	t.Expect(admin("daemon-log-outputs")).To(Equal(outputs))
}
