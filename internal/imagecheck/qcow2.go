package imagecheck

import (
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"
	"github.com/lima-vm/go-qcow2reader/log"
)

const qcowMagic = qcow2.Magic

// qcowHeader is the header of docs/interop/qcow2.rst of QEMU. It is read before the
// library sees the image, because that opens the backing file that an image names.
type qcowHeader struct {
	qcow2.HeaderFieldsV2
	// v3 are the fields of compat 1.1, as version 2 has them if that is what it is.
	v3          qcow2.HeaderFieldsV3
	compression qcow2.CompressionType
}

// whole reads as much as there is, and tells the end alone: the library takes bytes that
// come together with the end for an error.
type whole struct{ io.ReadCloser }

// Read reads.
func (w whole) Read(p []byte) (int, error) {
	n, err := io.ReadFull(w.ReadCloser, p)
	if n > 0 && (err == io.EOF || err == io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

func init() {
	log.SetWarnFunc(func(string) {}) // what it warns of is a rule of ours
	qcow2.SetDecompressor(qcow2.CompressionTypeZlib, func(r io.Reader) (io.ReadCloser, error) { return whole{flate.NewReader(r)}, nil })
	qcow2.SetDecompressor(qcow2.CompressionTypeZstd, func(r io.Reader) (io.ReadCloser, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		return whole{d.IOReadCloser()}, nil
	})
}

func readQCOWHeader(r io.ReaderAt) (h qcowHeader, err error) {
	from := io.NewSectionReader(r, 0, 112)
	if err = binary.Read(from, binary.BigEndian, &h.HeaderFieldsV2); err != nil {
		return h, fmt.Errorf("its header is cut off: fetch it again")
	}
	h.v3.RefcountOrder, h.v3.HeaderLength = 4, 72
	if h.Version < 2 || h.Version > 3 {
		return h, fmt.Errorf("its header says qcow2 version %d; there are 2 and 3", h.Version)
	}
	if h.Version == 3 {
		if err = binary.Read(from, binary.BigEndian, &h.v3); err != nil {
			return h, fmt.Errorf("its header is cut off: fetch it again")
		}
	}
	if h.v3.HeaderLength > 104 {
		if err = binary.Read(from, binary.BigEndian, &h.compression); err != nil {
			return h, fmt.Errorf("its header is cut off: fetch it again")
		}
	}
	return h, nil
}

// compat is the version as qemu-img names it.
func (h *qcowHeader) compat() string { return map[uint32]string{2: "0.10", 3: "1.1"}[h.Version] }

func (h *qcowHeader) has(bit int) bool { return h.v3.IncompatibleFeatures>>bit&1 == 1 }

// outside says what of the image is in other files, or in another life of it.
func (h *qcowHeader) outside() string {
	switch {
	case h.BackingFileOffset != 0 || h.BackingFileSize != 0:
		return "it has a backing file"
	case h.has(qcow2.IncompatibleFeaturesExternalDataFileBit):
		return "it has an external data file"
	case h.NbSnapshots != 0:
		return fmt.Sprintf("it has %d internal snapshots", h.NbSnapshots)
	}
	return ""
}

// backing is the name of the backing file, which is never opened.
func (h *qcowHeader) backing(r io.ReaderAt) string {
	name := make([]byte, min(h.BackingFileSize, 1023))
	if _, err := r.ReadAt(name, int64(h.BackingFileOffset)); err != nil {
		return "(its name is cut off)"
	}
	return string(name)
}

// sane says what of the header no reader should work on.
func (h *qcowHeader) sane(fileSize int64) error {
	const tables = 32 << 20 // what QEMU's block/qcow2.h takes at most of L1
	if h.ClusterBits < 9 || h.ClusterBits > 21 {
		return fmt.Errorf("its header says clusters of 2^%d bytes; 2^9 to 2^21 are possible", h.ClusterBits)
	}
	switch cluster := int64(1) << h.ClusterBits; {
	case h.v3.RefcountOrder > 6 || h.Version == 3 && (h.v3.HeaderLength < 104 || int64(h.v3.HeaderLength) > cluster):
		return fmt.Errorf("its header cannot be: refcount order %d, length %d", h.v3.RefcountOrder, h.v3.HeaderLength)
	case int64(h.L1Size)*8 > tables || int64(h.RefcountTableClusters) > tables/cluster+1:
		return fmt.Errorf("its header says tables of %d entries and %d clusters, more than an image of this size has", h.L1Size, h.RefcountTableClusters)
	case uint64(h.L1Size) < ceil(ceil(h.Size, uint64(cluster)), uint64(cluster)/8):
		return fmt.Errorf("its L1 table of %d entries is too short for %s", h.L1Size, size(int64(h.Size)))
	}
	cluster := uint64(1) << h.ClusterBits
	for _, table := range []struct {
		name      string
		at, bytes uint64
	}{{"L1", h.L1TableOffset, uint64(h.L1Size) * 8}, {"refcount", h.RefcountTableOffset, uint64(h.RefcountTableClusters) * cluster}} {
		if table.at == 0 || table.at%cluster != 0 || table.at > uint64(fileSize) || table.bytes > uint64(fileSize)-table.at {
			return fmt.Errorf("its %s table is at %d, %d bytes long, and the file ends at %d: it is cut off, or broken", table.name, table.at, table.bytes, fileSize)
		}
	}
	return nil
}

func ceil(n, by uint64) uint64 { return (n + by - 1) / by }

// openQCOW opens an image that is whole by itself.
func openQCOW(r io.ReaderAt, h qcowHeader, fileSize int64) (io.ReaderAt, error) {
	if err := h.sane(fileSize); err != nil {
		return nil, err
	}
	q, err := qcow2.Open(r, nil)
	if err == nil {
		err = q.Readable()
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as qcow2: %w", err)
	}
	return q, nil
}
