package verdict

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func testQuestion() Question {
	return Question{
		Check: matrix.PlannedCheck{ID: "O-SAVE", Asserts: "A guest survives a save", Tier: matrix.Nested, Isolation: matrix.IsolateCheck},
		Cell: matrix.Cell{
			ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM, Tier: matrix.Nested, Composition: matrix.Native,
			Stack:    []matrix.Choice{{Component: matrix.QEMU, Version: "7.2", Series: "7.2", Release: "bookworm", Package: "1:7.2+dfsg-7"}},
			Settings: []matrix.Setting{{Axis: "firmware", Value: "bios", Default: true}},
			Userland: "bookworm",
			Images:   []matrix.ImageRef{{Role: "userland-kvm", Release: "bookworm", Packages: "5e7"}},
		},
		Images:  []string{"userland-kvm 4e7 c0"},
		Code:    "c0de",
		Machine: map[string]string{"kernel": "6.1"},
	}
}

func key(t *testing.T, edit func(*Question)) string {
	t.Helper()
	q := testQuestion()
	if edit != nil {
		edit(&q)
	}
	key, err := q.Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestWhatMayInfluenceAnAnswerIsInTheKey(t *testing.T) {
	for name, edit := range map[string]func(*Question){
		"check":                  func(q *Question) { q.Check.ID = "O-CONN" },
		"tier":                   func(q *Question) { q.Check.Tier = matrix.Container },
		"one host for all":       func(q *Question) { q.Check.Isolation = "" },
		"cell":                   func(q *Question) { q.Cell.ID += "x" },
		"composition":            func(q *Question) { q.Cell.Composition = matrix.Bundled },
		"release of a component": func(q *Question) { q.Cell.Stack[0].Release = "trixie" },
		"a version moves on":     func(q *Question) { q.Cell.Stack[0].Version, q.Cell.Stack[0].Package = "7.", "21:7.2+dfsg-7" },
		"setting":                func(q *Question) { q.Cell.Settings[0].Value = "uefi" },
		"one setting less":       func(q *Question) { q.Cell.Settings = nil },
		"packages of an image":   func(q *Question) { q.Cell.Images[0].Packages = "5e8" },
		"image, built again":     func(q *Question) { q.Images[0] = "userland-kvm 4e7 c1" },
		"one more image":         func(q *Question) { q.Images = append(q.Images, q.Images[0]) },
		"code":                   func(q *Question) { q.Code = "0ther" },
		"machine":                func(q *Question) { q.Machine["kernel"] = "6.12" },
		"one more trait":         func(q *Question) { q.Machine["kvm"] = "" },
	} {
		if key(t, edit) == key(t, nil) {
			t.Errorf("another %s: the key is the same", name)
		}
	}
}

func TestWhatIsSaidToPeopleOrOfOtherChecksIsNotInTheKey(t *testing.T) {
	for name, edit := range map[string]func(*Question){
		"nothing":  nil,
		"title":    func(q *Question) { q.Check.Asserts = "other words" },
		"reason":   func(q *Question) { q.Cell.Why = []string{"first with qemu=7.2"} },
		"baseline": func(q *Question) { q.Cell.Baseline = "kvm_linux-6.1_qemu-5.2_libvirt-9.0" },
		"checks":   func(q *Question) { q.Cell.Checks = []matrix.PlannedCheck{{ID: "O-CONN"}} },
	} {
		if key(t, edit) != key(t, nil) {
			t.Errorf("another %s: the key is another one", name)
		}
	}
}
