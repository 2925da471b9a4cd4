package contracts

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Row is a row of a contract: what a program relies on, and what asserts it here.
type Row struct {
	// Of is the part of vdsm's contract, or another consumer; Row what is relied on.
	Of, Row string
	// Checks assert it; Why says what they do not, or why no check can here.
	Checks []string
	Why    string
}

// others are the consumers beside vdsm. Of each, all is one part.
var others = []string{"nova", "go-libvirt", "Ansible", "libvirt-dbus", "virt-install", "Docker"}

// Relied is who relies on what a check asserts, and on what.
func Relied(check string) (all []matrix.Reliance) {
	for _, r := range Rows {
		if !slices.Contains(r.Checks, check) {
			continue
		}
		who := "vdsm"
		if slices.Contains(others, r.Of) {
			who = r.Of
		}
		all = append(all, matrix.Reliance{Consumer: who, On: r.Row})
	}
	return all
}

// by names the checks that assert a row.
func by(ids string) []string { return strings.Fields(ids) }

// Failure is a part of a contract that does not hold: a known issue, by its ID in
// ci/known-issues.yaml, and the versions of libvirt or QEMU that it was seen on.
type Failure struct{ Check, ID, Seen string }

// Rows are the contract of vdsm 4.20, part by part, and what nova's adds to it.
var Rows = []Row{
	{"Packages", "Floors of libvirt, qemu and kernel, with and without epochs", nil, "the comparison of versions is matrix's own, and its tests have such rows; the packages themselves are not to be had"},
	{"Connection", "SASL on the local socket, user vdsm@ovirt, SCRAM", by("C-VDSM-SASL"), "by the cell's own virsh: the callback of the binding is the client library's"},
	{"Connection", "getLibVersion as a ping; domain and code of what a lost connection says", by("C-VDSM-LOST"), "the codes are those of the library of the machine that runs the checks"},
	{"Connection", "Ten kinds of events register without a domain", by("C-VDSM-EVENTS"), ""},
	{"Connection", "libvirtd.conf: socket's group and mode, host_uuid, keepalive_interval", by("C-VDSM-CONF"), ""},
	{"Connection", "libvirtd.conf: auth_unix_rw, listen_tcp, auth_tcp, TLS files", by("C-VDSM-SASL O-CONN-TCP O-CONN-TLS"), ""},
	{"Connection", "LIBVIRTD_ARGS=--listen under socket activation", by("C-VDSM-LISTEN O-CONN-TCP"), "O-CONN-TCP asserts it without activation"},
	{"Connection", "qemu.conf: dynamic_ownership, save_image_format lzop, ports of displays, max_core, security_driver", by("C-VDSM-CONF"), "spice_tls is only read: Debian builds SPICE into some versions"},
	{"Connection", "qemu.conf: lock_manager sanlock", nil, "sanlock needs a lockspace on shared storage"},
	{"Connection", "Hook qemu, operations migrate and restore, replaces XML", by("C-VDSM-HOOK C-VDSM-MIG O-HOOK-Q"), ""},
	{"Connection", "polkit lets user vdsm manage", by("O-ACL C-DEPLOY-USER"), "by group and by grant; the rule file is vdsm's"},
	{"Connection", "PID file of a running guest", by("C-VDSM-LIFE"), ""},

	{"Capabilities", "Machines and their canonical names, of the kvm domain or of the architecture", by("C-VDSM-CAPS"), ""},
	{"Capabilities", "disksnapshot is on", by("C-VDSM-CAPS"), ""},
	{"Capabilities", "NUMA cells, their processors with socket and siblings; memory by cell", by("C-VDSM-CAPS"), "hosts here have one cell: distances are not compared"},
	{"Capabilities", "cpu_map.xml, and compareCPU of each model", by("C-VDSM-CPUMAP O-CPU"), ""},
	{"Capabilities", "getDomainCapabilities(None, arch, None, type): models and whether they can be used", by("C-VDSM-CPUS O-DOMCAPS"), "what vdsm uses from 4.3 on"},
	{"Capabilities", "Constants: block commit relative and active, BLOCK_JOB_2, abort on error, auto-converge, compressed", by("C-VDSM-MERGE C-VDSM-MIG O-MIG-HOW O-BLK-JOB"), ""},

	{"Life cycle", "Lookup by UUID and name; NO_DOMAIN is the only error", by("C-VDSM-LIFE O-ERR"), ""},
	{"Life cycle", "defineXML twice, a placeholder and the whole", by("C-VDSM-LIFE O-UNIQ"), ""},
	{"Life cycle", "setMetadata and metadata, flags 0, of both elements; start, save, migration", by("C-VDSM-META C-VDSM-MIG O-META"), ""},
	{"Life cycle", "createWithFlags, PAUSED after START_PAUSED", by("C-VDSM-LIFE O-START"), ""},
	{"Life cycle", "Alias and address of each device; user aliases stay", by("C-VDSM-LIFE C-VDSM-XML"), ""},
	{"Life cycle", "MIGRATABLE XML, restoreFlags paused, with backingStore and without; restore after a define", by("C-VDSM-SAVE C-VDSM-SNAPMEM C-VDSM-REVERT"), ""},
	{"Life cycle", "save to a file that is there; STOPPED/SAVED", by("C-VDSM-SAVE O-SAVE"), "block devices cannot be made in a container"},
	{"Life cycle", "suspend, resume, state, info, controlInfo", by("C-VDSM-LIFE O-SUSP"), ""},
	{"Life cycle", "shutdownFlags and reboot by agent, then by button; reset", by("C-VDSM-DOWN C-VDSM-REBOOT O-SHUT O-REBOOT O-RESET"), ""},
	{"Life cycle", "destroyFlags graceful, undefine without flags, of a guest that was saved and snapshotted", by("C-VDSM-LIFE C-VDSM-SAVE C-VDSM-SNAP O-DESTROY"), ""},
	{"Life cycle", "Order of life-cycle events", by("C-VDSM-EVENTS C-VDSM-FULL C-VDSM-MIG O-EV-DOM O-EV-ORDER"), ""},
	{"Life cycle", "Event REBOOT; GRAPHICS with phase and remote address", by("C-VDSM-REBOOT C-VDSM-GRAPHICS"), ""},
	{"Life cycle", "Events RTC_CHANGE and WATCHDOG", by("C-VDSM-EVENTS"), "only that they register: the guests' kernels for clouds have no driver that sets the clock or the watchdog"},
	{"Life cycle", "OPERATION_TIMEOUT for a monitor that is stuck alone", by("C-VDSM-STUCK"), "that no other call ever fails by it is not asserted"},
	{"Life cycle", "List of paused guests, IOERROR, resume", by("C-VDSM-FULL"), ""},
	{"Life cycle", "defineXML of a running domain's XML", by("C-VDSM-MIG O-T2P"), ""},

	{"Domain XML", "OS, SMBIOS, sysinfo that the guest sees; memory slots, processors with a current number, topology, NUMA cell; clock, timers, pm", by("C-VDSM-XML O-KEEP-SMBIOS"), "machine and model are substituted"},
	{"Domain XML", "Shares, quotas, partition, pins, huge pages", by("O-CGRP O-KEEP-PINS O-KEEP-PAGES O-PIN"), "a host of its own is needed"},
	{"Domain XML", "hyperv features", by("S-XML-HYPERV"), "they need KVM to start"},
	{"Domain XML", "Disks: drivers, error policies, 36 characters of serial, empty drive", by("C-VDSM-XML"), "of 36 characters virtio-blk shows 20"},
	{"Domain XML", "Disks: block, network, LUN with sgio, auth secret, shareable", by("S-XML-DISKSOURCE O-HP-DISK-T O-DISK-LV O-DISK-LUN"), "sgio=unfiltered is gone from the kernel"},
	{"Domain XML", "NIC on a bridge: filter, link, MTU, queues", by("C-VDSM-XML O-NWF O-HP-NIC"), ""},
	{"Domain XML", "NIC: ovs virtualport, hostdev, vhostuser", by("S-XML-INTERFACE"), "no hardware and no Open vSwitch"},
	{"Domain XML", "Channels bound to sockets of vdsm's names, and their state", by("C-VDSM-XML"), ""},
	{"Domain XML", "SPICE channels and graphics, QXL, smartcard, redirdev", nil, "builds of EL alone; VNC and VGA stand for them"},
	{"Domain XML", "Sound, watchdog, RNG, balloon, VNC with password and its end", by("C-VDSM-XML C-VDSM-CHANGE"), ""},
	{"Domain XML", "Lease, TPM passthrough", nil, "sanlock and hardware"},
	{"Domain XML", "Hooks' XML: qemu:commandline", by("S-XML-BASIC"), ""},

	{"Hot plug", "attachDevice and detachDevice without flags: NIC, disk; gone from the XML in 30 s", by("C-VDSM-PLUG O-HP-ORDER"), ""},
	{"Hot plug", "Memory, and DEVICE_REMOVED by alias", by("O-HP-MEM O-HP-ALIAS"), ""},
	{"Hot plug", "hostdev, lease", by("O-HOSTDEV-SCSI"), "no PCI devices to give, no sanlock"},
	{"Hot plug", "updateDeviceFlags: link, disc without flags and by force, password of a display", by("C-VDSM-CHANGE O-HP-CD O-HP-LINK"), "a disc that is a block device cannot be had in a container"},
	{"Hot plug", "setVcpusFlags(current), setMemory, setBlockIoTune of six keys", by("C-VDSM-TUNE O-HP-CPU O-BLK-TUNE"), ""},
	{"Hot plug", "setSchedulerParameters", by("O-CGRP"), "control groups are read-only in a container"},

	{"Storage", "blockInfo", by("C-VDSM-MOVE O-BLK-STAT"), ""},
	{"Storage", "setBlockThreshold of a disk and of an image below, event by the source's path, 0 clears", by("C-VDSM-FULL C-VDSM-MERGE C-VDSM-MOVE"), ""},
	{"Storage", "IO_ERROR_REASON enospc, PAUSED/IOERROR, diskErrors; resume after growing", by("C-VDSM-FULL O-BLK-FULL"), ""},
	{"Storage", "Snapshot REUSE_EXT, NO_METADATA, DISK_ONLY, with freeze and thaw", by("C-VDSM-SNAP"), ""},
	{"Storage", "Snapshot with memory in a file", by("C-VDSM-SNAPMEM O-SNAP-MEM"), ""},
	{"Storage", "XML of the chain: index, end", by("C-VDSM-SNAP"), ""},
	{"Storage", "blockCommit by index, relative, active; blockJobInfo, mirror ready, pivot", by("C-VDSM-MERGE O-BLK-COMMIT"), ""},
	{"Storage", "blockCopy shallow to an image that is there, transient; every later call on the disk", by("C-VDSM-MOVE O-BLK-COPY"), ""},
	{"Storage", "blockResize in bytes", by("C-VDSM-MOVE O-BLK-RESIZE"), ""},
	{"Storage", "qemu-img's forms, leaks as status 3", by("C-VDSM-IMG O-CHAIN"), ""},
	{"Storage", "qemu-img create -b without -F", by("C-VDSM-IMG-B"), ""},
	{"Storage", "Backups and checkpoints (from vdsm 4.4 on)", by("O-BKP-FULL O-BKP-INC"), ""},

	{"Statistics", "Keys of getAllDomainStats by name", by("C-VDSM-STATS O-STAT"), ""},
	{"Statistics", "Agent: info, host name, OS, addresses, freeze, thaw, time; unresponsive told from unsupported", by("C-VDSM-AGENT O-GA O-QGA O-IFADDR"), "guest-get-devices is the agent's, which is not libvirt's"},

	{"Migration", "migrateToURI3 with vdsm's flags; downtime, speed; jobStats' keys; JOB_COMPLETED's downtime; RESUMED/MIGRATED; SHUTOFF/MIGRATED", by("C-VDSM-MIG O-MIG-P2P O-MIG-OPT"), "over TCP without TLS"},
	{"Migration", "abortJob: OPERATION_ABORTED", by("O-MIG-CANCEL"), ""},
	{"Migration", "Tunnelled; compressed", by("O-MIG-TUN O-MIG-HOW"), ""},
	{"Migration", "Post-copy", by("O-MIG-POST"), "in machines alone: Docker keeps userfaultfd from containers"},
	{"Migration", "TLS; tickets of displays go along", nil, "oVirt's keys; nobody sits at a display during a migration here"},

	{"Networks", "Networks on bridge and device, autostart, transient dummy, NO_NETWORK", by("C-VDSM-NET O-NET-BR O-NET-UNIQ"), ""},
	{"Networks", "Filter of shipped filters; undefine in use fails", by("C-VDSM-NWFILTER O-NWF"), ""},
	{"Networks", "listAllDevices in a stable order, XMLDesc, names", by("C-VDSM-NODEDEV O-DEV"), "detachFlags, reAttach, IOMMU groups, mdev: no hardware"},
	{"Networks", "Secrets: ephemeral and private, three uses, another usage after undefine", by("C-VDSM-SECRET O-SEC"), ""},
	{"Networks", "Import: volume by path, download of sparse streams", by("O-VOL O-VOL-RANGE O-DUMP"), "ssh and vpx sources are not here"},

	{"nova", "undefineFlags managed save and NVRAM; metadata live and defined", by("C-NOVA-UNDEFINE O-MSAVE O-NVRAM O-META"), ""},
	{"nova", "attach and detach live and defined, by XML of its own; DEVICE_REMOVED", by("C-NOVA-PLUG C-VI-EDIT"), ""},
	{"nova", "blockRebase copy, shallow, to an image that is there, of a guest without a definition", by("C-NOVA-SNAP"), ""},
	{"nova", "Snapshot with QUIESCE", by("C-NOVA-QUIESCE O-QGA-SNAP"), ""},
	{"nova", "migrateToURI3 with XML for the run and for the definition, named disks, NON_SHARED_INC, UNDEFINE_SOURCE; announce_self; codes of a job that is over", by("C-NOVA-MIG O-MIG-INC"), "without TLS"},
	{"nova", "The text \"migration was active, but no RAM info was set\"", nil, "QEMU sends that answer for a moment of its start alone"},
	{"nova", "setUserPassword; compareCPU, compareHypervisorCPU", by("O-QGA-USER O-CPU O-DOMCAPS"), ""},

	{"go-libvirt", "virNetworkUpdate of clients without libvirt's library, in the order that the version has and in the one of today", by("O-RPC-PURE C-PURE-UPDATE"), ""},
	{"Ansible", "Module virt: define, once more and with changes; states; autostart; facts", by("C-ANS-DOM C-ANS-AGAIN C-ANS-EDIT C-ANS-EDIT-NAME C-ANS-UUID C-ANS-AUTO C-ANS-STOP C-ANS-FACTS"), ""},
	{"Ansible", "Module virt: undefine, with flags and by force", by("C-ANS-UNDEF C-ANS-FORCE C-ANSIBLE-FORCE"), ""},
	{"Ansible", "Modules virt_net and virt_pool", by("C-ANS-NET C-ANS-NET-HOST C-ANS-NET-FACTS C-ANS-POOL C-ANS-POOL-ABSENT"), ""},
	{"Ansible", "The inventory, and connections by the guest's agent", by("C-ANS-INV C-ANS-QGA"), ""},
	{"Ansible", "Errors in libvirt's words, and a daemon that dies under a playbook", by("C-ANS-ERR C-ANS-CRASH"), ""},
	{"libvirt-dbus", "Guests on the system's bus", by("C-DBUS"), ""},
	{"virt-install", "virt-install, virt-xml, virt-clone: what they ask for is defined and runs", by("C-VI-INSTALL C-VI-XML C-VI-EDIT C-VI-CLONE"), ""},
	{"Docker", "Guests go out beside dockerd, and nobody comes in, whichever started first", by("C-DOCKER-NAT C-DOCKER-FWD"), ""},
	{"Docker", "The same with libvirt's rules in nftables", by("C-DOCKER-NAT-NFT C-DOCKER-FWD-NFT"), ""},
}

// Failures are what of the contracts does not hold.
var Failures = []Failure{
	{"C-VDSM-CPUMAP", "vdsm-cpu-map", "libvirt 7.0, 9.0, 11.3 and 12.8: gone since 4.7"},
	{"C-VDSM-REVERT", "vdsm-backing-store", "libvirt 7.0 and 12.8"},
	{"C-VDSM-LISTEN", "vdsm-listen", "libvirt 7.0 and 9.0: refused since 5.6"},
	{"C-VDSM-IMG-B", "vdsm-backing-format", "QEMU 7.2, 10.0 and 11.1: refused since 6.1"},
	{"C-PURE-UPDATE", "pure-network-update", "libvirt 7.0: changed with 7.2"},
	{"C-ANSIBLE-FORCE", "ansible-force", "libvirt 7.0: the flag is known since 8.9"},
}
