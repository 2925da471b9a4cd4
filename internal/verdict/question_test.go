package verdict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// testQuestion has every field filled, so that a field that is added to any of its
// types and not filled here is told.
func testQuestion() Question {
	return Question{
		Format: format,
		Check: matrix.PlannedCheck{
			ID: "O-SAVE", Title: "A guest survives a save", Tier: matrix.Nested, Unsupported: "-", Needs: []string{"IK-BOOT"}, Isolation: matrix.IsolateCheck,
		},
		Cell: matrix.Cell{
			ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM, Tier: matrix.Nested, Composition: matrix.Native,
			Stack:    []matrix.Choice{{Component: matrix.QEMU, Version: "7.2", Series: "7.2", Release: "bookworm", Package: "1:7.2+dfsg-7"}},
			Settings: []matrix.Setting{{Axis: "firmware", Value: "bios", Default: true}},
			Userland: "bookworm",
			Images:   []matrix.ImageRef{{Role: "userland-kvm", Release: "bookworm", Packages: "5e7"}},
			Why:      []string{"first with qemu=7.2"}, Baseline: "kvm_linux-6.1_qemu-5.2_libvirt-9.0", Checks: []matrix.PlannedCheck{{ID: "O-CONN"}},
		},
		Images: []Image{{Role: "userland-kvm", Key: "4e7", Content: "c0"}},
		Host: Host{
			Accel: "tcg", CPUs: 2, MemoryMB: 2048, Emulator: &Image{Role: "qemu", Key: "e4", Content: "ec"},
			Machine: "pc-q35-7.2", CPU: "max,cx16=off", Docker: "20.10.24",
		},
		Code:    "c0de",
		Machine: map[string]string{"kernel": "6.1"},
	}
}

// saysNothing are the fields that cannot influence an answer, with what is below.
var saysNothing = []string{".Format", ".Check.Title", ".Check.Needs", ".Cell.Why", ".Cell.Baseline", ".Cell.Checks"}

func TestEverythingButWhatSaysNothingIsInTheKey(t *testing.T) {
	want := keyOfQuestion(t, testQuestion())
	if again := keyOfQuestion(t, testQuestion()); again != want {
		t.Fatalf("the same question has the keys %s and %s", want, again)
	}
	var paths []string
	for path := range leaves(t, "", reflect.ValueOf(testQuestion())) {
		paths = append(paths, path)
	}
	if len(paths) < 35 {
		t.Fatalf("only %d fields were found: %q", len(paths), paths)
	}
	for _, path := range paths {
		q := testQuestion()
		change(t, &q, path)
		silent := slices.ContainsFunc(saysNothing, func(s string) bool { return strings.HasPrefix(path, s) })
		if got := keyOfQuestion(t, q); (got == want) != silent {
			t.Errorf("another %s: the key is the same: %v, want %v", path, got == want, silent)
		}
	}
}

func TestWhatIsMoreOrLessIsInTheKey(t *testing.T) {
	want := keyOfQuestion(t, testQuestion())
	for name, other := range map[string]func(*Question){
		"no L0 emulator":     func(q *Question) { q.Host.Emulator = nil },
		"one more image":     func(q *Question) { q.Images = append(q.Images, q.Images[0]) },
		"one setting less":   func(q *Question) { q.Cell.Settings = nil },
		"one host for all":   func(q *Question) { q.Check.Isolation = "" },
		"one more trait":     func(q *Question) { q.Machine["kvm"] = "" },
		"a version moves on": func(q *Question) { q.Cell.Stack[0].Version, q.Cell.Stack[0].Package = "7.", "21:7.2+dfsg-7" },
	} {
		q := testQuestion()
		other(&q)
		if keyOfQuestion(t, q) == want {
			t.Errorf("%s: the key is the same", name)
		}
	}
}

func keyOfQuestion(t *testing.T, q Question) string {
	t.Helper()
	key, err := q.Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// leaves lists the fields below a value that have no fields, by path. One that is
// empty is a mistake of the test.
func leaves(t *testing.T, path string, v reflect.Value) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	add := func(path string, v reflect.Value) {
		for p := range leaves(t, path, v) {
			all[p] = true
		}
	}
	switch {
	case v.IsZero():
		t.Errorf("%s is not filled; is it new?", path)
	case v.Kind() == reflect.Pointer:
		add(path, v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			// The other checks of the cell say nothing, whatever they hold.
			if path != ".Cell.Checks[0]" || i == 0 {
				add(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			add(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			all[path+"{"+key.String()+"}"] = true
		}
	default:
		all[path] = true
	}
	return all
}

// change gives the field at a path another value.
func change(t *testing.T, q *Question, path string) {
	t.Helper()
	v := reflect.ValueOf(q).Elem()
	steps := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]}", r) })
	for _, step := range steps {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if name, key, ok := strings.Cut(step, "{"); ok {
			m := v.FieldByName(name)
			m.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf("other"))
			return
		}
		if v.Kind() == reflect.Slice {
			var at int
			fmt.Sscan(step, &at)
			v = v.Index(at)
			continue
		}
		v = v.FieldByName(step)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		t.Fatalf("%s is a %s, which the test cannot change", path, v.Kind())
	}
}
