package guest

import (
	"fmt"
	"path"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// qga registers a check of QEMU's own agent (qemu-ga), as the host's release has it, with
// libvirt: what O-GA and its like ask of libvirt's side alone.
func qga(id, asserts string, control *sabotage.Control, body func(*steps.T)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained, matrix.Since(matrix.Libvirt, "6.10.0")},
		Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, "disk"),
		Hosts:    matrix.Hosts{AddOns: steps.AgentPackages()},
		Control:  control,
	}, body)
}

func init() {
	qga("O-QGA", "QEMU's agent tells libvirt of a guest's name, system, users, time zone, disks, file systems and addresses what the guest shows",
		sabotage.Alter("virDomainGetGuestInfo", "+0545", "+0546"), informs)
	qga("O-QGA-TIME", "The time that libvirt sets by QEMU's agent is the guest's and its board's, or refused where nothing sets the board's",
		sabotage.Swallow("virDomainSetTime"), setsTime)
}

const agentCard = "52:54:00:19:05:01"

// loggedIn is when the agent's user logged in.
var loggedIn = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// zoneOffset is the one of steps.AgentZone, in seconds.
const zoneOffset = (5*60 + 45) * 60

func informs(t *steps.T) {
	d, g := t.StartedWithQEMUAgent(domain.WithNIC(domain.NIC{MAC: agentCard}))
	card := g.NIC(agentCard).Name
	address := g.DHCP(card).Address
	g.LogIn(loggedIn)
	info := steps.Get(t, "ask the agent for what it knows", func() (*libvirt.DomainGuestInfo, error) { return d.Raw.GetGuestInfo(0, 0) })
	t.Expect(info.Hostname).To(Equal(strings.TrimSpace(g.LoadFile("/proc/sys/kernel/hostname"))), "name of the guest")
	t.Expect(t.VirshSays("domhostname "+d.Name+" --source agent")).To(Equal(l2.Hostname(g.Token)), "name of the guest as virsh says")
	release := g.In("/etc/os-release")
	t.Expect(release).To(ContainSubstring("\nID="+info.OS.ID+"\n"), "ID of the guest's system")
	t.Expect(release).To(ContainSubstring(`PRETTY_NAME="`+info.OS.PrettyName+`"`), "name of the guest's system")
	t.Expect(info.OS.KernelRelease).To(Equal(strings.TrimSpace(g.LoadFile("/proc/sys/kernel/osrelease"))), "kernel of the guest")
	t.Expect([]any{info.TimeZone.Name, info.TimeZone.Offset}).To(Equal([]any{"+0545", zoneOffset}), "time zone of the guest")
	t.Expect(info.Users).To(HaveLen(1), "users that are logged in")
	t.Expect([]any{info.Users[0].Name, info.Users[0].LoginTime}).To(Equal([]any{steps.AgentUser, uint64(loggedIn.UnixMilli())}), "who is logged in, and since when in ms")
	if t.AtLeast(matrix.Libvirt, "7.10.0") {
		t.Expect(addressesOf(info)).To(HaveKeyWithValue(card+" "+agentCard, ContainElement(address.String())), "addresses of the guest's cards")
	}
	t.Expect(t.VirshSays("domifaddr "+d.Name+" --source agent")).To(MatchRegexp(`%s +%s +ipv4 +%s`, card, agentCard, address), "addresses as virsh says")
	expectFileSystems(t, d, g, info)
	printed := t.VirshSays("guestinfo " + d.Name)
	want := []string{"hostname +: " + info.Hostname, "os.id +: " + info.OS.ID, "timezone.offset +: 20700", "user.0.name +: " + steps.AgentUser, "fs.count +: 2"}
	if t.AtLeast(matrix.Libvirt, "11.2.0") {
		want = append(want, `load.15m +: \d+\.\d+`)
	}
	for _, says := range want {
		t.Expect(printed).To(MatchRegexp(says), "what virsh prints")
	}
}

// addressesOf are those of a guest's cards, each by its name and its hardware's address.
func addressesOf(info *libvirt.DomainGuestInfo) map[string][]string {
	told := map[string][]string{}
	for _, i := range info.Interfaces {
		for _, a := range i.Addrs {
			told[i.Name+" "+i.Hwaddr] = append(told[i.Name+" "+i.Hwaddr], fmt.Sprintf("%s/%d", a.Addr, a.Prefix))
		}
	}
	return told
}

// expectFileSystems asserts that each file system of the agent is told with its folder, and
// with the disk of the domain that has its image.
func expectFileSystems(t *steps.T, d *steps.Domain, g *steps.AgentGuest, info *libvirt.DomainGuestInfo) {
	image, told := imagesOf(d), map[string]string{}
	for _, fs := range info.FileSystems {
		t.Expect(fs.FSType).To(Equal("ext4"), "type of the file system at %s", fs.MountPoint)
		t.Expect(fs.Disks).To(HaveLen(1), "disks of the file system at %s", fs.MountPoint)
		told[fs.MountPoint] = image[fs.Disks[0].Alias]
		t.Expect(g.LoadFile("/proc/mounts")).To(ContainSubstring("%s %s ext4", fs.Disks[0].Device, path.Join(l2.AgentRoot, fs.MountPoint)), "what the guest has mounted")
		t.Expect(fs.UsedBytes).To(And(BeNumerically(">", 0), BeNumerically("<", fs.TotalBytes)), "bytes in use at %s", fs.MountPoint)
	}
	want := map[string]string{"/": g.Root, steps.AgentData: g.Data}
	t.Expect(told).To(Equal(want), "images of the file systems, by the aliases of their disks")
	listed := map[string]string{}
	for _, fs := range steps.Get(t, "list file systems", func() ([]libvirt.DomainFSInfo, error) { return d.Raw.GetFSInfo(0) }) {
		t.Expect(fs.DevAlias).To(HaveLen(1), "disks of the file system at %s", fs.MountPoint)
		listed[fs.MountPoint] = image[fs.DevAlias[0]]
	}
	t.Expect(listed).To(Equal(want), "images of the file systems that domfsinfo lists")
	disks := map[string]string{}
	for _, disk := range info.Disks {
		disks[disk.Name] = image[disk.Alias]
	}
	for serial, file := range map[string]string{domain.AgentRoot: g.Root, path.Base(steps.AgentData): g.Data} {
		seen, _ := g.Disk(serial)
		t.Expect(disks).To(HaveKeyWithValue("/dev/"+seen.Name, file), "images of the guest's disks, by their aliases")
	}
}

// imagesOf are the images of a domain's disks, by their targets.
func imagesOf(d *steps.Domain) map[string]string {
	image := map[string]string{}
	for _, disk := range d.Live().Devices.Disks {
		image[disk.Target.Dev] = disk.Source.File.File
	}
	return image
}

// The agent sets the clock on the board by hwclock, which Debian has from 13 on in a package
// that the agent's does not ask for (util-linux-extra). Without it, what is refused is to
// leave the clock as it was (qmp_guest_set_time in QEMU's qga/commands-posix.c).
func setsTime(t *steps.T) {
	d, g := t.StartedWithQEMUAgent()
	about := func() OmegaMatcher { return BeNumerically("~", g.Clock().Unix(), t.Limit(readsWithin).Seconds()) }
	t.Expect(d.Time()).To(about(), "seconds of the guest's time, as its agent and itself tell")
	began := g.Clock()
	ahead := began.Add(90 * 24 * time.Hour)
	set := func() error { return d.Raw.SetTime(ahead.Unix(), 0, 0) }
	if !t.Run("command -v hwclock").OK() {
		err := t.Try("set the guest's time", set)
		t.Expect(err).To(HaveOccurred(), "the guest's time is set without hwclock")
		t.Note("there is no hwclock: %s", steps.Text(err))
		if moved := g.Clock().Sub(began); moved > t.Limit(readsWithin) {
			t.Judge(t.Layer, "the agent, which has no hwclock, refuses to set the guest's time, and the clock of the guest has gone %s ahead: %s", moved.Round(time.Hour), steps.Text(err))
		}
		return
	}
	t.Do("set the guest's time", set)
	t.Expect(g.Clock()).To(BeTemporally("~", ahead, t.Limit(readsWithin)), "clock of the guest")
	t.Expect(g.RTC()).To(BeTemporally("~", ahead, t.Limit(readsWithin)), "clock on the guest's board")
	t.Expect(d.Time()).To(about(), "seconds of the guest's time once it was set")
	g.SetRTC(began)
	t.Do("set the guest's time to its board's", func() error { return d.Raw.SetTime(0, 0, libvirt.DOMAIN_TIME_SYNC) })
	t.Expect(g.Clock()).To(BeTemporally("~", began, t.Limit(readsWithin)), "clock of the guest once it is the board's")
}
