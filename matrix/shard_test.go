package matrix

import (
	"fmt"
	"testing"
)

func TestShardsAreReadOrRefused(t *testing.T) {
	if s, err := ParseShard("3/8"); err != nil || s.String() != "3/8" {
		t.Errorf("3/8 is read as %s: %v", s, err)
	}
	for _, text := range []string{"", "3", "0/8", "9/8", "-1/8", "3/8/9", "a/b", "3/"} {
		if _, err := ParseShard(text); err == nil {
			t.Errorf("%q is read as a shard", text)
		}
	}
}

// TestTheUnionOfTheShardsIsThePlan, question by question, and the shards cost about the same.
func TestTheUnionOfTheShardsIsThePlan(t *testing.T) {
	cat, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	change := Change{Axis: "libvirt", From: "9.0", To: "11.3"}
	for name, request := range map[string]Request{
		"smoke": {Profile: "smoke"}, "ci": {Profile: "ci"}, "change": {Profile: ChangeProfile, Change: &change, Budget: 12},
	} {
		whole, err := New(cat, request)
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Seal(); err != nil {
			t.Fatal(err)
		}
		for _, count := range []int{1, 2, 3, 50} {
			t.Run(fmt.Sprintf("%s in %d", name, count), func(t *testing.T) { cutInto(t, cat, whole, count) })
		}
	}
}

func cutInto(t *testing.T, cat *Catalog, whole *Plan, count int) {
	asked, cost := map[[2]string]int{}, map[int]float64{}
	dearest := 0.0
	for i := range whole.Cells {
		e := cat.Estimate(&Plan{Cells: whole.Cells[i : i+1]})
		dearest = max(dearest, (e.Checks + e.Hosts).Seconds())
	}
	for n := 1; n <= count; n++ {
		part, err := cat.Cut(whole, Shard{Number: n, Count: count})
		if err != nil {
			t.Fatal(err)
		}
		if err := part.Verify(); err != nil {
			t.Error(err)
		}
		e := cat.Estimate(part)
		cost[n] = (e.Checks + e.Hosts).Seconds()
		for _, c := range part.Cells {
			for _, p := range c.Checks {
				if p.Asked() {
					asked[[2]string{c.ID, p.ID}]++
				}
				if p.AskedIn != "" && part.Cell(p.AskedIn) == nil {
					t.Errorf("shard %d leaves %s of %s to a cell that it lacks", n, p.ID, c.ID)
				}
				for _, other := range p.Others() {
					if part.Cell(other) == nil {
						t.Errorf("shard %d lacks %s, which %s of %s works on", n, other, p.ID, c.ID)
					}
				}
			}
		}
	}
	for _, c := range whole.Cells {
		for _, p := range c.Checks {
			if got := asked[[2]string{c.ID, p.ID}]; p.Asked() && got != 1 {
				t.Errorf("%s of %s is asked in %d shards", p.ID, c.ID, got)
			}
			delete(asked, [2]string{c.ID, p.ID})
		}
	}
	if len(asked) > 0 {
		t.Errorf("the shards ask what the plan does not: %v", asked)
	}
	for n := range cost {
		for other := range cost {
			if cost[n]-cost[other] > dearest {
				t.Errorf("shard %d costs %.0f s and shard %d %.0f s, though the dearest cell costs %.0f s", n, cost[n], other, cost[other], dearest)
			}
		}
	}
}
