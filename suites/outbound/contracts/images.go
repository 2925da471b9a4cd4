package contracts

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	vdsm("C-VDSM-IMG", "Each form in which vdsm calls qemu-img does to images what it is for",
		sabotage.Wrap("qemu-img", "a qemu-img that commits nothing", `case "$1" in commit) exit 0;; esac; exec $REAL "$@"`), usesImages)
	vdsm("C-VDSM-IMG-B", "An image is made above another one whose format is not named, as vdsm up to 4.20 has it",
		sabotage.Wrap("qemu-img", "a qemu-img that makes nothing", `case "$1" in create) exit 0;; esac; exec $REAL "$@"`), leavesFormatOut)
}

// img calls qemu-img with the arguments of a form, below a folder.
func img(t *steps.T, folder, format string, a ...any) string {
	return t.Sh("cd " + folder + " && " + t.QEMUImg() + " " + fmt.Sprintf(format, a...))
}

func usesImages(t *steps.T) {
	dir := t.Scratch("images")
	t.Sh("mkdir " + dir)
	img(t, dir, "create -f qcow2 -o compat=1.1 base 16M")
	t.FillImage(dir+"/base", 0, 'b', 4096)
	img(t, dir, "create -f qcow2 -o compat=1.1 -b base -F qcow2 top")
	t.FillImage(dir+"/top", mib, 't', 4096)
	for _, mode := range []string{"metadata", "falloc", "full"} {
		img(t, dir, "create -f qcow2 -o compat=1.1,preallocation=%s %s 1M", mode, mode)
	}
	img(t, dir, "create -f raw -o preallocation=falloc raw 1M")
	holds := func(image string, offset int64, letter string) {
		t.Expect(t.TextAt(dir+"/"+image, offset, 1)).To(Equal(letter), "what %s holds at %d", image, offset)
	}
	t.Expect(img(t, dir, "info --output json -U top")).To(And(ContainSubstring(`"backing-filename": "base"`), ContainSubstring(`"virtual-size": 16777216`)))
	t.Expect(img(t, dir, "check --output json -f qcow2 top")).To(ContainSubstring(`"image-end-offset"`))
	t.Expect(img(t, dir, "map --output json top")).To(ContainSubstring(`"start": 1048576`))
	img(t, dir, "convert -p -t none -T none -f qcow2 top -O raw flat")
	img(t, dir, "convert -p -t none -T none -f qcow2 top -O qcow2 -o compat=1.1 -W copy")
	holds("flat", mib, "t")
	holds("copy", 0, "b")
	img(t, dir, "amend -f qcow2 -o compat=0.10 copy")
	t.Expect(img(t, dir, "info --output json copy")).To(ContainSubstring(`"compat": "0.10"`))
	img(t, dir, "create -f qcow2 -u -o compat=1.1 -b nowhere -F qcow2 loose 16M")
	img(t, dir, "rebase -u -f qcow2 -b base -F qcow2 loose")
	holds("loose", 0, "b")
	img(t, dir, "rebase -p -t none -T none -f qcow2 -b copy -F qcow2 loose")
	holds("loose", 0, "b")
	holds("loose", mib, "\x00") // what it did not show above the base it does not show now
	img(t, dir, "resize -f qcow2 top 32M")
	img(t, dir, "commit -p -t none -b base -f qcow2 top")
	holds("base", mib, "t")
	img(t, dir, "create -f qcow2 -b copy -F qcow2 last")
	t.FillImage(dir+"/last", 2*mib, 'l', 4096)
	img(t, dir, "commit -p -t none -d -f qcow2 last")
	holds("copy", 2*mib, "l")
	leaks := t.Run("cd " + dir + " && qemu-img check --output json -f qcow2 " + leaky(t, dir))
	t.Expect(leaks.Code).To(Equal(3), "status of a check that finds leaks: %s", leaks.Text())
	t.Expect(string(leaks.Stdout)).To(ContainSubstring(`"image-end-offset"`))
}

// leaky is an image with a cluster that nobody uses: one more is counted as used in the
// refcount block, whose place the header and the table tell (qcow2.txt).
func leaky(t *steps.T, dir string) string {
	img(t, dir, "create -f qcow2 leaky 16M")
	t.FillImage(dir+"/leaky", 0, 'x', 4096)
	t.Sh(`perl -e 'open F, "+<", $ARGV[0] or die; binmode F; sub at { seek F, $_[0], 0; read F, my $b, 8; unpack "Q>", $b }
my $block = at(at(48)); for my $i (0 .. 32767) { seek F, $block + 2 * $i, 0; read F, my $b, 2; next if unpack "n", $b; seek F, $block + 2 * $i, 0; print F pack "n", 1; last }
seek F, 0, 2; print F "\0" x 65536' ` + dir + "/leaky")
	return "leaky"
}

func leavesFormatOut(t *steps.T) {
	dir := t.Scratch("images")
	t.Sh("mkdir " + dir)
	img(t, dir, "create -f qcow2 -o compat=1.1 base 16M")
	t.FillImage(dir+"/base", 0, 'b', 4096)
	made := t.Run("cd " + dir + " && " + t.QEMUImg() + " create -f qcow2 -o compat=1.1 -b base top")
	t.Expect(made.OK()).To(BeTrue(), "an image is made above one whose format is not named: %s", made.Text())
	t.Expect(t.TextAt(dir+"/top", 0, 1)).To(Equal("b"), "what the image above holds")
}
