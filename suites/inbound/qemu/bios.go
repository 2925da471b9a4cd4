package qemu

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// bootLimit bounds how long a BIOS may take to boot, at scale 1. It asks a network for 10 s.
const bootLimit = time.Minute

// cdSector is the size of a CD's sectors in bytes.
const cdSector = 2048

// bootCD is a CD that boots a sector: of a file system only its name, and a catalogue with
// that one entry (El Torito 1.0).
func bootCD(boot []byte) []byte {
	cd := make([]byte, 20*cdSector)
	at := func(n int) []byte { return cd[n*cdSector:] }
	copy(at(16), "\x01CD001\x01")
	copy(at(17), "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(at(17)[0x47:], 18)
	catalogue := at(18)
	catalogue[0], catalogue[0x1e], catalogue[0x1f] = 1, 0x55, 0xaa
	binary.LittleEndian.PutUint16(catalogue[0x1c:], 0x10000-0xaa55-1) // all words of the entry are 0 in sum
	catalogue[0x20] = 0x88                                            // boots, and as no floppy or disk
	binary.LittleEndian.PutUint16(catalogue[0x26:], 1)
	binary.LittleEndian.PutUint32(catalogue[0x28:], 19)
	copy(at(19), boot)
	return cd
}

var _ = check.Register("IQ-BIOS", check.Spec{
	Asserts:  "The BIOS tells its version, and boots from disk, CD or network as it is told",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "another boot order", `exec $REAL "${@/#order=d/order=c}"`),
}, func(t *steps.T) {
	dir := t.Scratch("boot")
	t.Sh("mkdir " + dir)
	put := func(name string, content []byte) string {
		path := dir + "/" + name
		t.Put(path, string(content))
		return path
	}
	media := []string{
		"-drive", "format=raw,file=" + put("disk", domain.BootSector("from disk.")),
		"-cdrom", put("cd", bootCD(domain.BootSector("from CD."))),
		"-netdev", "user,id=net,tftp=" + dir + ",bootfile=net", "-device", "virtio-net-pci,netdev=net",
	}
	t.Sh(fmt.Sprintf("truncate -s %d %s/disk", steps.SharedDiskBytes, dir))
	put("net", domain.BootSector("from network."))
	boots := map[string]string{"order=c": "disk", "order=d": "CD"}
	if rom := "pxe-virtio.rom"; t.Run("for d in $(" + t.Emulator() + " -L help); do test -e $d/" + rom + " && exit 0; done; exit 1").OK() {
		boots["order=n"] = "network"
	} else {
		t.Note("nothing boots from the network: there is no %s", rom)
	}
	for order, word := range boots {
		said, bios := t.Scratch(order), t.Scratch("bios-"+order)
		q := t.StartQEMU(append(media, "-machine", t.Machine(), "-accel", t.Settings().Accel, "-boot", order, "-serial", "file:"+said,
			"-chardev", "file,id=bios,path="+bios, "-device", "isa-debugcon,iobase=0x402,chardev=bios")...)
		q.Do("cont", nil, nil)
		words := ""
		t.Until(bootLimit, "the machine boots with "+order, func() bool { words = t.Sh("cat " + said); return strings.HasSuffix(words, ".") })
		t.Expect(words).To(Equal("from "+word+"."), "what the machine boots with %s", order)
		version := t.Sh("grep -m 1 '^SeaBIOS (version ' " + bios)
		t.Note("%s: %s", order, version)
		q.Quit()
	}
})
