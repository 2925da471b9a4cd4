package steps

import (
	"context"
	"fmt"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
)

// NBDServer serves an image to emulators by NBD: a process of L1 that can die and hang.
type NBDServer struct {
	t *T
	// Image is the raw image behind it.
	Image       string
	source      domain.DiskOption
	listen, pid string
}

// ServeNBD makes an image and serves it on a socket until the check is over.
func (t *T) ServeNBD(name string, bytes int64) *NBDServer {
	socket, _ := t.NBDSocket(name, "")
	return t.serveNBD(name, bytes, "--socket="+socket, domain.NBD(name, socket, 0))
}

// ServeNBDByTCP does so on a port of L1's own address.
func (t *T) ServeNBDByTCP(name string, bytes int64, port uint) *NBDServer {
	return t.serveNBD(name, bytes, fmt.Sprintf("-b 127.0.0.1 -p %d", port), domain.NBD(name, "127.0.0.1", port))
}

// ServeNBDByTLS does so to who shows a certificate of the authority in a folder, which has the
// server's certificate too (qemu-nbd(8), --tls-creds).
func (t *T) ServeNBDByTLS(name string, bytes int64, port uint, folder string) *NBDServer {
	where := fmt.Sprintf("-b 127.0.0.1 -p %d --object tls-creds-x509,id=tls,endpoint=server,verify-peer=yes,dir=%s --tls-creds=tls", port, host.Quote(folder))
	return t.serveNBD(name, bytes, where, domain.NBD(name, "127.0.0.1", port))
}

func (t *T) serveNBD(name string, bytes int64, where string, source domain.DiskOption) *NBDServer {
	n := &NBDServer{t: t, Image: t.DiskImage(name, bytes), source: source, pid: t.Scratch(name + ".pid")}
	n.listen = fmt.Sprintf("%s -x %s %s", where, host.Quote(name), n.Image)
	t.Cleanup(func() { t.Run("kill -9 $(cat " + n.pid + ")") })
	n.Start()
	return n
}

// Start has it serve, once more too. Emulators, which run as another user, may connect from
// the first moment on.
func (n *NBDServer) Start() {
	n.t.Sh(fmt.Sprintf("umask 0 && %s --fork --persistent --shared=4 --pid-file=%s -f raw %s", n.t.Program("qemu-nbd"), n.pid, n.listen))
}

// Kill ends it at once.
func (n *NBDServer) Kill() {
	n.t.Sh("p=$(cat " + n.pid + ") && kill -9 $p && while kill -0 $p 2>/dev/null; do sleep 0.02; done")
}

// Freeze has it answer nothing any more, and keep its connections.
func (n *NBDServer) Freeze() { n.t.Sh("kill -STOP $(cat " + n.pid + ")") }

// Disk is a virtio disk of what it serves, whose serial number is its name in the domain.
func (n *NBDServer) Disk(dev string, more ...domain.DiskOption) domain.Option {
	return domain.WithDisk("", "raw", n.disk(dev, more)...)
}

// NewDisk is such a disk to attach to a domain.
func (n *NBDServer) NewDisk(dev string, more ...domain.DiskOption) device {
	return domain.NewDisk("", "raw", n.disk(dev, more)...)
}

func (n *NBDServer) disk(dev string, more []domain.DiskOption) []domain.DiskOption {
	return append([]domain.DiskOption{n.source, domain.At(dev, "virtio"), domain.Serial(dev)}, more...)
}

// Holds says whether the image behind it has a text at an offset.
func (n *NBDServer) Holds(offset int64, text string) bool {
	return n.t.ReadFile(n.Image, offset, len(text)) == text
}

// TryWriteAt has the guest write to a disk, and says whether it could.
func (g *Guest) TryWriteAt(disk string, offset int64, text string) bool {
	return g.can("write to "+disk, func(c *l2.Client, ctx context.Context) error { return c.WriteDisk(ctx, disk, offset, []byte(text)) })
}

// ResumeWhenPaused resumes the domain where an error of a disk has it paused.
func (d *Domain) ResumeWhenPaused() {
	if d.State() == libvirt.DOMAIN_PAUSED {
		d.Resume()
	}
}
