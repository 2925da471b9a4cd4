package steps

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
)

// ReadPicture reads a picture of a screen, which is PNG where the emulator can write that,
// and PPM otherwise.
func ReadPicture(kind string, content []byte) (image.Image, error) {
	switch kind {
	case "image/png":
		return png.Decode(bytes.NewReader(content))
	case "image/x-portable-pixmap":
		return pixmap(content)
	}
	return nil, fmt.Errorf("the type %q is unknown", kind)
}

// pixmap reads a PPM file (ppm(5)) of the kind that qemu writes.
func pixmap(content []byte) (image.Image, error) {
	var w, h int
	head, points, ok := bytes.Cut(content, []byte("\n255\n"))
	if _, err := fmt.Sscanf(string(head), "P6\n%d %d", &w, &h); err != nil || !ok || len(points) != 3*w*h {
		return nil, fmt.Errorf("it begins with %q, and %d bytes follow: %w", head[:min(len(head), 40)], len(points), err)
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], points[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	return img, nil
}

// Lit counts the points that are not black.
func Lit(img image.Image) (n int) {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b > 0 {
				n++
			}
		}
	}
	return n
}
