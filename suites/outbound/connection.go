package outbound

import (
	"context"
	"fmt"
	"regexp"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// hypervisor is what libvirt calls the cell's driver, and the component whose
// version it states.
func hypervisor(t *cell.T) (name string, comp matrix.Component) {
	if t.Kind() == matrix.Xen {
		return "Xen", matrix.XenHyp
	}
	return "QEMU", matrix.QEMU
}

func connects(ctx context.Context, t *cell.T) {
	conn := t.ConnectAnew(ctx)
	name, comp := hypervisor(t)
	var driver, hostname string
	var library, running uint32
	var alive bool
	t.Do(ctx, "ask for driver", func() (err error) { driver, err = conn.GetType(); return err })
	t.Do(ctx, "ask for library version", func() (err error) { library, err = conn.GetLibVersion(); return err })
	t.Do(ctx, "ask for hypervisor version", func() (err error) { running, err = conn.GetVersion(); return err })
	t.Do(ctx, "ask for hostname", func() (err error) { hostname, err = conn.GetHostname(); return err })
	t.Do(ctx, "ask whether connection lives", func() (err error) { alive, err = conn.IsAlive(); return err })
	t.Expect(driver).To(Equal(name))
	t.Expect(dotted(library)).To(HavePrefix(t.Version(matrix.Libvirt)+"."), "version of the daemon")
	t.Expect(dotted(running)).To(HavePrefix(t.Version(comp)+"."), "version of the hypervisor")
	t.Expect(hostname).To(Equal(t.Sh(ctx, "hostname")))
	t.Expect(alive).To(BeTrue())
	var left int
	t.Do(ctx, "close connection", func() (err error) { left, err = conn.Close(); return err })
	t.Expect(left).To(BeZero(), "references to the closed connection")

	t.Expect(t.VirshSays(ctx, "uri")).To(Equal(t.URI()))
	words := regexp.MustCompile(`(?s)Using library: libvirt ([\d.]+)\n.*Using API: (\S+) ([\d.]+)\n.*Running hypervisor: \S+ ([\d.]+)`).
		FindStringSubmatch(t.VirshSays(ctx, "version"))
	t.Expect(words).NotTo(BeNil(), "virsh version states library, API and hypervisor")
	t.Expect(words[1:]).To(Equal([]string{dotted(library), name, dotted(library), dotted(running)}))
}

// dotted writes a version as libvirt packs it, major*1000000 + minor*1000 +
// release (virConnectGetVersion).
func dotted(v uint32) string {
	return fmt.Sprintf("%d.%d.%d", v/1000000, v/1000%1000, v%1000)
}

// readsOnly tries both guards: the client library that knows it only reads, and
// the daemon behind the socket for readers.
func readsOnly(ctx context.Context, t *cell.T) {
	d := t.Define(ctx)
	for _, guard := range []struct {
		name string
		conn *libvirt.Connect
	}{{"client", t.ConnectReadOnly(ctx)}, {"daemon", t.ConnectUnaware(ctx)}} {
		t.Expect(names(ctx, t, guard.conn)).To(ContainElement(d.Name), "domains that a reader sees")
		reader := lookUp(ctx, t, guard.conn, d.Name)
		denied := func(op string, call func() error) {
			t.Refuses(ctx, op+" as reader, asking the "+guard.name, libvirt.ERR_OPERATION_DENIED, call)
		}
		denied("start domain", func() error { return reader.CreateWithFlags(0) })
		denied("undefine domain", func() error { return reader.UndefineFlags(0) })
		denied("define domain", func() error { return define(guard.conn, d.XML) })
		denied("see secrets of domain", func() error { _, err := reader.GetXMLDesc(libvirt.DOMAIN_XML_SECURE); return err })
	}
	t.Expect(t.VirshSays(ctx, "-r list --all --name")).To(ContainSubstring(d.Name))
	t.Expect(t.Virsh(ctx, "-r start "+d.Name).Code).To(Equal(1), "status of virsh -r start")
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_SHUTOFF))
}

// names lists all domains.
func names(ctx context.Context, t *cell.T, conn *libvirt.Connect) (names []string) {
	t.Do(ctx, "list domains", func() error {
		all, err := conn.ListAllDomains(0)
		for i := range all {
			name, nameErr := all[i].GetName()
			if nameErr != nil {
				err = nameErr
			}
			names = append(names, name)
			_ = all[i].Free()
		}
		return err
	})
	return names
}

// lookUp finds a domain by its name on a connection.
func lookUp(ctx context.Context, t *cell.T, conn *libvirt.Connect, name string) (d *libvirt.Domain) {
	t.Do(ctx, "look domain up", func() (err error) { d, err = conn.LookupDomainByName(name); return err })
	t.Cleanup(func(context.Context) error { return d.Free() })
	return d
}
