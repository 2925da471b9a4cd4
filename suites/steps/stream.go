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
func (v *Volume) Upload(content []byte) { v.UploadAt(ByCallback, 0, content) }

// UploadSparse writes the content to the start of the volume as data and holes.
func (v *Volume) UploadSparse(content []byte) {
	left := content
	v.stream("upload to volume with holes", 0, func(s *libvirt.Stream) error {
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
func (v *Volume) Download() []byte { return v.DownloadAt(ByCallback, 0, 0) }

// DownloadSparse reads the whole volume and the lengths of the holes in it.
func (v *Volume) DownloadSparse() (content []byte, holes []int64) {
	r := v.download("download volume with holes", 0, func(s *libvirt.Stream, r *received) error {
		if err := v.Raw.Download(s, 0, 0, libvirt.STORAGE_VOL_DOWNLOAD_SPARSE_STREAM); err != nil {
			return err
		}
		return s.SparseRecvAll(r.data, r.hole)
	})
	return r.content, r.holes
}

func (v *Volume) download(op string, flags libvirt.StreamFlags, receive func(*libvirt.Stream, *received) error) *received {
	r := &received{}
	v.stream(op, flags, func(s *libvirt.Stream) error {
		err := receive(s, r)
		v.isBounded(r) // libvirt makes an error of its own of a refusal
		return err
	})
	return r
}

// received is what came of a volume.
type received struct {
	content []byte
	// holes are the lengths of those in the content.
	holes []int64
	// refused says that more came than is taken of any volume.
	refused bool
}

var errTooMuch = errors.New("too much")

// take makes room for n bytes more.
func (r *received) take(n int64) error {
	if n < 0 || n > maxDownload-int64(len(r.content)) {
		r.refused = true
		return errTooMuch
	}
	return nil
}

func (r *received) data(_ *libvirt.Stream, b []byte) (int, error) {
	if err := r.take(int64(len(b))); err != nil {
		return 0, err
	}
	r.content = append(r.content, b...)
	return len(b), nil
}

func (r *received) hole(_ *libvirt.Stream, n int64) error {
	if err := r.take(n); err != nil {
		return err
	}
	r.content, r.holes = append(r.content, make([]byte, n)...), append(r.holes, n)
	return nil
}

// isBounded asserts that no more came of the volume than any may hold.
func (v *Volume) isBounded(r *received) {
	if r.refused {
		v.t.Fail(v.t.Layer, "the download of %s does not end: there is more than %d bytes of it", v.Path, maxDownload)
	}
}

// stream opens a stream, has it used, and ends it: what was sent has arrived only
// when the end is confirmed.
func (v *Volume) stream(op string, flags libvirt.StreamFlags, use func(*libvirt.Stream) error) {
	conn := v.t.Connection().Raw
	v.t.Do(op, func() error {
		s, err := conn.NewStream(flags)
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
