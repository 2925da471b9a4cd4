package libvirterr

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"
)

// testDomain is a domain of the test driver, which is in the client library.
func testDomain(t *testing.T) *libvirt.Domain {
	t.Helper()
	conn, err := libvirt.NewConnect("test:///default")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close() })
	d, err := conn.LookupDomainByName("test")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatTheClientLibraryLacksIsNoAnswer(t *testing.T) {
	d := testDomain(t)
	for _, time := range []string{"first", "second"} {
		// New in libvirt 11.2.
		err := d.DelThrottleGroup("group", 0)
		if errors.Is(err, libvirt.ERR_NO_SUPPORT) {
			t.Skip("this client library has all that the test knows of")
		}
		name, ok := MissingSymbol(fmt.Errorf("cannot delete group: %w", err))
		if name != "virDomainDelThrottleGroup" || !ok {
			t.Errorf("the %s time: MissingSymbol(%v) = %q, %t", time, err, name, ok)
		}
	}
}

func TestWhatTheBindingSaysOfOtherBuilds(t *testing.T) {
	for message, want := range map[string]string{
		"Function virDomainReset not available prior to libvirt version 0.9.7":         "virDomainReset",
		"libvirt-qemu.so.0: cannot open shared object file: No such file or directory": "libvirt-qemu.so.0",
		"Failed to open libvirt.so.0": "libvirt.so.0",
		"/usr/lib64/libvirt-qemu.so.0: undefined symbol: virDomainQemuMonitorCommandWithFiles, version LIBVIRT": "virDomainQemuMonitorCommandWithFiles",
	} {
		err := libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_NONE, Message: message}
		if name, ok := MissingSymbol(err); name != want || !ok {
			t.Errorf("%q is about %q, %t", message, name, ok)
		}
	}
}

func TestWhatADaemonAnswersIsNotMissing(t *testing.T) {
	d := testDomain(t)
	_, unsupported := d.QemuMonitorCommand("{}", 0)
	if !errors.Is(unsupported, libvirt.ERR_NO_SUPPORT) {
		t.Fatalf("the test driver has a monitor: %v", unsupported)
	}
	for _, err := range []error{
		nil,
		errors.New("Failed to load virDomainReset"),
		d.Create(),
		unsupported,
		libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_QEMU, Message: "Failed to load virDomainReset"},
		libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_NONE, Message: "Failed to load firmware"},
	} {
		if name, ok := MissingSymbol(err); ok {
			t.Errorf("%v is taken for the want of %s", err, name)
		}
	}
}

func TestErrorsAreToldByMessageAndName(t *testing.T) {
	gone := libvirt.Error{Code: libvirt.ERR_NO_DOMAIN, Domain: libvirt.FROM_QEMU, Message: "Domain not found"}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("plain"), "plain"},
		{gone, "Domain not found [ERR_NO_DOMAIN (42), FROM_QEMU]"},
		{libvirt.Error{Code: libvirt.ERR_OPERATION_INVALID, Domain: libvirt.FROM_TEST, Message: "paused"}, "paused [ERR_OPERATION_INVALID (55), FROM_TEST]"},
		{fmt.Errorf("cannot start: %w", gone), "cannot start: Domain not found [ERR_NO_DOMAIN (42), FROM_QEMU]"},
		{errors.Join(errors.New("plain"), fmt.Errorf("x: %w", gone)), "plain\nx: Domain not found [ERR_NO_DOMAIN (42), FROM_QEMU]"},
		{libvirt.Error{Code: 9999, Domain: -1, Message: "new"}, "new [ERR_UNKNOWN (9999), FROM_UNKNOWN]"},
	} {
		if got := Text(tc.err); got != tc.want {
			t.Errorf("Text(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

// TestEveryNameOfTheBindingIsKnown reads the numbers from the binding's source.
func TestEveryNameOfTheBindingIsKnown(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "libvirt.org/go/libvirt").Output()
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "libvirt_generated_enums.h"))
	if err != nil {
		t.Fatal(err)
	}
	// Both are constants in the header: the levels of errors, and the ends of the enums.
	none := regexp.MustCompile(`^ERR_(NONE|WARNING|ERROR|\w+_LAST)$`)
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`define VIR_((ERR|WAR|FROM)_\w+) (\d+)`).FindAllStringSubmatch(string(header), -1) {
		n, _ := strconv.Atoi(m[3])
		got := Code(libvirt.ErrorNumber(n))
		if m[2] == "FROM" {
			got = Domain(libvirt.ErrorDomain(n))
		}
		if none.MatchString(m[1]) {
			continue
		}
		seen[m[2]]++
		if got != m[1] {
			t.Errorf("number %d is %s, not %s", n, got, m[1])
		}
	}
	if seen["ERR"]+seen["WAR"] != len(codes) || seen["FROM"] != len(domains) {
		t.Errorf("the binding has %v, we have %d codes and %d domains", seen, len(codes), len(domains))
	}
}

func TestTheClientLibraryTellsItsVersion(t *testing.T) {
	v, err := ClientVersion()
	if err != nil || !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v) {
		t.Errorf("ClientVersion = %q, %v", v, err)
	}
}
