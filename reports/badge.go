package reports

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// The badge's measures, in pixels: of a letter of its font, on the average, and beside a text.
const (
	letterWidth = 7
	badgeMargin = 12
)

// badgeColours are of the decisions, readable with white letters (contrast above 4.5).
var badgeColours = map[Code]string{Ship: "#1a7f37", Hold: "#cf222e", NoAnswer: "#6e5a00"}

// renderBadge draws the decision, for a page of somebody else's.
func renderBadge(w io.Writer, m *Matrix) error {
	left, right, colour := "virtmatrix "+oneline(m.Run.Profile, 40), "not gated", badgeColours[NoAnswer]
	if d := m.Decision; d != nil {
		totals := count(m.Results)
		right, colour = d.Code.String(), badgeColours[d.Code]
		for _, v := range []matrix.Verdict{matrix.Pass, matrix.Fail, matrix.Known} {
			if n := totals[v]; n > 0 {
				right += fmt.Sprintf(" · %d %s", n, v)
			}
		}
	}
	width := func(text string) int { return letterWidth*len([]rune(text)) + badgeMargin }
	var name, said strings.Builder
	if err := errors.Join(xml.EscapeText(&name, []byte(left)), xml.EscapeText(&said, []byte(right))); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="20" role="img" aria-label="%[4]s: %[5]s">
<title>%[4]s: %[5]s</title>
<rect width="%[1]d" height="20" rx="3" fill="#444"/>
<path d="M%[2]d 0h%[3]dv20h-%[3]dz" fill="%[6]s"/>
<rect x="%[2]d" width="%[7]d" height="20" rx="3" fill="%[6]s"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="%[8]d" y="14" textLength="%[9]d">%[4]s</text>
<text x="%[10]d" y="14" textLength="%[11]d">%[5]s</text>
</g>
</svg>
`, width(left)+width(right), width(left), badgeMargin/2, name.String(), said.String(), colour, width(right),
		width(left)/2, width(left)-badgeMargin, width(left)+width(right)/2, width(right)-badgeMargin)
	return err
}
