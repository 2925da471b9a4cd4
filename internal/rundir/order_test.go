package rundir

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func three() *matrix.Plan {
	return &matrix.Plan{Cells: []matrix.Cell{{ID: "a"}, {ID: "b"}, {ID: "c"}}}
}

func TestCellsComeInTheStoredOrder(t *testing.T) {
	for name, c := range map[string]struct{ stored, want []string }{
		"none is stored": {nil, []string{"a", "b", "c"}},
		"another":        {[]string{"c", "a", "b"}, []string{"c", "a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newRun(t, t.TempDir(), "order")
			if c.stored != nil {
				if err := d.SettleOrder(c.stored); err != nil {
					t.Fatal(err)
				}
			}
			cells, err := d.Ordered(three())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, cell := range cells {
				got = append(got, cell.ID)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTheFirstProcessSettlesTheOrder(t *testing.T) {
	d := newRun(t, t.TempDir(), "order")
	for _, ids := range [][]string{{"b", "a", "c"}, {"c", "b", "a"}} {
		if err := d.SettleOrder(ids); err != nil {
			t.Fatal(err)
		}
		cells, err := d.Ordered(three())
		if err != nil {
			t.Fatal(err)
		}
		if cells[0].ID != "b" {
			t.Errorf("after %v, %s comes first", ids, cells[0].ID)
		}
	}
	left, err := os.ReadDir(d.Path())
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v (%v), want the order alone", left, err)
	}
}

func TestAnOrderThatIsNotOfThePlanIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another cell": {"a\nb\nx\n", `order.txt:3: the plan has no cell "x"`},
		"one missing":  {"a\nb\n", "order.txt names 2 cells, 2 different ones, and the plan has 3"},
		"one twice":    {"a\nb\na\n", "order.txt names 3 cells, 2 different ones, and the plan has 3"},
		"nothing":      {"", "order.txt names 0 cells"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newRun(t, t.TempDir(), "order")
			if err := os.WriteFile(d.Path(orderName), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := d.Ordered(three())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
