package steps

import (
	"context"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// deployLimit bounds how long a deployment may take to be made, rebootLimit how long the
// host may take to boot anew, at scale 1.
const (
	deployLimit = 5 * time.Minute
	rebootLimit = 6 * time.Minute
)

// OSTree has the ostree program of the host do something that must succeed.
func (t *T) OSTree(args string) string {
	res := t.RunWithin(deployLimit, host.Client+" "+args)
	if !res.OK() {
		t.Fail(matrix.LayerDelivery, "ostree %s ended with status %d:\n%s", args, res.Code, res.Text())
	}
	return strings.TrimSpace(string(res.Stdout))
}

// Deploy has the next boot be one of a branch's commit. What runs stays as it is.
func (t *T) Deploy(branch string) {
	began := time.Now()
	t.OSTree("admin deploy --os=" + host.OSName + " " + branch)
	t.Note("%s was deployed in %s", branch, time.Since(began).Round(time.Second))
	t.spoilPackages()
}

// loaderConfig is what ostree wrote for the loader, an entry for each deployment.
const loaderConfig = "/boot/loader/syslinux.cfg"

// FreezeBoot has all that was written to /boot where the loader reads it: GRUB replays no
// journal.
const FreezeBoot = "fsfreeze -f /sysroot && fsfreeze -u /sysroot"

// BootEarlier has the loader boot the deployment before the newest one, as a user does who
// chooses its entry.
func (t *T) BootEarlier() {
	t.Sh("label=$(sed -n 's/^LABEL //p' " + loaderConfig + ` | sed -n 2p) && sed -i "s|^DEFAULT .*|DEFAULT $label|" ` + loaderConfig + " && " + FreezeBoot)
}

// KeepEarlier has every later boot be one of the deployment that runs: the newer one
// goes.
func (t *T) KeepEarlier() { t.OSTree("admin undeploy 0") }

// Bootable are the deployments that the loader has an entry of.
func (t *T) Bootable() []string {
	return strings.Fields(t.Sh(`for at in $(sed -n 's/.*APPEND.*\bostree=\([^ ]*\).*/\1/p' ` + loaderConfig + "); do basename $(readlink -f /sysroot$at); done"))
}

// Reboot has the host boot anew, with its disks as they are.
func (t *T) Reboot() {
	it, ok := t.Host().(Rebooted)
	if !ok {
		t.must(fault.Infraf("reboot host", "it is none that can"), "")
	}
	began := time.Now()
	t.must(t.await(patience{op: "reboot host", limit: rebootLimit, layer: matrix.LayerKernel, who: "the host"}, func(ctx context.Context) error {
		return it.Reboot(ctx)
	}), "reboot host")
	t.Note("the host booted anew in %s", time.Since(began).Round(time.Second))
	t.reconnect()
}

// unlock has files made in /usr of a deployment, over what was committed, until the host
// boots anew, as "ostree admin unlock" promises: that of 2022.7 mounts where nobody sees
// it. Of another host they can be anyway.
func (t *T) unlock() {
	if t.Media() == host.OSTree && !t.makesFiles("/usr") {
		const at = "/run/virtmatrix-unlocked"
		t.Sh("mkdir -p " + at + "/up " + at + "/work && mount -t overlay overlay -o lowerdir=/usr,upperdir=" + at + "/up,workdir=" + at + "/work /usr")
	}
}

// makesFiles says that files can be made in a folder. Some shells' "test -w" knows only
// modes.
func (t *T) makesFiles(folder string) bool {
	return t.Run("touch " + folder + "/.probe && rm " + folder + "/.probe").OK()
}

// BootedCommit is the checksum of the commit that ostree says the host runs from.
func (t *T) BootedCommit() string {
	for line := range strings.Lines(t.OSTree("admin status")) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "*" {
			return strings.TrimSuffix(words[2], ".0")
		}
	}
	return ""
}

// Deployment is the name of the deployment of a branch's commit.
func (t *T) Deployment(branch string) string { return t.Held(branch) + ".0" }

// ExpectDeployment asserts that the host runs from the commit of a branch, by what ostree
// says, by the kernel's arguments and by what is the root; that the loader's kernel is the
// commit's; and that nobody can change what was committed.
func (t *T) ExpectDeployment(branch string) {
	commit := t.Held(branch)
	at := t.Sh(`readlink -f /sysroot$(sed -n 's/.*\bostree=\([^ ]*\).*/\1/p' /proc/cmdline)`)
	t.Expect(at).To(gomega.Equal("/sysroot/ostree/deploy/"+host.OSName+"/deploy/"+t.Deployment(branch)), "the deployment that the kernel was told of, which is of %s", branch)
	t.Expect(t.BootedCommit()).To(gomega.Equal(commit), "the commit that ostree says the host runs from, which is %s", branch)
	t.Expect(t.Sh("stat -c %d:%i /")).To(gomega.Equal(t.Sh("stat -c %d:%i "+at)), "device and inode of the root, and of the deployment")
	t.Expect(t.Sh("cat "+host.CommitMark)).To(gomega.Equal(branch), "the commit by what is in its /usr")
	t.Expect(t.makesFiles("/usr")).To(gomega.BeFalse(), "files can be made in /usr")
	kernels := strings.Fields(t.Sh(`sha256sum $(sed 's/BOOT_IMAGE=\([^ ]*\).*/\1/; s/.*)//' /proc/cmdline) /usr/lib/modules/$(uname -r)/vmlinuz | cut -d' ' -f1`))
	want := t.Held("vmlinuz")
	t.Expect(kernels).To(gomega.Equal([]string{want, want}), "the SHA-256 of the kernel that the loader was told of, and of the commit's")
}
