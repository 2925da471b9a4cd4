package storage

import (
	"bytes"
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-VOL-RANGE", check.Spec{
	Asserts:  "An upload into a part of a volume changes that part alone, a download gives the part that was asked for, however the stream is driven",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.0")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Command("another writer in the volume", "(while :; do for f in /var/lib/libvirt/images/O-VOL-RANGE-*/ranged.img; do printf x | dd of=$f bs=1 seek=5 conv=notrunc,nocreat; done; sleep 0.02; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	const offset, length = 300*kib + 17, 200*kib + 5 // no multiples of anything
	p := t.DefinePool()
	p.Build()
	p.Start()
	content := noise(mib)
	v := p.Create("ranged.img", "raw", mib, nil)
	v.Upload(content)
	for i, how := range []steps.StreamMode{steps.ByLoop, steps.ByCallback, steps.ByEvents} {
		part := bytes.Repeat([]byte{byte(i + 1)}, length)
		v.UploadAt(how, offset, part)
		copy(content[offset:], part)
		v.ExpectContent(content)
		got := v.DownloadAt(how, offset-1, length+2)
		t.Expect(bytes.Equal(got, content[offset-1:offset+length+1])).To(BeTrue(), "%d bytes downloaded by %s are those that were asked for", len(got), how)
	}
	file := t.Scratch("part")
	t.VirshSays(fmt.Sprintf("vol-download --offset %d --length %d %s %s", offset, length, v.Path, file))
	t.Sh(fmt.Sprintf("cmp -i 0:%d -n %d %s %s && test $(stat -c %%s %[3]s) = %[2]d", offset, length, file, v.Path))
})
