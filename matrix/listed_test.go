package matrix

import "testing"

func TestEachListedCheckIsThereOrAccountedFor(t *testing.T) {
	cat, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	all, err := ListedChecks()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		switch state := cat.State(l); {
		case state == Lacking:
			t.Errorf("%s is missing", l.ID)
		case state == There && (len(l.By) > 0 || l.Remark != ""):
			t.Errorf("%s is there, and the list says that it is not", l.ID)
		}
	}
}

func TestAListSaysWhatBecameOfEachCheck(t *testing.T) {
	all, err := readListed("# words\n\nO-ONE\nO-TWO: O-ONE\nO-THREE: O-ONE, O-NONE: a remark\nO-FOUR - nobody can\n")
	if err != nil {
		t.Fatal(err)
	}
	cat := &Catalog{Checks: []Check{{ID: "O-ONE"}}}
	for i, want := range []State{There, Answered, Lacking, Reasoned} {
		if got := cat.State(all[i]); got != want {
			t.Errorf("%s is %s, want %s", all[i].ID, got, want)
		}
	}
	for _, bad := range []string{"O-ONE\nO-ONE", "O ONE"} {
		if _, err := readListed(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
