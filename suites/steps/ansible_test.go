package steps

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// plays is Ansible on a host where a playbook ends with a status after it has printed this.
func plays(t *T, h *hosttest.Host, code int, printed string) *Ansible {
	h.OnExec = func(_ context.Context, command string) (res agent.Result, _ error) {
		if strings.Contains(command, "ansible-") {
			res = agent.Result{Code: code, Stdout: []byte(printed), Stderr: []byte("[WARNING]: no inventory\n")}
		}
		return res, nil
	}
	return &Ansible{t: t, folder: "/scratch"}
}

// recap is what the callback prints of one task and its end.
func recap(task, result, counts string) string {
	return fmt.Sprintf(`{"plays": [{"tasks": [{"task": {"name": %q}, "hosts": {"localhost": %s}}]}], "stats": {"localhost": {%s}}}`, task, result, counts)
}

func TestAPlaybookIsJudgedByItsRecapAndItsTasks(t *testing.T) {
	const refused = `{"failed": true, "changed": false, "msg": "no such domain"}`
	changed := recap("start", `{"changed": true}`, `"ok": 1, "changed": 1`)
	for _, c := range []struct {
		code    int
		printed string
		expect  func(*Played)
		want    verdict
	}{
		{0, changed, func(p *Played) { p.ExpectChanged("start") }, passes},
		{0, changed, func(p *Played) { p.ExpectChanged() }, ends(matrix.Fail, matrix.LayerManagement, "tasks that changed something")},
		{0, recap("start", `{"changed": false}`, `"ok": 1`), func(p *Played) { p.ExpectChanged("start") }, ends(matrix.Fail, matrix.LayerManagement, "tasks that changed something")},
		{2, recap("start", refused, `"failures": 1`), func(p *Played) { p.ExpectOK() }, ends(matrix.Fail, matrix.LayerManagement, "status 2", "start: no such domain")},
		{0, recap("start", `{"skipped": true}`, `"skipped": 1`), func(p *Played) { p.ExpectOK() }, ends(matrix.Fail, matrix.LayerManagement, "status 0")},
		{2, recap("start", refused, `"failures": 1`), func(p *Played) { p.ExpectFailed("start") }, passes},
		{0, changed, func(p *Played) { p.ExpectFailed("start") }, ends(matrix.Fail, matrix.LayerManagement, `the task "start" did not fail`)},
		{4, recap("start", `{"unreachable": true, "msg": "no agent"}`, `"unreachable": 1`), func(p *Played) { p.ExpectFailed("start") }, passes},
		{4, "", func(p *Played) { p.ExpectOK() }, ends(matrix.Fail, matrix.LayerManagement, "status 4", "no inventory")},
		{0, `{"plays": [`, func(*Played) {}, infra("read what the playbook printed")},
	} {
		on(t, c.want, func(t *T, h *hosttest.Host) {
			t.Layer = matrix.LayerManagement
			a := plays(t, h, c.code, c.printed)
			c.expect(a.Play(a.Virt("start", Args{"name": "l2", "state": "running"})))
		})
	}
}

func TestAnInventoryIsReadWhetherItsTextsAreMarkedOrNot(t *testing.T) {
	for _, printed := range []string{`{"all": {"is": "a \"word\""}}`, `{"all": {"is": {"__ansible_unsafe": "a \"word\""}}}`} {
		on(t, passes, func(t *T, h *hosttest.Host) {
			var said struct{ All struct{ Is string } }
			if plays(t, h, 0, printed).Inventory(&said); said.All.Is != `a "word"` {
				t.Fail(matrix.LayerHarness, "the inventory is %+v", said)
			}
		})
	}
}
