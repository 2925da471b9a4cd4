package qemu

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
)

func TestTheCatalogueOfACDLeadsToItsSector(t *testing.T) {
	cd := bootCD(domain.BootSector("word"))
	catalogue := cd[binary.LittleEndian.Uint32(cd[17*2048+0x47:])*2048:]
	var sum uint16
	for i := 0; i < 32; i += 2 {
		sum += binary.LittleEndian.Uint16(catalogue[i:])
	}
	if sum != 0 {
		t.Errorf("the words of the validation entry are %#x in sum", sum)
	}
	if at := binary.LittleEndian.Uint32(catalogue[0x28:]) * 2048; !bytes.HasPrefix(cd[at:], domain.BootSector("word")) {
		t.Errorf("the entry leads to byte %d", at)
	}
}
