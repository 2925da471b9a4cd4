package families

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/suites/check"
)

func TestADraftIsACheck(t *testing.T) {
	for _, id := range check.Drafts() {
		if check.Find(id) == nil {
			t.Errorf("there is no check %s to be a draft", id)
		}
	}
}

// TestWhatIsDerivedFromTheChecksIsUpToDate: the planner and the documents say what is
// registered.
func TestWhatIsDerivedFromTheChecksIsUpToDate(t *testing.T) {
	list, err := checks("../..", nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, write := range derived {
		var b bytes.Buffer
		if err := write(&b, list); err != nil {
			t.Fatal(err)
		}
		if old, err := os.ReadFile(filepath.Join("../..", path)); err != nil || !bytes.Equal(old, b.Bytes()) {
			t.Errorf("%s is not what the checks say (%v); run: make checks", path, err)
		}
	}
}

// TestEveryFamilyIsRegistered: a folder that nobody imports has checks that nobody asks.
func TestEveryFamilyIsRegistered(t *testing.T) {
	registered := map[string]bool{}
	for _, c := range check.All() {
		registered[c.Family] = true
	}
	for _, area := range []string{"inbound", "outbound", "static"} {
		folders, err := filepath.Glob("../" + area + "/*")
		if err != nil || len(folders) == 0 {
			t.Fatalf("no families of %s: %v", area, err)
		}
		for _, folder := range folders {
			if family := strings.TrimPrefix(folder, "../"); !registered[family] {
				t.Errorf("no check of %s is registered: import it in families.go", family)
			}
		}
	}
}

// TestEveryCheckHasAControl, or says why it has none.
func TestEveryCheckHasAControl(t *testing.T) {
	for _, c := range check.All() {
		if (c.Control == nil) == (c.Without == "") {
			t.Errorf("%s has a control (%v), and a reason to have none: %q", c.ID, c.Control != nil, c.Without)
		}
	}
}
