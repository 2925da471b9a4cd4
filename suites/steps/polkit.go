package steps

import (
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"
)

// StartBus starts the system's bus of L1, unless it runs, until the check is over.
func (t *T) StartBus() {
	t.Cleanup(func() {
		t.EndBus()
		t.RestartLibvirt(syscall.SIGTERM) // it ends with the bus that it is on
	})
	t.Sh("pidof dbus-daemon || { mkdir -p /run/dbus && dbus-daemon --system --fork; }")
}

// EndBus ends the system's bus of L1, if it runs.
func (t *T) EndBus() {
	t.Sh("kill $(pidof dbus-daemon) 2>/dev/null; rm -f /run/dbus/pid /run/dbus/system_bus_socket")
}

// StartPolkit starts the bus of L1 and polkit, which grants the user these actions,
// until the check is over. A service manager starts both where there is one.
func (t *T) StartPolkit(u *User, grants ...string) {
	t.StartBus()
	t.Sh("mkdir -p " + path.Dir(polkitRules) + " " + polkitAuthority)
	t.Put(polkitRules, fmt.Sprintf("polkit.addRule(function(action, subject) {\n"+
		"\tif (subject.user == %q && [%s].indexOf(action.id) >= 0) { return polkit.Result.YES; }\n});\n", u.Name, quoted(grants)))
	// Up to 0.105 polkit reads these files, and no rules (pklocalauthority(8)).
	t.Put(polkitAuthority+"/virtmatrix.pkla", fmt.Sprintf("[granted]\nIdentity=unix-user:%s\nAction=%s\nResultAny=yes\nResultInactive=yes\nResultActive=yes\n",
		u.Name, strings.Join(grants, ";")))
	t.Cleanup(func() {
		t.Sh("kill $(pidof polkitd) 2>/dev/null; rm -f " + polkitRules + " " + polkitAuthority + "/virtmatrix.pkla")
	})
	t.Sh("chmod 644 " + polkitRules + "; " +
		"p=$(ls /usr/lib/polkit-1/polkitd /usr/libexec/polkitd 2>/dev/null | head -n 1) && setsid $p --no-debug >/run/polkitd.log 2>&1 </dev/null &")
	ask := "dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.PolicyKit1"
	t.Until(time.Minute, "polkit is on the bus", func() bool { return t.Run(ask + " | grep -q true").OK() })
}

// Where polkit finds what it grants.
const (
	polkitRules     = "/etc/polkit-1/rules.d/10-virtmatrix.rules"
	polkitAuthority = "/etc/polkit-1/localauthority/50-local.d"
)

func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%q", w))
	}
	return strings.Join(out, ", ")
}
