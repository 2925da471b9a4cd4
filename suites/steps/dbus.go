package steps

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Bus is libvirt-dbus on the system's bus of L1, as a user reaches it.
type Bus struct {
	t    *T
	u    *User
	told string
}

// Bus has the bus start libvirt-dbus, and listens to what that tells until the check is over.
// The system's bus runs.
func (t *T) Bus(u *User) *Bus {
	b := &Bus{t, u, t.Scratch("bus.log")}
	t.Cleanup(func() { t.Run("pkill -f '[d]bus-monitor --system'; kill $(pidof libvirt-dbus)") })
	t.KeepLog("bus.log", "cat "+b.told)
	t.Sh(fmt.Sprintf("setsid dbus-monitor --system type=signal,interface=org.libvirt.Connect >%s 2>&1 </dev/null & until test -s %[1]s; do sleep 0.1; done", b.told))
	return b
}

// Call calls a method of the connection to the cell's driver ("Connect.ListDomains"), and returns
// what it says, without its type.
func (b *Bus) Call(method string, args ...string) string {
	return b.CallOf("/org/libvirt/"+b.driver(), method, args...)
}

// CallOf calls a method of an object.
func (b *Bus) CallOf(object, method string, args ...string) string {
	res := b.u.Run(b.command(object, method, args))
	if !res.OK() {
		b.t.Fail(b.t.Layer, "%s of %s on the bus ended with status %d: %s", method, object, res.Code, res.Text())
	}
	return strings.TrimSpace(string(res.Stdout))
}

// Has says whether a method of the connection answers, and the answer has a text.
func (b *Bus) Has(method, text string) bool {
	res := b.u.Run(b.command("/org/libvirt/"+b.driver(), method, []string{"uint32:0"}))
	return res.OK() && strings.Contains(string(res.Stdout), text)
}

func (b *Bus) command(object, method string, args []string) string {
	command := fmt.Sprintf("dbus-send --system --print-reply=literal --reply-timeout=%d --dest=org.libvirt %s org.libvirt.%s", b.t.Limit(callLimit).Milliseconds(), object, method)
	for _, arg := range args {
		command += " " + host.Quote(arg)
	}
	return command
}

func (b *Bus) driver() string {
	if b.t.Kind() == matrix.Xen {
		return "Xen"
	}
	return "QEMU"
}

// Told says whether the bus has told of an event of a domain, by its number.
func (b *Bus) Told(object string, event int) bool {
	return b.t.Run(fmt.Sprintf("grep -A3 'member=DomainEvent$' %s | grep -A1 'object path \"%s\"' | grep -q 'int32 %d$'", b.told, object, event)).OK()
}
