package storage

import (
	"bytes"
	"testing"
)

func TestNoiseIsTheSameEachTimeAndHasNoHoles(t *testing.T) {
	n := noise(64 * kib)
	if !bytes.Equal(n, noise(64*kib)) {
		t.Error("noise differs from one time to the next")
	}
	for at := 0; at < len(n); at += kib {
		if bytes.Count(n[at:at+kib], []byte{0}) > kib/8 {
			t.Errorf("there is a hole at %d", at)
		}
	}
	if len(n) != 64*kib {
		t.Errorf("there are %d bytes of noise", len(n))
	}
}
