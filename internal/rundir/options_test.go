package rundir

import (
	"os"
	"strings"
	"testing"
)

func TestWhatARunIsAskedForIsRememberedAndGrows(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	for _, step := range []struct{ more, want Options }{
		{Options{}, Options{}},
		{Options{Fresh: true}, Options{Fresh: true}},
		{Options{}, Options{Fresh: true}},
		{Options{Keep: true}, Options{Fresh: true, Keep: true}},
		{Options{Seed: 7}, Options{Fresh: true, Keep: true, Seed: 7}},
		{Options{Seed: 8}, Options{Fresh: true, Keep: true, Seed: 7}}, // it goes on in the order in which it was begun
	} {
		got, err := d.AddOptions(step.more)
		if err != nil || got != step.want {
			t.Errorf("with %+v more it is %+v, %v; want %+v", step.more, got, err, step.want)
		}
		if got, err := d.Options(); err != nil || got != step.want {
			t.Errorf("with %+v more %+v, %v is read; want %+v", step.more, got, err, step.want)
		}
	}
}

func TestOptionsThatCannotBeReadAreToldAndNotForgotten(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	if err := os.WriteFile(d.Path(optionsName), []byte(`{"fresh":tr`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddOptions(Options{Keep: true}); err == nil || !strings.Contains(err.Error(), d.Path(optionsName)) {
		t.Errorf("AddOptions = %v, want an error that names the file", err)
	}
}
