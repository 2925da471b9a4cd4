package steps

import (
	"bytes"
	"context"
	"crypto/des"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"math/bits"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// maxScreen bounds the side of a screen in points: a server is not trusted.
const maxScreen = 4096

// VNC returns what a VNC server at a socket of L1, which asks for no password, calls itself
// and shows.
func (t *T) VNC(socket string) (name string, shown *image.RGBA) {
	t.askVNC(socket, "get a picture from the VNC server", func(rw io.ReadWriter) (err error) {
		name, shown, err = readScreen(rw)
		return err
	})
	return name, shown
}

// VNCTakes says whether a VNC server at a socket of L1 lets in who has the password.
func (t *T) VNCTakes(socket, password string) (in bool) {
	t.askVNC(socket, "show the VNC server a password", func(rw io.ReadWriter) (err error) {
		in, err = showPassword(rw, password)
		return err
	})
	return in
}

// askVNC speaks with a VNC server at a socket of L1.
func (t *T) askVNC(socket, op string, ask func(io.ReadWriter) error) {
	vm := t.Host()
	t.must(t.await(patience{op: op, limit: qmpLimit, layer: t.Layer, who: "the server"}, func(ctx context.Context) error {
		rw, err := vm.Dial(socket)
		if err == nil {
			defer context.AfterFunc(ctx, func() { _ = rw.Close() })()
			defer func() { _ = rw.Close() }()
			err = ask(rw)
		} else if !agent.Refused(err) {
			return err
		}
		if err != nil && vm.Alive() == nil {
			return &fault.Product{Layer: t.Layer, Op: op, Err: err}
		}
		return err
	}), op)
}

// wire is a connection of the protocol that VNC speaks (RFC 6143), until something cannot
// be read or written. Numbers are big-endian.
type wire struct {
	io.ReadWriter
	err error
}

func (w *wire) say(what any) {
	if w.err == nil {
		w.err = binary.Write(w.ReadWriter, binary.BigEndian, what)
	}
}

func (w *wire) hear(into any) {
	if w.err == nil {
		w.err = binary.Read(w.ReadWriter, binary.BigEndian, into)
	}
}

func (w *wire) bytes(n int) []byte {
	b := make([]byte, n)
	w.hear(b)
	return b
}

func (w *wire) number() (n uint32) { w.hear(&n); return n }

// refuse ends the conversation.
func (w *wire) refuse(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// greet begins the conversation, up to what kind of proof the client chooses.
func (w *wire) greet(kind uint8) {
	version := w.bytes(12)
	if string(version) != "RFB 003.008\n" {
		w.refuse("the server's version is %q", version)
	}
	w.say(version)
	var kinds uint8
	w.hear(&kinds)
	if offered := w.bytes(int(kinds)); !bytes.Contains(offered, []byte{kind}) {
		w.refuse("the server asks for a proof of %d, and not for %d", offered, kind)
	}
	w.say(kind)
}

// The kinds of proof that a server may ask for.
const (
	vncNoProof  = 1
	vncPassword = 2
)

// showPassword proves that the client has a password, and returns whether it was let in:
// the challenge comes back encrypted by it, the bits of its bytes turned round.
func showPassword(rw io.ReadWriter, password string) (in bool, err error) {
	w := &wire{ReadWriter: rw}
	w.greet(vncPassword)
	key := make([]byte, 8)
	for i := range min(len(password), len(key)) {
		key[i] = bits.Reverse8(password[i])
	}
	cipher, err := des.NewCipher(key)
	if err != nil {
		return false, err
	}
	challenge := w.bytes(16)
	cipher.Encrypt(challenge[:8], challenge[:8])
	cipher.Encrypt(challenge[8:], challenge[8:])
	w.say(challenge)
	in = w.number() == 0
	return in, w.err
}

// readScreen greets the server and reads one whole picture.
func readScreen(rw io.ReadWriter) (name string, shown *image.RGBA, err error) {
	w := &wire{ReadWriter: rw}
	w.greet(vncNoProof)
	if refused := w.number(); refused != 0 {
		w.refuse("the server lets nobody in without a password: %d", refused)
	}
	w.say(uint8(1)) // others may stay
	var screen struct {
		Width, Height uint16
		Points        [16]byte
		Name          uint32
	}
	w.hear(&screen)
	if max(uint32(screen.Width), uint32(screen.Height), screen.Name) > maxScreen {
		w.refuse("the server tells of a screen of %d to %d points and a name of %d bytes", screen.Width, screen.Height, screen.Name)
	}
	if w.err != nil {
		return "", nil, w.err
	}
	name = string(w.bytes(int(screen.Name)))
	// Points of 32 bits, red from bit 16 on, green from 8, blue from 0, the lowest byte first;
	// sent as they are; all of the screen.
	w.say([]byte{0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0})
	w.say([]byte{2, 0, 0, 1, 0, 0, 0, 0})
	w.say([]byte{3, 0, 0, 0, 0, 0})
	w.say([]uint16{screen.Width, screen.Height})
	shown = image.NewRGBA(image.Rect(0, 0, int(screen.Width), int(screen.Height)))
	for left := len(shown.Pix) / 4; left > 0 && w.err == nil; {
		left -= w.update(shown)
	}
	return name, shown, w.err
}

// update reads a message of the server, and returns how many points it changed.
func (w *wire) update(shown *image.RGBA) (n int) {
	var head struct {
		Kind, _ uint8
		Parts   uint16
	}
	w.hear(&head)
	if head.Kind != 0 {
		w.refuse("the server sends a message of kind %d, and no picture", head.Kind)
	}
	for range head.Parts {
		var part struct {
			X, Y, Width, Height uint16
			Encoding            int32
		}
		w.hear(&part)
		box := image.Rect(0, 0, int(part.Width), int(part.Height)).Add(image.Pt(int(part.X), int(part.Y)))
		if part.Encoding != 0 || !box.In(shown.Bounds()) {
			w.refuse("the server sends %v in encoding %d", box, part.Encoding)
		}
		if w.err != nil {
			return n
		}
		points := w.bytes(4 * box.Dx() * box.Dy())
		for i := range len(points) / 4 {
			p := points[4*i:]
			shown.SetRGBA(box.Min.X+i%box.Dx(), box.Min.Y+i/box.Dx(), color.RGBA{p[2], p[1], p[0], 255})
		}
		n += len(points) / 4
	}
	return n
}
