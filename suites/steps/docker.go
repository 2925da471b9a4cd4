package steps

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// dockerLimit bounds how long dockerd may take to answer or to end, at scale 1.
const dockerLimit = 2 * time.Minute

const dockerSocket = "/run/docker.sock"

// Docker is the release's dockerd beside the host's libvirt.
type Docker struct {
	t      *T
	folder string
}

// StartDocker starts dockerd with its bridge and its rules, as its package does, but for
// where its files are: a container's root takes no overlays.
func (t *T) StartDocker() *Docker {
	d := &Docker{t, t.Scratch("docker")}
	t.KeepLog("dockerd.log", "cat "+d.folder+"/log")
	t.Cleanup(d.Stop)
	d.Start()
	return d
}

// Start starts dockerd and waits until it answers.
func (d *Docker) Start() {
	d.t.Sh(fmt.Sprintf("mkdir -p %[1]s && { setsid dockerd --host unix://%[2]s --pidfile /run/docker.pid --exec-root /run/docker "+
		"--data-root %[1]s/data --storage-driver vfs >>%[1]s/log 2>&1 </dev/null & }", d.folder, dockerSocket))
	d.t.Until(dockerLimit, "dockerd answers", d.answers)
}

// answers asks as "docker version" does first (the Engine API's GET /_ping).
func (d *Docker) answers() bool {
	c, err := d.t.Host().Dial(dockerSocket)
	if err != nil {
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(d.t.ctx, d.t.Limit(callLimit))
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // it may accept and say nothing
	_, _ = io.WriteString(c, "GET /_ping HTTP/1.0\r\n\r\n")
	said, _ := io.ReadAll(c)
	return strings.HasPrefix(string(said), "HTTP/1.0 200")
}

// Stop ends dockerd, if it runs.
func (d *Docker) Stop() {
	d.t.Sh(fmt.Sprintf("test ! -e /run/docker.pid || { kill $(cat /run/docker.pid) && timeout %d sh -c 'while pidof dockerd >/dev/null; do sleep 0.1; done'; }",
		int(d.t.Limit(dockerLimit).Seconds())))
}

// Restart ends dockerd and starts it again.
func (d *Docker) Restart() {
	d.Stop()
	d.Start()
}

// Forwarding says whether the host forwards packets, which it is told to or not to first.
func (t *T) Forwarding(on bool) {
	t.Sh(map[bool]string{true: "echo 1", false: "echo 0"}[on] + " >/proc/sys/net/ipv4/ip_forward")
}

// Firewall tells who filters what the host forwards: the iptables that programs call, the
// policy of its chain, and the table that libvirt's other backend makes.
func (t *T) Firewall() string {
	said := t.Sh(`iptables --version; iptables -S FORWARD | head -n 1; nft list tables | grep libvirt_network || echo "no table libvirt_network"`)
	return strings.ReplaceAll(said, "\n", ", ")
}
