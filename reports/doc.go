// Package reports turns what a run answered into what a maintainer decides on:
// Judge holds the journal against the frozen plan and gives each planned check
// of each cell one verdict, Gate holds the verdicts against a policy, and the
// renderers show both. Explain tells everything known about one result.
//
// Between Judge and Gate, Apply holds the failures against known issues and waivers, which
// alone changes a verdict (FAIL to KNOWN, PASS to FIXED), Find gathers failures of one cause
// and says where it seems to be, and Rebased holds the candidates of a change against their
// baselines, as Compare does with two runs.
//
// Whatever a guest printed is hostile. Judge limits its size, every renderer
// escapes it and makes control characters visible, and the only paths that a
// journal may name lie inside the run.
package reports
