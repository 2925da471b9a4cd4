package libvirtrpc

import (
	"slices"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirt"
)

const lifecycle = "REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE"

func TestRealClientsSeeWhatFaultsDo(t *testing.T) {
	socket := realDaemon(t)
	for name, try := range map[string]func(*subject){
		"nothing injected": untouched,
		"Swallow":          swallows,
		"Swallow a value":  swallowsAValue,
		"Swallow a start":  swallowsAStart,
		"Refuse":           refuses,
		"ChangeCode":       changesCodes,
		"Delay":            delays,
		"Hang":             hangs,
		"CloseAfter":       closes,
		"Alter text":       altersText,
		"Alter numbers":    altersNumbers,
		"DuplicateEvent":   duplicatesEvents,
		"streams pass":     passesStreams,
	} {
		t.Run(name, func(t *testing.T) { try(newSubject(t, socket)) })
	}
}

// expectEvents takes as many events as are wanted.
func (s *subject) expectEvents(want ...libvirt.DomainEventType) {
	s.Helper()
	var got []libvirt.DomainEventType
	for range want {
		select {
		case e := <-s.events:
			got = append(got, e)
		case <-time.After(time.Minute):
			s.Fatalf("of events %v came %v", want, got)
		}
	}
	if !slices.Equal(got, want) {
		s.Errorf("events came as %v, want %v", got, want)
	}
}

func untouched(s *subject) {
	s.must(s.Suspend())
	s.must(s.Resume())
	s.expectEvents(libvirt.DOMAIN_EVENT_SUSPENDED, libvirt.DOMAIN_EVENT_RESUMED)
}

func swallows(s *subject) {
	i := s.inject(Swallow("virDomainSuspend"))
	s.must(s.Suspend())
	if got := s.state(); got != libvirt.DOMAIN_RUNNING {
		s.Errorf("state %d after a suspend that was swallowed", got)
	}
	s.expectApplied(i, 1)
	i.Remove()
	s.must(s.Suspend())
	if got := s.state(); got != libvirt.DOMAIN_PAUSED {
		s.Errorf("state %d after a suspend that was not", got)
	}
	s.expectApplied(i, 1)
}

func swallowsAValue(s *subject) {
	i := s.inject(Swallow("virDomainGetState"))
	s.state()
	if n, err := i.Applied(); n != 0 || err == nil {
		s.Errorf("without an earlier reply it was applied %d times, %v", n, err)
	}
	s.must(s.Suspend())
	if got := s.state(); got != libvirt.DOMAIN_RUNNING {
		s.Errorf("state %d, want that of the earlier reply", got)
	}
	if n, _ := i.Applied(); n != 1 {
		s.Errorf("it was applied %d times", n)
	}
}

func swallowsAStart(s *subject) {
	i := s.inject(Swallow("virDomainCreateWithFlags"))
	d, err := s.conn.DomainDefineXML("<domain type='test'><name>never</name><memory>8192</memory><os><type>hvm</type></os></domain>")
	s.must(err)
	defer func() { s.must(d.Undefine()) }()
	s.must(d.CreateWithFlags(libvirt.DOMAIN_START_PAUSED))
	active, err := d.IsActive()
	s.must(err)
	if active {
		s.Error("a domain whose start was swallowed runs")
	}
	s.expectApplied(i, 1)
}

func refuses(s *subject) {
	i := s.inject(Refuse("virDomainSuspend", int(libvirt.ERR_OPERATION_DENIED), int(libvirt.FROM_QEMU)))
	if got := s.expectCode(s.Suspend(), libvirt.ERR_OPERATION_DENIED); got.Domain != libvirt.FROM_QEMU || got.Level != libvirt.ERR_ERROR || got.Message == "" {
		s.Errorf("the error is %#v", got)
	}
	if got := s.state(); got != libvirt.DOMAIN_RUNNING {
		s.Errorf("state %d", got)
	}
	s.expectApplied(i, 1)
}

func changesCodes(s *subject) {
	_, err := s.conn.LookupDomainByName("absent")
	before := s.expectCode(err, libvirt.ERR_NO_DOMAIN)
	uuid, err := s.GetUUIDString()
	s.must(err)
	for _, api := range []string{"virDomainLookupByName", ""} {
		i := s.inject(ChangeCode(api, int(libvirt.ERR_INVALID_ARG)))
		_, err = s.conn.LookupDomainByName("absent")
		after := s.expectCode(err, libvirt.ERR_INVALID_ARG)
		if after.Message != before.Message || after.Domain != before.Domain {
			s.Errorf("more than the code changed: %v, %v", before, after)
		}
		if _, err := s.conn.LookupDomainByUUIDString(uuid); err != nil {
			s.Error(err)
		}
		s.expectApplied(i, 1)
		i.Remove()
	}
}

func delays(s *subject) {
	const held = 200 * time.Millisecond
	i := s.inject(Delay("virDomainSuspend", held))
	since := time.Now()
	s.must(s.Suspend())
	if took := time.Since(since); took < held {
		s.Errorf("the reply came after %s", took)
	}
	if got := s.state(); got != libvirt.DOMAIN_PAUSED {
		s.Errorf("state %d", got)
	}
	s.expectApplied(i, 1)
}

func hangs(s *subject) {
	i := s.inject(Hang("virDomainSuspend"))
	ended := make(chan error, 1)
	go func() { ended <- s.Suspend() }()
	s.awaitApplied(i)
	select {
	case err := <-ended:
		s.Errorf("the call ended: %v", err)
	default:
	}
	// The call ends with the connection.
	closing := s.inject(CloseAfter("virDomainGetState"))
	_, _, _ = s.GetState()
	s.expectApplied(closing, 1)
	if err := <-ended; err == nil {
		s.Error("the call succeeded")
	}
}

func closes(s *subject) {
	i := s.inject(CloseAfter("virDomainSuspend"))
	err := s.Suspend()
	s.Log(err)
	if err == nil {
		s.Fatal("the call succeeded")
	}
	s.expectApplied(i, 1)
	if alive, err := s.conn.IsAlive(); alive || err != nil {
		s.Errorf("the connection is alive: %t, %v", alive, err)
	}
}

func altersText(s *subject) {
	i := s.inject(Alter("virDomainGetXMLDesc", Replace("<memory unit='KiB'>8192<", "<memory unit='KiB'>123456<")))
	xml, err := s.GetXMLDesc(0)
	s.must(err)
	if !strings.Contains(xml, "<memory unit='KiB'>123456</memory>") || !strings.HasSuffix(xml, "</domain>\n") {
		s.Errorf("the client got\n%s", xml)
	}
	s.expectApplied(i, 1)
	never := s.inject(Alter("virDomainGetState", Replace("no such text", "x")))
	s.state()
	s.expectApplied(never, 0)
}

func altersNumbers(s *subject) {
	s.inject(Alter("virDomainGetState", SetWord(0, uint32(libvirt.DOMAIN_CRASHED))))
	if got := s.state(); got != libvirt.DOMAIN_CRASHED {
		s.Errorf("state %d", got)
	}
	s.inject(Alter("virConnectGetVersion", SetWord(1, 1_002_003)))
	if v, err := s.conn.GetVersion(); v != 1_002_003 {
		s.Errorf("version %d, %v", v, err)
	}
}

func duplicatesEvents(s *subject) {
	i := s.inject(DuplicateEvent(lifecycle))
	s.must(s.Suspend())
	s.expectEvents(libvirt.DOMAIN_EVENT_SUSPENDED, libvirt.DOMAIN_EVENT_SUSPENDED)
	s.expectApplied(i, 1)
}

// passesStreams downloads a picture beside a fault of another call: the test driver
// always has the same (libvirt's src/test/test-screenshot.png).
func passesStreams(s *subject) {
	s.inject(Hang("virDomainSuspend"))
	stream, err := s.conn.NewStream(0)
	s.must(err)
	defer func() { _ = stream.Free() }()
	kind, err := s.Screenshot(stream, 0, 0)
	s.must(err)
	var picture []byte
	s.must(stream.RecvAll(func(_ *libvirt.Stream, b []byte) (int, error) {
		picture = append(picture, b...)
		return len(b), nil
	}))
	s.must(stream.Finish())
	if kind != "image/png" || !strings.HasPrefix(string(picture), "\x89PNG") || !strings.Contains(string(picture), "IEND") {
		s.Errorf("%d bytes of %s", len(picture), kind)
	}
}
