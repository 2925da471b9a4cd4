package qemu

import (
	"github.com/digitalocean/go-qemu/qemu"
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A session from its beginning to its end: greeting, a domain of go-qemu on it, a reply
// of more than 64 KiB, a refusal, and quit.
var _ = check.Register("IQ-QMP", check.Spec{
	Asserts:  "QMP greets with the version of the package, negotiates and quits",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that ends with status 3", `$REAL "$@"; exit 3`),
}, func(t *steps.T) {
	q := t.StartQEMU("-machine", t.Machine())
	greeting := q.Greeting()
	isTheCells(t, greeting.String(), greeting.Package)

	d := q.Domain()
	var status qemu.Status
	var version string
	q.Ask("ask go-qemu for status and version", func() (err error) {
		if status, err = d.Status(); err == nil {
			version, err = d.Version()
		}
		return err
	})
	t.Expect(status).To(Equal(qemu.StatusPreLaunch), "the status of an emulator whose processors never ran")
	t.Expect(version).To(Equal(greeting.String()), "query-version, and the greeting")

	var entries []schemaEntry
	q.Do("query-qmp-schema", nil, &entries)
	s := readSchema(entries)
	t.Expect(s.commands).To(ContainElements("qmp_capabilities", "query-status", "quit", "device_add", "migrate"), "the commands of the schema")
	t.Expect(s.events).To(ContainElements("SHUTDOWN", "RESUME", "DEVICE_DELETED"), "the events of the schema")
	t.Expect(s.dangling).To(BeEmpty(), "types that the schema refers to and does not have")
	t.Note("schema: %d entries, %d commands, %d events", len(entries), len(s.commands), len(s.events))

	refusal := q.Try("virtmatrix-no-such-command", nil, nil)
	t.Expect(refusal).NotTo(BeNil(), "an unknown command is refused")
	t.Expect(refusal.Class).To(Equal("CommandNotFound"), "the class of the refusal: %v", refusal)
	q.Quit()
})
