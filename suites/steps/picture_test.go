package steps

import (
	"fmt"
	"image"
	"testing"
)

func TestAPixmapIsRead(t *testing.T) {
	content := append([]byte("P6\n2 1\n255\n"), 0, 0, 0, 1, 2, 3)
	img, err := pixmap(content)
	if err != nil || img.Bounds().Size() != image.Pt(2, 1) || Lit(img) != 1 {
		t.Fatalf("%v, %v", img, err)
	}
	if got := fmt.Sprint(img.At(1, 0)); got != "{1 2 3 255}" {
		t.Errorf("the second point is %s", got)
	}
	for _, bad := range [][]byte{nil, []byte("P5\n2 1\n255\n000000"), content[:len(content)-7]} {
		if img, err := pixmap(bad); err == nil {
			t.Errorf("%q is read as %v", bad, img.Bounds())
		}
	}
}
