package libvirtrpc

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// words is a message of such a header, whose length is added, and payload.
func words(t *testing.T, name string, kind, serial, status uint32, payload []byte) message {
	t.Helper()
	what, err := lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	for _, word := range []uint32{0, what.program, 1, what.number, kind, serial, status} {
		m = binary.BigEndian.AppendUint32(m, word)
	}
	return m.with(payload)
}

// talk is a daemon that the test plays, with a proxy before it.
type talk struct {
	*testing.T
	proxy *Proxy
	// client is the proxy's side, daemon the test's.
	client, daemon net.Conn
}

func newTalk(t *testing.T) *talk {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	k := &talk{T: t, proxy: &Proxy{}, daemon: far}
	k.client = k.proxy.Wrap(near)
	t.Cleanup(func() { k.client.Close(); far.Close() })
	return k
}

func (k *talk) inject(f Fault) *Injection {
	k.Helper()
	i, err := k.proxy.Inject(f)
	if err != nil {
		k.Fatal(err)
	}
	return i
}

// says sends a message from one end of the talk.
func (k *talk) says(from io.Writer, m message) {
	go func() { _, _ = from.Write(m) }()
}

func (k *talk) expect(at io.Reader, want message) {
	k.Helper()
	got, err := read(at)
	if err != nil || !bytes.Equal(got, want) {
		k.Fatalf("came % x, %v; want % x", got, err, want)
	}
}

func TestWhatNoFaultIsAboutPassesAsItIs(t *testing.T) {
	k := newTalk(t)
	k.inject(Hang("virDomainReset"))
	for _, m := range []message{
		words(t, "virDomainSuspend", typeCall, 1, statusOK, []byte("payload!")),
		words(t, "virDomainReset", typeCallWithFDs, 2, statusOK, nil),
		words(t, "virDomainReset", 3, 2, 2, bytes.Repeat([]byte("data"), 50_000)),
		words(t, "virDomainReset", 6, 2, 2, make([]byte, 12)),
		{0, 0, 0, 28, 0x6b, 0x65, 0x65, 0x70, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		k.says(k.client, m)
		k.expect(k.daemon, m)
		k.says(k.daemon, m)
		k.expect(k.client, m)
	}
}

func TestMessagesMayComeInPieces(t *testing.T) {
	k := newTalk(t)
	i := k.inject(Swallow("virDomainReset"))
	call := words(t, "virDomainReset", typeCall, 9, statusOK, []byte("some domain."))
	go func() {
		for _, b := range call {
			_, _ = k.client.Write([]byte{b})
		}
	}()
	k.expect(k.client, words(t, "virDomainReset", typeReply, 9, statusOK, nil))
	if n, err := i.Applied(); n != 1 || err != nil {
		t.Errorf("Applied = %d, %v", n, err)
	}
}

func TestAStartThatIsSwallowedAnswersWithItsDomain(t *testing.T) {
	k := newTalk(t)
	i := k.inject(Swallow("virDomainCreateWithFlags"))
	domain := append(appendString(nil, "guest"), make([]byte, 16+4)...)
	k.says(k.client, words(t, "virDomainCreateWithFlags", typeCall, 3, statusOK, append(bytes.Clone(domain), 0, 0, 0, 1)))
	k.expect(k.client, words(t, "virDomainCreateWithFlags", typeReply, 3, statusOK, domain))

	broken := words(t, "virDomainCreateWithFlags", typeCall, 4, statusOK, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	k.says(k.client, broken)
	k.expect(k.daemon, broken)
	if n, err := i.Applied(); n != 1 || err == nil || !strings.Contains(err.Error(), "Swallow(virDomainCreateWithFlags)") {
		t.Errorf("Applied = %d, %v", n, err)
	}
}

func TestAFaultThatFitsNothingIsRefused(t *testing.T) {
	for _, tc := range []struct {
		fault Fault
		want  string
	}{
		{Swallow("virDomainRset"), "no procedure virDomainRset"},
		{Hang("virdomainreset"), "did you mean virDomainReset?"},
		{DuplicateEvent("virDomainReset"), "not of that kind"},
		{Refuse(lifecycle, 1, 1), "not of that kind"},
	} {
		i, err := new(Proxy).Inject(tc.fault)
		if i != nil || err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.fault.String()) {
			t.Errorf("Inject(%s) = %v, want %q", tc.fault, err, tc.want)
		}
	}
}

func TestEndsReachTheOtherSide(t *testing.T) {
	t.Run("the daemon's", func(t *testing.T) {
		k := newTalk(t)
		k.daemon.Close()
		if _, err := k.client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read = %v", err)
		}
	})
	t.Run("the client's, who is still answered", func(t *testing.T) {
		k := newTalk(t)
		if err := k.client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := k.daemon.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read = %v", err)
		}
		last := words(t, "virConnectClose", typeReply, 1, statusOK, nil)
		k.says(k.daemon, last)
		k.expect(k.client, last)
	})
	t.Run("a daemon's in the middle of a message", func(t *testing.T) {
		k := newTalk(t)
		go func() {
			_, _ = k.daemon.Write(words(t, "virDomainReset", typeReply, 1, statusOK, []byte("more"))[:30])
			k.daemon.Close()
		}()
		if _, err := k.client.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
			t.Errorf("Read = %v", err)
		}
	})
	t.Run("what is no message", func(t *testing.T) {
		for _, length := range []uint32{0, 27, maxLen + 1, 1<<32 - 1} {
			k := newTalk(t)
			go func() { _, _ = k.daemon.Write(append(binary.BigEndian.AppendUint32(nil, length), make([]byte, 24)...)) }()
			if _, err := k.client.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("a length of %d reads as %v", length, err)
			}
		}
	})
}

func TestProceduresAreThoseOfTheProtocol(t *testing.T) {
	// The numbers are from libvirt's remote_protocol.x and qemu_protocol.x.
	for name, want := range map[string]procedure{
		"virConnectOpen":              {0x20008086, 1},
		"REMOTE_PROC_AUTH_LIST":       {0x20008086, 66},
		"virDomainCreateWithFlags":    {0x20008086, 196},
		"virDomainReset":              {0x20008086, 245},
		lifecycle:                     {0x20008086, 318},
		"virDomainSetThrottleGroup":   {0x20008086, 451},
		"virDomainQemuMonitorCommand": {0x20008087, 1},
	} {
		got, err := lookup(name)
		if got != want || err != nil || got.String() != name {
			t.Errorf("%s is %#v %s, %v; want %#v", name, got, got, err, want)
		}
	}
	lines := strings.Count(procedureText, "\n")
	if n, m := len(procedures().byName), len(procedures().names); n != lines || m != lines {
		t.Errorf("%d lines have %d names and %d numbers", lines, n, m)
	}
	if got := (procedure{0x20008088, 2}).String(); got != "procedure 2 of program 0x20008088" {
		t.Error(got)
	}
}

func TestCallsUnderWayAreKnown(t *testing.T) {
	var c Calls
	expect := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	for _, b := range words(t, "virDomainSuspend", typeCall, 1, statusOK, []byte("payload")) {
		expect(c.Sent([]byte{b}))
	}
	expect(c.Sent(slices.Concat(words(t, "virDomainReset", typeCall, 2, statusOK, nil), words(t, "virDomainGetState", typeCall, 3, statusOK, nil))))
	expect(c.Sent(words(t, "virDomainReset", 3, 4, 2, []byte("stream"))))
	expect(c.Answered(words(t, lifecycle, typeEvent, 2, statusOK, []byte("event"))))
	expect(c.Answered(words(t, "virDomainReset", typeReply, 2, statusError, []byte("why"))))
	if got := c.Unanswered(); !slices.Equal(got, []string{"virDomainSuspend", "virDomainGetState"}) {
		t.Errorf("Unanswered = %q", got)
	}
	var other Calls
	expect(other.Sent([]byte(strings.Repeat("this is something else entirely\n", 10))))
	if got := other.Unanswered(); got != nil {
		t.Errorf("what is no RPC has calls %q", got)
	}
}

func TestFileDescriptorsAreToldOf(t *testing.T) {
	var c Calls
	for _, err := range []error{
		c.Sent(words(t, "virDomainCreateXMLWithFiles", typeCallWithFDs, 1, statusOK, nil)),
		c.Answered(words(t, "virDomainCreateXMLWithFiles", typeReplyWithFDs, 1, statusOK, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), "virDomainCreateXMLWithFiles") {
			t.Errorf("got %v", err)
		}
	}
}

func TestReplaceChangesStringsAndTheirLength(t *testing.T) {
	payload := slices.Concat([]byte{0, 0, 0, 2}, appendString(nil, "version 10.0"), appendString(nil, "other"), []byte{1, 2, 3, 4}, appendString(nil, "10.0"), []byte{9})
	want := slices.Concat([]byte{0, 0, 0, 2}, appendString(nil, "version 9"), appendString(nil, "other"), []byte{1, 2, 3, 4}, appendString(nil, "9"), []byte{9})
	if got := Replace("10.0", "9")(bytes.Clone(payload)); !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := Replace("absent", "x")(bytes.Clone(payload)); !bytes.Equal(got, payload) {
		t.Errorf("nothing to replace gave %q", got)
	}
}

func TestConnectionsLeaveNoFiles(t *testing.T) {
	names := func() int { l, _ := os.ReadDir("/proc/self/fd"); return len(l) }
	before := names()
	for range 20 {
		k := newTalk(t)
		k.client.Close()
		k.daemon.Close()
	}
	if after := names(); after > before {
		t.Errorf("%d files are open, %d before", after, before)
	}
}
