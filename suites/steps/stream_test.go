package steps

import (
	"bytes"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

const kib = 1 << 10

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

func TestADownloadHasABound(t *testing.T) {
	whole := &received{}
	if _, err := whole.data(nil, make([]byte, 4*kib)); err != nil {
		t.Error(err)
	}
	if err := whole.hole(nil, maxDownload-4*kib); err != nil || len(whole.content) != maxDownload || len(whole.holes) != 1 {
		t.Errorf("%d bytes with the holes %v, %v", len(whole.content), whole.holes, err)
	}
	if _, err := whole.data(nil, []byte{1}); err == nil || len(whole.content) != maxDownload {
		t.Error("content without a bound is taken")
	}
	for _, length := range []int64{-1, maxDownload, 1 << 62} {
		r := &received{content: []byte{1}}
		if err := r.hole(nil, length); err == nil || len(r.content) != 1 {
			t.Errorf("a hole of %d bytes is taken", length)
		}
		on(t, ends(matrix.Fail, matrix.LayerManagement, "the download of /x does not end"), func(t *T, _ *hosttest.Host) {
			(&Volume{t: t, Path: "/x"}).isBounded(r)
		})
	}
}
