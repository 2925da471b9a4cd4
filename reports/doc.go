// Package reports turns what a run answered into what a maintainer decides on:
// Judge holds the journal against the frozen plan and gives each planned check
// of each cell one verdict, Gate holds the verdicts against a policy, and the
// renderers show both. Explain tells everything known about one result.
//
// Known-issue rules and baselines belong between Judge and Gate: they change
// the verdict of a Result (FAIL to KNOWN, PASS to FIXED) and call Count. All
// else here already knows those words.
//
// Whatever a guest printed is hostile. Judge limits its size, every renderer
// escapes it and makes control characters visible, and the only paths that a
// journal may name lie inside the run.
package reports
