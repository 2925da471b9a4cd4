package steps

import (
	"errors"

	"libvirt.org/go/libvirt"
)

// maxDownload bounds what is downloaded of a volume, in bytes: a daemon that tells of
// a hole without end must not take our memory.
const maxDownload = 64 << 20

// holeBlock is how many zeros at least are uploaded as a hole, in bytes.
const holeBlock = 4 << 10

// Upload writes the content to the start of the volume.
func (v *Volume) Upload(content []byte) {
	left := content
	v.stream("upload to volume", func(s *libvirt.Stream) error {
		if err := v.Raw.Upload(s, 0, uint64(len(content)), 0); err != nil {
			return err
		}
		return s.SendAll(sender(&left))
	})
}

// UploadSparse writes the content to the start of the volume as data and holes.
func (v *Volume) UploadSparse(content []byte) {
	left := content
	v.stream("upload to volume with holes", func(s *libvirt.Stream) error {
		if err := v.Raw.Upload(s, 0, uint64(len(content)), libvirt.STORAGE_VOL_UPLOAD_SPARSE_STREAM); err != nil {
			return err
		}
		section := func(*libvirt.Stream) (bool, int64, error) {
			inData, length := sectionOf(left)
			return inData, length, nil
		}
		skip := func(_ *libvirt.Stream, n int64) error { left = left[n:]; return nil }
		return s.SparseSendAll(sender(&left), section, skip)
	})
}

// sender hands out what is left in chunks of at most the size that is asked for.
func sender(left *[]byte) func(*libvirt.Stream, int) ([]byte, error) {
	return func(_ *libvirt.Stream, n int) ([]byte, error) {
		chunk := (*left)[:min(n, len(*left))]
		*left = (*left)[len(chunk):]
		return chunk, nil
	}
}

// sectionOf says whether data or a hole comes first, and how much of it: zeros by
// whole blocks are a hole.
func sectionOf(b []byte) (inData bool, length int64) {
	n := 0
	for ; n < len(b); n += holeBlock {
		data := !isZero(b[n:min(n+holeBlock, len(b))])
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

// Download reads the whole volume.
func (v *Volume) Download() (content []byte) {
	v.stream("download volume", func(s *libvirt.Stream) error {
		content = nil
		if err := v.Raw.Download(s, 0, 0, 0); err != nil {
			return err
		}
		return s.RecvAll(func(_ *libvirt.Stream, b []byte) (int, error) {
			content = append(content, b...)
			return len(b), bounded(len(content))
		})
	})
	return content
}

// DownloadSparse reads the whole volume and the lengths of the holes in it.
func (v *Volume) DownloadSparse() (content []byte, holes []int64) {
	v.stream("download volume with holes", func(s *libvirt.Stream) error {
		if err := v.Raw.Download(s, 0, 0, libvirt.STORAGE_VOL_DOWNLOAD_SPARSE_STREAM); err != nil {
			return err
		}
		return s.SparseRecvAll(func(_ *libvirt.Stream, b []byte) (int, error) {
			content = append(content, b...)
			return len(b), bounded(len(content))
		}, func(_ *libvirt.Stream, n int64) error {
			if n < 0 || bounded(len(content)+int(min(n, maxDownload))) != nil {
				return errTooMuch
			}
			content, holes = append(content, make([]byte, n)...), append(holes, n)
			return nil
		})
	})
	return content, holes
}

// errTooMuch ends a download. libvirt makes an error of its own of it.
var errTooMuch = errors.New("too much")

// bounded says that there is too much of a volume.
func bounded(bytes int) error {
	if bytes >= maxDownload {
		return errTooMuch
	}
	return nil
}

// stream opens a stream, has it used, and ends it: what was sent has arrived only
// when the end is confirmed.
func (v *Volume) stream(op string, use func(*libvirt.Stream) error) {
	conn := v.t.Connection().Raw
	v.t.Do(op, func() error {
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
	})
}
