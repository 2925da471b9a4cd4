package steps

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// User is a plain user of L1, with a home and a folder for what lasts as long as the
// user is logged in.
type User struct {
	t    *T
	id   string
	Name string
	Home string
}

// plainID is a number that no account of a userland has.
const plainID = 4711

// PlainUser makes a user in the groups of these names. What the user runs ends with the
// check.
func (t *T) PlainUser(groups ...string) *User {
	u := &User{t: t, Name: "plain", Home: t.Scratch("home")}
	u.id = fmt.Sprintf("--reuid=%d --regid=%d --clear-groups", plainID, plainID)
	if len(groups) > 0 {
		u.id = fmt.Sprintf("--reuid=%d --regid=%d --groups=%s", plainID, plainID, strings.Join(groups, ","))
	}
	t.Sh(fmt.Sprintf("echo %[1]s:x:%[2]d:%[2]d::%[3]s:/bin/sh >>/etc/passwd; echo %[1]s:x:%[2]d: >>/etc/group; mkdir -p %[3]s/run && chown -R %[2]d:%[2]d %[3]s && chmod 700 %[3]s/run",
		u.Name, plainID, u.Home))
	// dbus-daemon before 1.14 asks for a user's groups by name, and not what its socket says.
	for _, g := range groups {
		t.Sh(fmt.Sprintf("sed -i -E '/^%s:/{s/$/,%s/; s/:,/:/}' /etc/group", g, u.Name))
	}
	t.Cleanup(func() {
		t.Sh(fmt.Sprintf("pkill -KILL -U %d; sed -i -E '/^%[2]s:x:/d; s/,%[2]s(,|$)/\\1/; s/:%[2]s(,|$)/:/' /etc/passwd /etc/group", plainID, u.Name))
	})
	return u
}

// Run runs a shell command in L1 as the user and returns how it ended.
func (u *User) Run(command string) agent.Result {
	return u.t.Run(fmt.Sprintf("cd %[1]s && exec env -i PATH=\"$PATH\" LC_ALL=C HOME=%[1]s USER=%[2]s XDG_RUNTIME_DIR=%[1]s/run setpriv %[3]s sh -c %[4]s",
		u.Home, u.Name, u.id, host.Quote(command)))
}
