package rundir

import (
	"os"
	"strings"
	"testing"
)

func TestWhatARunIsAskedForIsRememberedAndGrows(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	for _, step := range []struct{ more, want Wish }{
		{Wish{}, Wish{}},
		{Wish{Fresh: true}, Wish{Fresh: true}},
		{Wish{}, Wish{Fresh: true}},
		{Wish{Keep: true}, Wish{Fresh: true, Keep: true}},
	} {
		got, err := d.AddWish(step.more)
		if err != nil || got != step.want {
			t.Errorf("with %+v more it is %+v, %v; want %+v", step.more, got, err, step.want)
		}
		if got, err := d.Wish(); err != nil || got != step.want {
			t.Errorf("with %+v more %+v, %v is read; want %+v", step.more, got, err, step.want)
		}
	}
}

func TestAWishThatCannotBeReadIsToldAndNotForgotten(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	if err := os.WriteFile(d.Path(wishName), []byte(`{"fresh":tr`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddWish(Wish{Keep: true}); err == nil || !strings.Contains(err.Error(), d.Path(wishName)) {
		t.Errorf("AddWish = %v, want an error that names the file", err)
	}
}
