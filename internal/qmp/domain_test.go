package qmp

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/digitalocean/go-qemu/qemu"
)

// answers is what a small QEMU says to the commands of go-qemu's Domain.
var answers = map[string]string{
	"query-status":     `{"status": "running", "singlestep": false, "running": true}`,
	"query-version":    `{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}`,
	"query-commands":   `[{"name": "query-status"}, {"name": "quit"}]`,
	"query-block":      `[{"device": "virtio0", "locked": false, "removable": false, "type": "unknown"}]`,
	"system_reset":     `{}`,
	"system_powerdown": `{}`,
	"query-block-jobs": `[]`,
}

func domain(t *testing.T, script func(*fakeQEMU)) *qemu.Domain {
	t.Helper()
	d, err := qemu.NewDomain(open(t, Options{}, script), "guest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDomainOfGoQEMUWorksOnConn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := domain(t, func(f *fakeQEMU) {
			f.serve(func(cmd fakeCommand) string { return answers[cmd.Execute] })
		})
		if s, err := d.Status(); err != nil || s != qemu.StatusRunning {
			t.Errorf("Status = %v, %v", s, err)
		}
		if v, err := d.Version(); err != nil || v != "7.2.22" {
			t.Errorf("Version = %v, %v", v, err)
		}
		if v, err := d.PackageVersion(); err != nil || v != "Debian" {
			t.Errorf("PackageVersion = %v, %v", v, err)
		}
		if ok, err := d.Supported("quit"); err != nil || !ok {
			t.Errorf("Supported(quit) = %v, %v", ok, err)
		}
		if b, err := d.BlockDevice("virtio0"); err != nil || b.Device != "virtio0" {
			t.Errorf("BlockDevice = %+v, %v", b, err)
		}
		if err := errors.Join(d.SystemReset(), d.SystemPowerdown()); err != nil {
			t.Error(err)
		}
	})
}

func TestDomainStreamsEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := domain(t, func(f *fakeQEMU) {
			f.serve(func(cmd fakeCommand) string {
				f.event("RESET")
				return answers[cmd.Execute]
			})
		})
		events, done, err := d.Events()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SystemReset(); err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Event != "RESET" {
			t.Errorf("event = %+v, want RESET", e)
		}
		done <- struct{}{}
		synctest.Wait()
	})
}

func TestDomainSurfacesTheErrorClass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := domain(t, func(f *fakeQEMU) {
			f.handshake()
			cmd, _ := f.next()
			f.say(`{"error": {"class": "GenericError", "desc": "busy"}, "id": %q}`, cmd.ID)
			f.hold()
		})
		var refusal *Error
		if err := d.SystemReset(); !errors.As(err, &refusal) || refusal.Class != "GenericError" {
			t.Errorf("error = %v, want QEMU's refusal", err)
		}
	})
}
