package sabotage

import (
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/libvirtrpc"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Swallow has a call of the libvirt API answered with success, and never made. Calls
// are named as in libvirt's reference ("virDomainReset").
func Swallow(api string) *Control {
	return call(api+" that does nothing", libvirtrpc.Swallow(api))
}

// Refuse has a call refused with an error.
func Refuse(api string, code libvirt.ErrorNumber, domain libvirt.ErrorDomain) *Control {
	return call(fmt.Sprintf("%s refused with error %d", api, code), libvirtrpc.Refuse(api, int(code), int(domain)))
}

// ChangeCode gives the refusals of a call another number.
func ChangeCode(api string, code libvirt.ErrorNumber) *Control {
	return call(fmt.Sprintf("refusals of %s as error %d", api, code), libvirtrpc.ChangeCode(api, int(code)))
}

// Hang has a call never answered, and never made.
func Hang(api string) *Control { return call(api+" that never returns", libvirtrpc.Hang(api)) }

// Delay holds the answers of a call back.
func Delay(api string, by time.Duration) *Control {
	return call(fmt.Sprintf("answers of %s that take %s more", api, by), libvirtrpc.Delay(api, by))
}

// Alter replaces a text in the answers of a call.
func Alter(api, old, new string) *Control {
	return call(fmt.Sprintf("%q for %q in answers of %s", new, old, api), libvirtrpc.Alter(api, libvirtrpc.Replace(old, new)))
}

// SetWord puts a number into the answers of a call, in the place of their n-th word of
// 32 bits, counted from 0.
func SetWord(api string, n int, value uint32) *Control {
	return call(fmt.Sprintf("%d as word %d of answers of %s", value, n, api), libvirtrpc.Alter(api, libvirtrpc.SetWord(n, value)))
}

// DoubleEvents has life-cycle events come twice.
func DoubleEvents() *Control {
	return Double("REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE", "life-cycle events that come twice")
}

// call puts a proxy before libvirt's daemon. The fault must have been applied when the
// body is over.
func call(name string, f libvirtrpc.Fault) *Control {
	return &Control{Name: name, apply: func(t *steps.T) func() error {
		var proxy libvirtrpc.Proxy
		injected, err := proxy.Inject(f)
		t.TapLibvirt(proxy.Wrap)
		return func() error {
			if err != nil {
				return err
			}
			n, err := injected.Applied()
			if err == nil && n == 0 {
				err = fmt.Errorf("no call came by that it applies to")
			}
			return err
		}
	}}
}

// SwallowQMP has a command of a check never reach its emulator, and be taken as done.
func SwallowQMP(command string) *Control {
	return &Control{Name: command + " of QMP that does nothing", apply: func(t *steps.T) func() error {
		s := t.SwallowQMP(command)
		return func() error {
			if s.Times == 0 {
				return fmt.Errorf("%s was never given", command)
			}
			return nil
		}
	}}
}
