package progress

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

const cellA, cellB = "kvm_linux-6.1_qemu-7.2_libvirt-9.0", "xen_linux-6.1_xen-4.17_libvirt-9.0"

// at is a moment of a run, in seconds from its begin.
func at(seconds float64) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestPlainTellsWhatMatters(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, nil)
	const image = "qemu-trixie-0123456789ab"
	for _, e := range []Event{
		{Time: at(0), Phase: Resolving, Text: "packages of 2 cells"},
		{Time: at(2), Phase: Fetching, Image: image, Total: 120_400_000},
		{Time: at(3), Phase: Fetching, Image: image, Done: 20_000_000, Total: 120_400_000},
		{Time: at(4), Phase: Fetching, Image: image, Done: 120_400_000, Total: 120_400_000},
		{Time: at(5), Phase: Building, Image: image},
		{Time: at(25), Phase: Finished, Image: image, Seconds: 23},
		{Time: at(26), Phase: Finished, Image: "xen-bookworm-0123456789ab", Text: "found in the store"},
		{Time: at(27), Phase: Waiting, Cell: cellA, Text: "for memory: needs 2.5 GiB"},
		{Time: at(29), Phase: Waiting, Cell: cellA, Text: "for memory: needs 2.5 GiB, still"},
		{Time: at(30), Phase: Booting, Cell: cellA},
		{Time: at(65), Phase: Checking, Cell: cellA, Check: "IK-BOOT", Total: 2},
		{Time: at(66), Phase: Finished, Cell: cellA, Check: "IK-BOOT", Verdict: matrix.Pass, Seconds: 0.7, Done: 1, Total: 2},
		{Time: at(67), Phase: Checking, Cell: cellA, Check: "O-SAVE", Done: 1, Total: 2},
		{Time: at(3700), Phase: Finished, Cell: cellA, Check: "O-SAVE", Verdict: matrix.Unsupported, Done: 2, Total: 2, Text: "bad\n\x1b[31mred\x07"},
		{Time: at(3701), Phase: Finished, Cell: cellA},
	} {
		p.take(e)
	}
	want := "" +
		"     0s  resolving: packages of 2 cells\n" +
		"     2s  fetching qemu-trixie-0123456789ab 0 kB of 120.4 MB\n" +
		"     5s  building qemu-trixie-0123456789ab\n" +
		"    25s  image ready qemu-trixie-0123456789ab 23.0s\n" +
		"    26s  image ready xen-bookworm-0123456789ab: found in the store\n" +
		"    27s  waiting kvm_linux-6.1_qemu-7.2_libvirt-9.0: for memory: needs 2.5 GiB\n" +
		"    30s  booting kvm_linux-6.1_qemu-7.2_libvirt-9.0\n" +
		"  1m06s  PASS        IK-BOOT kvm_linux-6.1_qemu-7.2_libvirt-9.0 1/2 0.7s\n" +
		"  1h01m  UNSUPPORTED O-SAVE kvm_linux-6.1_qemu-7.2_libvirt-9.0 2/2: bad  [31mred\n" +
		"  1h01m  done kvm_linux-6.1_qemu-7.2_libvirt-9.0\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("plain output (-want +got):\n%s", diff)
	}
}

func TestPlainShowsLifeOnlyWhenNothingElseDoes(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, nil)
	p.beat(at(0)) // nothing has begun
	p.take(Event{Time: at(0), Phase: Booting, Cell: cellA})
	p.beat(at(29)) // too early
	p.beat(at(31))
	p.beat(at(60)) // too early after the last
	p.take(Event{Time: at(70), Phase: Checking, Cell: cellA, Check: "O-SAVE", Done: 1, Total: 2})
	p.beat(at(75))
	p.take(Event{Time: at(80), Phase: Finished, Cell: cellA, Check: "O-SAVE", Verdict: matrix.Pass})
	p.beat(at(200)) // nothing is being done
	want := "" +
		"     0s  booting kvm_linux-6.1_qemu-7.2_libvirt-9.0\n" +
		"    31s  still booting kvm_linux-6.1_qemu-7.2_libvirt-9.0 (31s)\n" +
		"  1m15s  still checking O-SAVE kvm_linux-6.1_qemu-7.2_libvirt-9.0 1/2 (5s)\n" +
		"  1m20s  PASS        O-SAVE kvm_linux-6.1_qemu-7.2_libvirt-9.0\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("plain output (-want +got):\n%s", diff)
	}
}

func TestPlainCountsTheChecksOfItsCells(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, []Row{{Cell: cellA, Checks: 3, Done: 1}})
	for i, cell := range []string{cellA, cellB, cellA} {
		p.take(Event{Time: at(float64(i)), Phase: Checking, Cell: cell, Check: "O-SAVE"})
		p.take(Event{Time: at(float64(i)), Phase: Finished, Cell: cell, Check: "O-SAVE", Verdict: matrix.Pass})
	}
	want := "" +
		"     0s  PASS        O-SAVE kvm_linux-6.1_qemu-7.2_libvirt-9.0 2/3\n" +
		"     1s  PASS        O-SAVE xen_linux-6.1_xen-4.17_libvirt-9.0\n" +
		"     2s  PASS        O-SAVE kvm_linux-6.1_qemu-7.2_libvirt-9.0 3/3\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("plain output (-want +got):\n%s", diff)
	}
}

func TestPlainEndsTwiceWithoutHarm(t *testing.T) {
	var b bytes.Buffer
	sink, end := Plain(&b)
	sink(Event{Time: at(0), Phase: Booting, Cell: cellA})
	end()
	end()
	if got, want := b.String(), "     0s  booting "+cellA+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
