package cell

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/xenstore"
)

// xenstoreSocket is xenstored's socket in dom0.
const xenstoreSocket = "/run/xenstored/socket"

// Xenstore opens a connection to dom0's xenstored.
func (t *T) Xenstore(ctx context.Context) *xenstore.Conn {
	conn, err := t.Host(ctx).Dial(xenstoreSocket)
	if err != nil {
		t.refused(err, t.layer, "connect to xenstored")
	}
	c := xenstore.New(conn)
	t.Cleanup(func(context.Context) error {
		_ = c.Close() // the connection's end is no concern of the next check
		return nil
	})
	return c
}

// XlGuest starts a paravirtual guest with xl and returns it once it has
// spoken. When xl refuses, it is asked again verbosely: only then it tells why.
func (t *T) XlGuest(ctx context.Context) *Guest {
	g := t.NewGuest()
	file := host.ScratchDir + "/" + g.Name + ".cfg"
	t.Put(ctx, file, fmt.Sprintf(`name = %q
type = "pv"
kernel = %q
ramdisk = %q
extra = "console=hvc0 loglevel=5 %s%s"
memory = %d
vcpus = 1
on_crash = "preserve"
`, g.Name, g.Kernel, g.Initrd, l2.TokenArg, g.Token, domain.MemoryMB))
	t.Cleanup(func(ctx context.Context) error {
		_, err := t.vm.Exec(ctx, "xl destroy "+g.Name+" 2>/dev/null; rm -f "+file)
		return err
	})
	guest := &Guest{t: t, Name: g.Name, Token: g.Token, log: domain.XenConsoleLog(g.Name)}
	guest.dial = func(ctx context.Context) (io.ReadWriteCloser, error) {
		tty := t.Sh(ctx, "xenstore-read /local/domain/$(xl domid "+g.Name+")/console/tty")
		return t.Host(ctx).OpenTTY(tty)
	}
	t.guests = append(t.guests, guest)
	if res := t.Run(ctx, "xl create "+file); !res.OK() {
		again := t.Run(ctx, "xl -vvv create "+file)
		t.Fail(t.layer, "xl create ended with status %d:\n%s\nand verbosely with status %d:\n%s", res.Code, res.Text(), again.Code, again.Text())
	}
	guest.Meets(ctx)
	return guest
}

// XlGone waits until xl lists no domain of the guest's name.
func (t *T) XlGone(ctx context.Context, g *Guest, limit time.Duration) {
	t.Until(ctx, limit, "xl no longer lists "+g.Name, func() bool {
		return !t.Run(ctx, "xl domid "+g.Name).OK()
	})
}
