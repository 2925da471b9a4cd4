package reports

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// large is a run of 200 cells x 200 checks in 20 families, of which every fiftieth fails, and
// a family on a fifth of the cells. What the guests said is hostile.
func large() *Matrix {
	const n = 200
	var cells []matrix.Cell
	for i := range n {
		c := stack(matrix.KVM, matrix.Bundled, "bookworm", fmt.Sprintf("6.%d", i%5), fmt.Sprintf("%d.0", 7+i/5%5), fmt.Sprintf("%d.%d", 9+i/25%4, i/100))
		for j := range n {
			c.Checks = append(c.Checks, matrix.PlannedCheck{ID: fmt.Sprintf("O-X%d", j), Family: fmt.Sprintf("outbound/area-%02d", j/10), Tier: matrix.Nested})
		}
		cells = append(cells, c)
	}
	p := plan(cells...)
	var records []journal.Record
	for i, c := range cells {
		for j, check := range c.Checks {
			r := record(p, c.ID, check.ID, matrix.Pass)
			if (i*7+j*13)%50 == 0 || j/10 == 3 && i%5 == 4 {
				r.Verdict, r.Layer = matrix.Fail, matrix.LayerManagement
				r.Reason = fmt.Sprintf("cannot save domain: internal error: <b>number %d</b> of \x1b[31m%d\nmore words of it", j%40, j)
			}
			records = append(records, r)
		}
	}
	m := Judge(p, records, nil)
	m.Find()
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	return m
}

// chromium opens a page in a headless browser beside a script, and returns what that writes
// into the document. The page is in the frame "page".
func chromium(t *testing.T, page, script string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("opens a large page in a browser; leave -short out to run it")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("install chromium to see a large page opened")
	}
	dir := t.TempDir()
	driver := filepath.Join(dir, "driver.html")
	text := `<!doctype html><iframe id="page" width="1600" height="1000"></iframe><pre id="said"></pre><script>
const frame = document.getElementById("page"), began = performance.now(), said = [];
const say = (what, value) => { said.push(what + "=" + value); document.getElementById("said").textContent = said.join("\n"); };
frame.onload = async () => { const doc = frame.contentDocument, later = (ms) => new Promise((done) => setTimeout(done, ms));
while (doc.body.dataset.ready === undefined) await later(1);
doc.body.offsetHeight; const opened = performance.now() - began; ` + script + ` };
frame.src = ` + fmt.Sprintf("%q", template.JSEscapeString("file://"+page)) + `;</script>`
	if err := os.WriteFile(driver, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
		"--user-data-dir="+dir, "--virtual-time-budget=20000", "--timeout=240000", "--dump-dom", "file://"+driver).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<pre id="said">(.*?)</pre>`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("the page was not opened: %.500s", out)
	}
	return string(found[1])
}

// TestALargePageInABrowser opens the page of 200 cells x 200 checks, filters it and opens a
// failure.
func TestALargePageInABrowser(t *testing.T) {
	var b bytes.Buffer
	if err := (page{}).render(&b, large()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if keep := os.Getenv("VIRTMATRIX_KEEP_PAGE"); keep != "" {
		path = keep
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 2<<20 {
		t.Errorf("the page has %d bytes", b.Len())
	}
	said := chromium(t, path, `
const timed = (what, f) => { const from = performance.now(); f(); doc.body.offsetHeight; say(what, Math.round(performance.now() - from) + " ms"); };
const rows = () => [...doc.querySelectorAll("tr[data-check]")].filter((r) => r.offsetHeight > 0).length;
say("opened", Math.round(opened) + " ms");
say("nodes", doc.querySelectorAll("*").length);
say("rows", rows());
const find = doc.getElementById("find");
timed("find", () => { find.value = "X17"; find.dispatchEvent(new Event("input")); });
say("found", rows());
timed("find all", () => { find.value = ""; find.dispatchEvent(new Event("input")); });
timed("failures", () => doc.querySelector(".chip[data-verdict=FAIL]").click());
say("failing", rows());
timed("all", () => doc.querySelector(".chip[data-verdict=FAIL]").click());
timed("open", () => doc.querySelector("td button[data-v=FAIL]").click());
say("panel", doc.querySelector("#panel pre").textContent.slice(0, 60));
say("markup", doc.querySelectorAll("#panel pre b").length);
const key = (name) => doc.activeElement.dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown", { key: name, bubbles: true }));
const at = () => doc.activeElement.title.replace(/ on .*/, "");
doc.querySelector('td button[tabindex="0"]').focus();
say("stop", at());
key("Escape");
say("closed", doc.getElementById("panel").hidden);
for (let i = 0; i < 50; i++) key("ArrowDown");
say("50 below", at());
const columns = () => [...[...doc.querySelectorAll("tr[data-check]")].find((r) => r.cells.length > 1).querySelectorAll("td")].filter((td) => td.offsetWidth > 0).length;
const value = (axis, text) => [...doc.querySelectorAll(".axis")].find((a) => a.firstChild.textContent === axis).querySelectorAll("button").forEach((b) => b.textContent === text && b.click());
say("axes", [...doc.querySelectorAll(".axis b")].map((b) => b.textContent).join(","));
timed("fold", () => value("linux", "6.3"));
say("folded", columns());
value("qemu", "8.0");
say("both", columns());
value("linux", "6.3"); value("qemu", "8.0");
say("unfolded", columns());
const box = doc.querySelector(".scroll");
box.scrollTop = box.scrollHeight;
await later(500);
say("last", doc.querySelector('tr[data-check="O-X199"]').cells.length);
box.scrollTop = 0;
await later(500);
say("tiles", doc.querySelectorAll("td button").length < 25000);
`)
	for _, want := range []string{"rows=200", "found=11", "failing=200", "panel=cannot save domain: internal error: &lt;b&gt;number 0&lt;/b&gt;", "markup=0",
		"stop=FAIL O-X0", "50 below=FAIL O-X50", "closed=true", "last=201", "tiles=true", "axes=linux,qemu,libvirt", "folded=40", "both=8", "unfolded=200"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	t.Logf("%.1f MB\n%s", float64(b.Len())/1e6, said)
}
