package qemu

import (
	"crypto/x509"
	"encoding/json"
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IQ-NBD", check.Spec{
	Asserts:  "A guest works on a disk that qemu-nbd exports over TLS, who has no certificate gets nothing, and bitmaps and the emulator's own exports are read",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap("qemu-nbd", "a qemu-nbd that lets nobody write", `exec $REAL --read-only "$@"`),
}, func(t *steps.T) {
	image, pid := t.QCOW2("disk", one), t.Scratch("pid")
	certificates := t.Scratch("certificates")
	ca := t.NewAuthority("virtmatrix")
	ca.IssueToEmulators(certificates, "127.0.0.1", x509.ExtKeyUsageServerAuth)
	ca.IssueToEmulators(certificates, "client", x509.ExtKeyUsageClientAuth)
	tls := func(endpoint string) string {
		return fmt.Sprintf("tls-creds-x509,id=tls,endpoint=%s,dir=%s,verify-peer=on", endpoint, certificates)
	}
	serve := func(options string) (end func()) {
		t.Sh(fmt.Sprintf("%s --fork --persistent --shared=4 --pid-file=%s -f qcow2 -x disk %s %s", t.Program("qemu-nbd"), pid, options, image))
		return func() {
			t.Sh("kill $(cat " + pid + ") && while kill -0 $(cat " + pid + ") 2>/dev/null; do sleep 0.1; done")
		}
	}
	end := serve("--object " + tls("server") + " --tls-creds tls -b 127.0.0.1 -p 10809")
	stranger := t.Run(t.QEMUImg() + " info nbd://127.0.0.1:10809/disk")
	t.Expect(stranger.OK()).To(BeFalse(), "a client without TLS is served: %s", stranger.Text())
	q, g := t.StartGuest(append(diskOf("driver=nbd,export=disk,server.type=inet,server.host=127.0.0.1,server.port=10809,tls-creds=tls"), "-object", tls("client"))...)
	t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the guest reads of the export")
	g.WriteAt(vda, mib, two)
	exports(t, q)
	q.Quit()
	end()
	t.Expect(t.TextAt(image, mib, len(two))).To(Equal(two), "what the image holds")

	t.Sh(t.QEMUImg() + " bitmap --add -g 65536 " + image + " since")
	t.FillImage(image, 4*mib, 'x', 65536)
	t.Sh(t.QEMUImg() + " bitmap --disable " + image + " since")
	socket, _ := t.NBDSocket("export", "disk")
	end = serve("--socket=" + socket + " --bitmap=since")
	t.Expect(dirty(t, socket, "disk", "since")).To(Equal([][2]int64{{4 * mib, 65536}}), "what the bitmap marks")
	end()
})

// exports has the emulator export its disk, and reads what the guest wrote there.
func exports(t *steps.T, q *steps.QEMU) {
	socket, url := t.NBDSocket("own", "own")
	q.Do("nbd-server-start", map[string]any{"addr": map[string]any{"type": "unix", "data": map[string]any{"path": socket}}}, nil)
	q.Do("block-export-add", map[string]any{"type": "nbd", "id": "export", "node-name": "disk", "name": "own"}, nil)
	t.Expect(t.TextAt(url, mib, len(two))).To(Equal(two), "what the emulator exports")
	q.Do("nbd-server-stop", nil, nil)
}

// dirty are the places that a bitmap of an export marks, each with its length.
func dirty(t *steps.T, socket, export, bitmap string) (marked [][2]int64) {
	var extents []struct {
		Start, Length int64
		Data          bool
	}
	said := t.Sh(fmt.Sprintf("%s map --output=json --image-opts driver=nbd,export=%s,server.type=unix,server.path=%s,x-dirty-bitmap=qemu:dirty-bitmap:%s", t.QEMUImg(), export, socket, bitmap))
	t.Expect(json.Unmarshal([]byte(said), &extents)).To(Succeed(), "%s", said)
	for _, e := range extents {
		if !e.Data { // what is dirty is shown as no data (qapi/block-core.json)
			marked = append(marked, [2]int64{e.Start, e.Length})
		}
	}
	return marked
}
