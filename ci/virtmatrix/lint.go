package main

import "fmt"

type lintVerb struct{ ruling }

// Help is what virtmatrix lint --help says beyond the flags.
func (*lintVerb) Help() string {
	return `Reads policy, known issues and waivers as virtmatrix gate does, and tells what has expired. Exit code 0: nothing to do. 1: a rule has expired, or expires more than a year ahead. 2: a file cannot be used, with file and line of all that is wrong; then nothing would be judged.

Examples:
  virtmatrix lint
  virtmatrix lint -known ci/known-issues.yaml -waivers ci/waivers.yaml -policy gate.yaml
  virtmatrix lint -at 2027-06-01T00:00:00Z   # what expires by then?`
}

// Run reads the files and tells what is wrong with them.
func (v *lintVerb) Run(a *app) error {
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	dated := j.rules.Dated(j.at)
	for _, problem := range dated {
		fmt.Fprintln(a.stdout, problem)
	}
	fmt.Fprintf(a.stdout, "%s, %s\n", number(len(j.rules.Issues), "known issue"), number(len(j.rules.Waivers), "waiver"))
	if len(dated) > 0 {
		return exit(1)
	}
	return nil
}
