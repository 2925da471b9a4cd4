package xfs

import "fmt"

// Unmounted says whether the last record of the log is that of an unmount, so that there is
// nothing to replay.
func (f *FS) Unmounted() (bool, error) {
	const sector, record, chunk = 512, 0xfeedbabe, 1 << 20
	if f.logStart == 0 {
		return false, fmt.Errorf("its log is on another device")
	}
	start := f.offset(f.logStart)
	var last uint64
	var clean bool
	for at := uint64(0); at < f.logBytes; at += chunk {
		b, err := f.read(min(chunk, f.logBytes-at), start+int64(at))
		if err != nil {
			return false, fmt.Errorf("cannot read log: %w", err)
		}
		for i := 0; i+sector <= len(b); i += sector {
			if be.Uint32(b[i:]) != record || be.Uint64(b[i+16:]) < last {
				continue
			}
			// Version 2 has one more sector of header for each 32 KiB of a record.
			heads := uint64(1)
			if be.Uint32(b[i+8:])&2 != 0 {
				heads = max(1, (uint64(be.Uint32(b[i+320:]))+32767)/32768)
			}
			last, clean = be.Uint64(b[i+16:]), false
			first := (at + uint64(i) + heads*sector) % f.logBytes
			operation, err := f.read(sector, start+int64(first))
			if err != nil {
				return false, fmt.Errorf("cannot read log: %w", err)
			}
			clean = be.Uint32(b[i+40:]) == 1 && operation[9]&0x20 != 0
		}
	}
	if last == 0 {
		return false, fmt.Errorf("its log has no record")
	}
	return clean, nil
}
