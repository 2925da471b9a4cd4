package steps

import (
	"testing"
	"time"
)

func TestALoginHasItsFieldsWhereUtmpHasThem(t *testing.T) {
	b := newLogin("someone", time.Unix(0x01020304, 0))
	if len(b) != 384 || b[0] != 7 || string(b[8:12]) != "tty1" || string(b[44:51]) != "someone" {
		t.Errorf("%d bytes: %q", len(b), b)
	}
	if string(b[340:344]) != "\x04\x03\x02\x01" {
		t.Errorf("the time is %x", b[340:344])
	}
}
