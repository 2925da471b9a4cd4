package outbound

import (
	"context"

	"libvirt.org/go/libvirt"
)

// upload writes the content to the start of the volume, with the flag as data
// and holes.
func (v *volume) upload(ctx context.Context, content []byte, flags libvirt.StorageVolUploadFlags) {
	conn := v.t.Connect(ctx)
	left := content
	send := func(_ *libvirt.Stream, n int) ([]byte, error) {
		chunk := left[:min(n, len(left))]
		left = left[len(chunk):]
		return chunk, nil
	}
	v.t.Do(ctx, "upload to volume", func() error {
		return stream(conn, func(s *libvirt.Stream) error {
			if err := v.Upload(s, 0, uint64(len(content)), flags); err != nil {
				return err
			}
			if flags&libvirt.STORAGE_VOL_UPLOAD_SPARSE_STREAM == 0 {
				return s.SendAll(send)
			}
			section := func(*libvirt.Stream) (bool, int64, error) {
				inData, length := sectionOf(left)
				return inData, length, nil
			}
			skip := func(_ *libvirt.Stream, n int64) error { left = left[n:]; return nil }
			return s.SparseSendAll(send, section, skip)
		})
	})
}

// sectionOf says whether data or a hole comes first, and how much of it: zeros
// by whole blocks are a hole.
func sectionOf(b []byte) (inData bool, length int64) {
	const block = 4 * kib
	n := 0
	for ; n < len(b); n += block {
		data := !isZero(b[n:min(n+block, len(b))])
		if n == 0 {
			inData = data
		} else if data != inData {
			break
		}
	}
	return inData, int64(min(n, len(b)))
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// download reads the whole volume.
func (v *volume) download(ctx context.Context) (content []byte) {
	conn := v.t.Connect(ctx)
	v.t.Do(ctx, "download volume", func() error {
		return stream(conn, func(s *libvirt.Stream) error {
			if err := v.Download(s, 0, 0, 0); err != nil {
				return err
			}
			return s.RecvAll(func(_ *libvirt.Stream, b []byte) (int, error) {
				content = append(content, b...)
				return len(b), nil
			})
		})
	})
	return content
}

// downloadSparse reads the whole volume and the lengths of the holes in it.
func (v *volume) downloadSparse(ctx context.Context) (content []byte, holes []int64) {
	conn := v.t.Connect(ctx)
	v.t.Do(ctx, "download volume with holes", func() error {
		return stream(conn, func(s *libvirt.Stream) error {
			if err := v.Download(s, 0, 0, libvirt.STORAGE_VOL_DOWNLOAD_SPARSE_STREAM); err != nil {
				return err
			}
			return s.SparseRecvAll(func(_ *libvirt.Stream, b []byte) (int, error) {
				content = append(content, b...)
				return len(b), nil
			}, func(_ *libvirt.Stream, n int64) error {
				content, holes = append(content, make([]byte, n)...), append(holes, n)
				return nil
			})
		})
	})
	return content, holes
}

// stream opens a stream, has it used, and ends it: what was sent has arrived
// only when the end is confirmed.
func stream(conn *libvirt.Connect, use func(*libvirt.Stream) error) error {
	s, err := conn.NewStream(0)
	if err != nil {
		return err
	}
	defer func() { _ = s.Free() }()
	if err := use(s); err != nil {
		_ = s.Abort()
		return err
	}
	return s.Finish()
}
