package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Trail is how a check was answered in a cell by run after run, the oldest first, whatever
// the packages were.
type Trail []Point

// Point is the answer of one run. A pass at the second try is none.
type Point struct {
	Run    string `json:"run"`
	Passed bool   `json:"passed"`
}

// drawn is how many answers are drawn.
const drawn = 30

// Draw draws the newest answers, with the failure that the trail leads to at the end.
func (t Trail) Draw() string {
	var b strings.Builder
	for _, p := range t[max(0, len(t)-drawn):] {
		if p.Passed {
			b.WriteString("✓")
		} else {
			b.WriteString("✗")
		}
	}
	return b.String() + "✗"
}

// Words say since when a failure is seen, and when the check last passed; empty where nobody
// asked before.
func (t Trail) Words() string {
	if len(t) == 0 {
		return ""
	}
	green := len(t) - 1
	for green >= 0 && !t[green].Passed {
		green--
	}
	switch reds := len(t) - 1 - green; {
	case green < 0:
		return fmt.Sprintf("failed in %s before as well, first in %s", number(reds, "run"), t[0].Run)
	case reds == 0:
		return fmt.Sprintf("new: last passed in %s", t[green].Run)
	default:
		return fmt.Sprintf("first seen in %s, last passed in %s", t[green+1].Run, t[green].Run)
	}
}

// String is both; empty where nobody asked before.
func (t Trail) String() string {
	if len(t) == 0 {
		return ""
	}
	return oneline(t.Draw()+"  "+t.Words(), shownText)
}

// trail is that of the answer of a problem which was asked most often.
func (p *problem) trail() Trail {
	return slices.MaxFunc(p.results, func(a, b *Result) int { return len(a.Trail) - len(b.Trail) }).Trail
}

// pagePoint is the answer of an earlier run.
type pagePoint struct {
	Verdict    matrix.Verdict
	Glyph, Run string
}

// pageTrail are the newest answers of a trail.
func pageTrail(t Trail) (points []pagePoint) {
	for _, p := range t[max(0, len(t)-drawn):] {
		point := pagePoint{matrix.Fail, glyphs[matrix.Fail], oneline(p.Run, 80)}
		if p.Passed {
			point.Verdict, point.Glyph = matrix.Pass, glyphs[matrix.Pass]
		}
		points = append(points, point)
	}
	return points
}
