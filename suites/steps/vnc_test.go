package steps

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// said is what a server says that heeds nothing.
type said struct{ io.Reader }

func (said) Write(b []byte) (int, error) { return len(b), nil }

// greeting is a server's up to its name, with a screen of two points by one.
const greeting = "RFB 003.008\n\x01\x01\x00\x00\x00\x00\x00\x02\x00\x01" + "0123456789abcdef" + "\x00\x00\x00\x02me"

func TestAScreenIsReadInParts(t *testing.T) {
	part := func(x byte, blue, green, red byte) string {
		return string([]byte{0, x, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, blue, green, red, 0})
	}
	server := said{strings.NewReader(greeting + "\x00\x00\x00\x01" + part(1, 3, 2, 1) + "\x00\x00\x00\x01" + part(0, 0, 0, 9))}
	name, shown, err := readScreen(server)
	if err != nil || name != "me" {
		t.Fatalf("name %q, %v", name, err)
	}
	if got := fmt.Sprint(shown.At(0, 0), shown.At(1, 0)); got != "{9 0 0 255} {1 2 3 255}" {
		t.Errorf("the points are %s", got)
	}
}

func TestAServerIsNotTrusted(t *testing.T) {
	for what, text := range map[string]string{
		"another protocol":        "RFB 004.000\n",
		"a password":              "RFB 003.008\n\x01\x02\x00\x00\x00\x01",
		"a screen without end":    greeting[:18] + "\xff\xff\xff\xff" + greeting[22:],
		"a part beside":           greeting + "\x00\x00\x00\x01\x00\x02\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00",
		"another encoding":        greeting + "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x07",
		"a message of other kind": greeting + "\x02\x00\x00\x01",
		"half of it":              greeting[:30],
	} {
		if _, _, err := readScreen(said{bytes.NewReader([]byte(text))}); err == nil {
			t.Errorf("a server that sends %s is believed", what)
		}
	}
}

// server asks for a password, and keeps what the client answered to its challenge.
type server struct {
	io.Reader
	bytes.Buffer
}

func (s *server) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func TestAPasswordIsProvedWithoutBeingTold(t *testing.T) {
	for verdict, want := range map[byte]bool{0: true, 1: false} {
		s := &server{Reader: strings.NewReader("RFB 003.008\n\x01\x02" + strings.Repeat("\x00", 16) + string([]byte{0, 0, 0, verdict}))}
		in, err := showPassword(s, "password")
		if err != nil || in != want {
			t.Errorf("a server that says %d has the client in: %v, %v", verdict, in, err)
		}
		// What DES makes of zeros with the bits of "password" turned round.
		if got := fmt.Sprintf("%x", s.Bytes()[13:]); got != strings.Repeat("ff97502e9422f089", 2) {
			t.Errorf("the proof is %s", got)
		}
	}
	if _, err := showPassword(said{strings.NewReader("RFB 003.008\n\x01\x01")}, "password"); err == nil {
		t.Error("a server that asks for no password has taken one")
	}
}
