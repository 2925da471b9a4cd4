package steps

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
)

func TestWhatBelongsToTheBorrowedGuestIsNotLeft(t *testing.T) {
	s := &Session{guest: &sharedGuest{Guest: domain.Guest{Name: "l2-0a1b2c"}}}
	for thing, lent := range map[string]bool{
		"file /etc/libvirt/qemu/l2-0a1b2c.xml":                       true,
		"process /usr/bin/qemu-system-x86_64 -name guest=l2-0a1b2c":  true,
		"file /var/lib/libvirt/qemu/snapshot/l2-0a1b2c/first.xml":    false,
		"file /var/lib/libvirt/qemu/save/l2-0a1b2c.save":             false,
		"file /etc/libvirt/qemu/l2-ffffff.xml":                       false,
		"file /var/lib/libvirt/qemu/checkpoint/l2-0a1b2c/monday.xml": false,
	} {
		if s.lends(thing) != lent {
			t.Errorf("%s: lent %t, want %t", thing, !lent, lent)
		}
	}
}
