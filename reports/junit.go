package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// The elements of a JUnit file that its readers agree on.
type (
	junitFile struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Class     string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitOutcome `xml:"failure"`
		Error     *junitOutcome `xml:"error"`
		Skipped   *junitOutcome `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitOutcome struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// renderJUnit renders for a CI server: one suite per cell, and one for the
// gate, so that an empty run is not green there either.
func renderJUnit(w io.Writer, m *Matrix) error {
	file := junitFile{Name: "virtmatrix " + oneline(m.Run.Profile, 80)}
	for i := range m.Cells {
		file.Suites = append(file.Suites, m.junitCell(&m.Cells[i]))
	}
	file.Suites = append(file.Suites, m.junitGate())
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(file); err != nil {
		return fmt.Errorf("cannot render matrix: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func (m *Matrix) junitCell(c *Cell) junitSuite {
	s := junitSuite{Name: oneline(c.ID, 200)}
	for _, choice := range c.Stack {
		s.Properties = append(s.Properties, junitProperty{string(choice.Component), oneline(choice.Version+" "+choice.Package, 200)})
	}
	s.Properties = append(s.Properties, junitProperty{"tier", oneline(string(c.Tier), 40)}, junitProperty{"plan", oneline(m.Run.Plan, 80)})
	var seconds float64
	var started time.Time
	for i := range m.Results {
		r := &m.Results[i]
		if r.Cell != c.ID {
			continue
		}
		if r.Record != nil {
			seconds += r.Record.Seconds
			if started.IsZero() || r.Record.Started.Before(started) {
				started = r.Record.Started
			}
		}
		s.add(junitResult(r, m.Rebase.of(r.Cell, r.Check)))
	}
	s.Time = fmt.Sprintf("%.3f", seconds)
	if !started.IsZero() {
		s.Timestamp = started.UTC().Format("2006-01-02T15:04:05")
	}
	return s
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func junitResult(r *Result, moved *Moved) junitCase {
	c := junitCase{Name: oneline(r.Check, 200), Class: oneline(r.Cell, 200), Time: "0.000"}
	reason := r.Reason
	if layer := r.Layer(); layer != "" {
		reason = string(layer) + ": " + reason
	}
	if moved != nil {
		reason = moved.String() + "\n" + reason
	}
	if r.Ruling != "" {
		reason = r.Ruling + "\n" + reason
	}
	out := &junitOutcome{Message: oneline(reason, 500), Type: string(r.Verdict), Text: visible(reason, storedText)}
	switch {
	case r.AskedIn != "": // it counts there
		c.Skipped = &junitOutcome{Message: r.shown()}
	case r.Waived || r.Quarantined:
		word := "waived"
		if r.Quarantined {
			word = "quarantined"
		}
		c.Skipped = &junitOutcome{Message: oneline(fmt.Sprintf("%s (%s): %s", r.Verdict, word, reason), 500)}
	case r.Verdict == matrix.Fail || r.Verdict == matrix.Fixed:
		c.Failure = out
	case r.Verdict == matrix.Infra || r.Verdict == matrix.Missing || r.Verdict == matrix.Blocked:
		c.Error = out
	case r.Verdict == matrix.Unsupported || r.Verdict == matrix.Known:
		c.Skipped = &junitOutcome{Message: oneline(string(r.Verdict)+": "+reason, 500)}
	}
	if r.Record != nil {
		c.Time = fmt.Sprintf("%.3f", r.Record.Seconds)
		c.SystemOut = junitOut(r)
	}
	return c
}

// junitOut holds what has no element of its own.
func junitOut(r *Result) string {
	var b strings.Builder
	e := explainer{&b}
	if r.Retried() {
		e.line("retried", "passed only at a second try")
	}
	e.line("answer", origin(r.Record.Cached))
	e.guest(r.Record)
	e.line("evidence", evidencePath(r.Record))
	e.line("repeat", oneline(r.Record.Repeat, 1000))
	return b.String()
}

func (m *Matrix) junitGate() junitSuite {
	s := junitSuite{Name: "gate", Time: fmt.Sprintf("%.3f", m.Run.WallSeconds)}
	c := junitCase{Name: "decision", Class: "gate", Time: "0.000"}
	switch d := m.Decision; {
	case d == nil:
		c.Error = &junitOutcome{Message: "the matrix was not gated", Type: "MISSING"}
	case d.Code == Ship:
		c.SystemOut = visible(strings.Join(d.Reasons, "\n"), storedText)
	default:
		out := &junitOutcome{Message: oneline(d.Code.String()+": "+d.Reasons[0], 500), Type: d.Code.String(), Text: visible(strings.Join(d.Reasons, "\n"), storedText)}
		if d.Code == Hold {
			c.Failure = out
		} else {
			c.Error = out
		}
	}
	s.add(c)
	return s
}
