package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestProto(t *testing.T) {
	dir := "/tmp/w/proto"
	b, _ := exec.Command("sh", "-c", "cd "+dir+"; V=$(ls k/lib/modules); for m in virtio_pci virtio_blk virtio_console virtio_rng squashfs overlay loop ext4; do modprobe -d k -S $V --show-depends $m; done | grep ^insmod | sed 's#insmod ##;s#^k/#"+dir+"/k/#' | awk '!s[$0]++'").Output()
	g, _ := exec.Command("sh", "-c", "cd "+dir+"; V=$(ls k/lib/modules); for m in virtio_pci virtio_blk virtio_net virtio_rng button evdev; do modprobe -d k -S $V --show-depends $m; done | grep ^insmod | sed 's#insmod ##;s#^k/#"+dir+"/k/#' | awk '!s[$0]++'").Output()
	p := Parts{Kernel: dir + "/vmlinuz", Modules: dir + "/modules.squashfs", Root: dir + "/root.squashfs", Agent: "/tmp/w/l1init", BootModules: strings.Fields(string(b)),
		Guest: GuestParts{Kernel: dir + "/vmlinuz", Init: "/tmp/w/l2init", Modules: strings.Fields(string(g))}}
	em := Emulator{Usr: dir + "/usr.squashfs", Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{"kvm": "max,cx16=off"}}
	smp := 2
	if os.Getenv("SMP") != "" {
		fmt.Sscan(os.Getenv("SMP"), &smp)
	}
	start := time.Now()
	vm, err := Boot(context.Background(), "/run/virtmatrix", p, Settings{Name: "proto", Kind: "kvm", Accel: "tcg", Scale: 1, CPUs: smp, MemoryMB: 2048, LogDir: "/tmp/w/protolog"}, em)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	fmt.Println("booted", time.Since(start))
	f, err := os.ReadFile(os.Getenv("SCRIPT"))
	for _, line := range strings.Split(string(f), "\n") {
		if line == "" {
			continue
		}
		st := time.Now()
		r, err := vm.Exec(context.Background(), line)
		fmt.Printf("--- %s (%.1fs) code %d err %v\n%s\n", line, time.Since(st).Seconds(), r.Code, err, r.Text())
		if r.Code != 0 {
			t.FailNow()
		}
	}
}
