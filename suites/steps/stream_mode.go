package steps

import (
	"io"

	"libvirt.org/go/libvirt"
)

// StreamMode is how a program moves data through a stream.
type StreamMode string

// The ways that the API has.
const (
	ByLoop     StreamMode = "a loop of calls"
	ByCallback StreamMode = "a callback"
	ByEvents   StreamMode = "events, without blocking"
)

// streamChunk is how much a step of ByLoop and ByEvents moves at most, in bytes.
const streamChunk = 64 << 10

func (how StreamMode) flags() libvirt.StreamFlags {
	if how == ByEvents {
		return libvirt.STREAM_NONBLOCK
	}
	return 0
}

// UploadAt writes the content to the volume at an offset in bytes.
func (v *Volume) UploadAt(how StreamMode, offset uint64, content []byte) {
	left := content
	v.stream("upload to volume by "+string(how), how.flags(), func(s *libvirt.Stream) error {
		if err := v.Raw.Upload(s, offset, uint64(len(content)), 0); err != nil {
			return err
		}
		if how == ByCallback {
			return s.SendAll(sender(&left))
		}
		return how.move(s, libvirt.STREAM_EVENT_WRITABLE, func() (done bool, err error) {
			n, err := s.Send(left[:min(streamChunk, len(left))])
			left = left[max(n, 0):] // negative when it would block
			return len(left) == 0, err
		})
	})
}

// DownloadAt reads a number of bytes of the volume from an offset on; 0 is all that
// there are.
func (v *Volume) DownloadAt(how StreamMode, offset, length uint64) []byte {
	return v.download("download volume by "+string(how), how.flags(), func(s *libvirt.Stream, r *received) error {
		if err := v.Raw.Download(s, offset, length, 0); err != nil {
			return err
		}
		if how == ByCallback {
			return s.RecvAll(r.data)
		}
		chunk := make([]byte, streamChunk)
		return how.move(s, libvirt.STREAM_EVENT_READABLE, func() (done bool, err error) {
			n, err := s.Recv(chunk)
			if err == io.EOF {
				return true, nil
			}
			if n > 0 {
				_, err = r.data(s, chunk[:n])
			}
			return false, err
		})
	}).content
}

// move repeats a step until it is done: at once, or each time that the event loop says
// that the stream is ready for it.
func (how StreamMode) move(s *libvirt.Stream, ready libvirt.StreamEventType, step func() (done bool, err error)) error {
	if how == ByLoop {
		for {
			if done, err := step(); done || err != nil {
				return err
			}
		}
	}
	over := make(chan error, 1)
	err := s.EventAddCallback(ready|libvirt.STREAM_EVENT_ERROR|libvirt.STREAM_EVENT_HANGUP, func(*libvirt.Stream, libvirt.StreamEventType) {
		if done, err := step(); done || err != nil {
			_ = s.EventRemoveCallback()
			select {
			case over <- err:
			default: // it was told before, and nobody may hold the event loop
			}
		}
	})
	if err != nil {
		return err
	}
	return <-over
}
