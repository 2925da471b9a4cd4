package disks

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// deepest is how many images a chain has on top of its base. A domain starts on some
// that are less deep, too: whoever parses what nests must not give up on the way
// (json-c does at 32, of which the request takes some).
const deepest = 80

var depths = []int{10, 25, 40}

var _ = check.Register("O-CHAIN", check.Spec{
	Asserts:  "A guest starts on a chain of many images, reads the lowest one through all of them, and writes to the highest one alone",
	Requires: kvm("1.2.9"),
	Depends:  stack,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "<backingStore type='file'", "<backingstore type='file'"),
}, func(t *steps.T) {
	folder := t.Scratch("chain")
	layer := func(n int) string { return fmt.Sprintf("%s/%d", folder, n) }
	t.Sh(fmt.Sprintf(`mkdir %[1]s && cd %[1]s && truncate -s %[2]d 0 && printf '%[3]s' | dd of=0 conv=notrunc status=none && f=raw &&
		for n in $(seq %[4]d); do %[5]s create -q -u -f qcow2 -o cluster_size=4k -b %[1]s/$((n-1)) -F $f $n %[2]d && f=qcow2 || exit 1; done`,
		folder, size, word, deepest, t.QEMUImg()))
	before := t.Images(folder).WithoutOwners()
	for _, depth := range depths {
		d := t.Define(disk("vdb", layer(depth), "qcow2"))
		if err := t.Try("start domain", func() error { return d.Raw.CreateWithFlags(libvirt.DOMAIN_START_PAUSED) }); err != nil {
			t.Fail(t.Layer, "a domain with a chain of %d images does not start: %s", depth, steps.Text(err))
		}
		t.Expect(strings.Count(d.Dump(0), "<backingStore type='file'")).To(Equal(depth), "images below that of the disk in the live XML")
		d.Destroy()
	}
	_, g := t.Started(disk("vdb", layer(deepest), "qcow2"))
	seen, _ := g.Disk("vdb")
	t.Expect(g.ReadAt(seen.Name, 0, len(word))).To(Equal(word), "what the guest reads of the lowest image")
	g.WriteAt(seen.Name, mib, word)
	g.Domain.Destroy()
	t.Expect(t.Images(folder).WithoutOwners().Since(before)).To(Equal([]string{layer(deepest) + " has another content"}), "what became of the images")
})
