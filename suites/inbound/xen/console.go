package xen

import (
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// What a terminal has said goes to one reader: nobody else may listen to this guest.
var _ = check.Register("IX-CON", check.Spec{
	Asserts:  "xl's console carries questions to a guest and its answers back, and xenconsoled writes down what the guest says",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Wrap("xl", "a console that only echoes", `case "$1" in console) exec cat;; *) exec $REAL "$@";; esac`),
}, func(t *steps.T) {
	const question = `{"id":166,"do":"tick"}`
	g := t.NewGuest()
	script, answered := t.Scratch("ask.sh"), t.Scratch("answered")
	t.Until(sayLimit, "the guest speaks", t.XlCreate(g, nil).HasSpoken)
	// xenconsole reads from a terminal alone. The guest does once what it is asked twice.
	t.Put(script, "while printf '\\n%s\\n' '"+question+"'; do sleep 3; done | script -qefc 'xl console "+g.Name+"' "+answered+" >/dev/null 2>&1\n")
	t.Sh("setsid sh " + script + " </dev/null >/dev/null 2>&1 &")
	t.Cleanup(func() { t.Run("pkill -f '[x]l console " + g.Name + "|[s]h " + script + "'") })
	says(t, resizeLimit, answered, `{"re":166,"value":{"count":`)
	says(t, resizeLimit, domain.XenConsoleLog(g.Name), `{"re":166,"value":{"count":`)
})
