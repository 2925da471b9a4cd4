package outbound

import (
	"bytes"
	"testing"
)

func TestSectionsOfContent(t *testing.T) {
	data, hole := bytes.Repeat([]byte{1}, 4*kib), make([]byte, 4*kib)
	for _, c := range []struct {
		name    string
		content [][]byte
		inData  bool
		length  int64
	}{
		{"nothing is a hole of no length, which ends a stream", nil, false, 0},
		{"data only", [][]byte{data, data}, true, 8 * kib},
		{"a hole only", [][]byte{hole}, false, 4 * kib},
		{"data up to a hole", [][]byte{data, hole, hole}, true, 4 * kib},
		{"a hole up to data", [][]byte{hole, hole, data}, false, 8 * kib},
		{"a part of a block", [][]byte{data, {1, 0, 0}}, true, 4*kib + 3},
		{"zeros within a block of data", [][]byte{append([]byte{1}, make([]byte, 4*kib-1)...)}, true, 4 * kib},
	} {
		inData, length := sectionOf(bytes.Join(c.content, nil))
		if inData != c.inData || length != c.length {
			t.Errorf("%s: got %v, %d bytes", c.name, inData, length)
		}
	}
}

func TestFirstDifference(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"abc", "abc", 3}, {"abc", "abd", 2}, {"abc", "ab", 2}, {"ab", "abc", 2}, {"", "a", 0}} {
		if got := firstDifference([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%q and %q differ from %d on, not %d", c.a, c.b, got, c.want)
		}
	}
}

func TestNoiseIsTheSameEachTimeAndHasNoHoles(t *testing.T) {
	n := noise(64 * kib)
	if !bytes.Equal(n, noise(64*kib)) {
		t.Error("noise differs from one time to the next")
	}
	if inData, length := sectionOf(n); !inData || length != 64*kib {
		t.Errorf("noise starts with data %v of %d bytes", inData, length)
	}
}
