package run

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/internal/store"
)

// TestRealCapturesAreTheSameTwice takes each capture of what is at hand of bookworm twice.
func TestRealCapturesAreTheSameTwice(t *testing.T) {
	realtest.NewBed(t)
	d, err := Open(Config{Home: store.Home(), Runtime: realtest.Runtime(t)})
	if err != nil {
		t.Fatal(err)
	}
	images, err := d.store.List()
	if err != nil {
		t.Fatal(err)
	}
	program := realtest.Compile(t, "../capture/l1capture")
	for _, image := range images {
		if image.Meta.Spec.Release != "bookworm" {
			continue
		}
		c, err := d.capturedImage(image.Name)
		if err != nil {
			continue // it has nothing to capture
		}
		for _, component := range c.components {
			var taken [2][]byte
			for i := range taken {
				sets, err := d.takeCaptures(t.Context(), image, component, program)
				if err != nil {
					t.Fatalf("%s of %s: %v", component, image.Name, err)
				}
				for _, set := range sets {
					if none := len(set.Facts) == 0; none && !(image.Meta.Spec.Role == "userland-xen" && (set.Kind == "domcaps" || set.Kind == "capabilities")) {
						t.Errorf("%s of %s has no %s", component, image.Name, set.Kind)
					}
					if groups := capture.Compare(set, set).Groups; len(groups) != 0 {
						t.Errorf("%s of %s differs from itself: %v", set.Kind, image.Name, groups)
					}
				}
				if taken[i], err = json.Marshal(sets); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(taken[0], taken[1]) {
				t.Errorf("%s of %s was captured twice and is not the same", component, image.Name)
			}
		}
	}
}
