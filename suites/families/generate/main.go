// Command generate writes what is derived from the registered checks: the planner's
// list (matrix/checks.json) and the table for people (docs/checks.md). With -costs it
// measures what the checks cost from runs: generate -costs RUN [RUN...].
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/suites/families"
)

func main() {
	measure := flag.Bool("costs", false, "take the costs of checks from the runs whose folders follow")
	root := flag.String("root", ".", "the checkout to write into")
	flag.Parse()
	if err := generate(*root, *measure, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(root string, measure bool, runs []string) error {
	if measure != (len(runs) > 0) {
		return errors.New("name the folders of runs after -costs, and none without it")
	}
	costs, err := families.Measured(runs...)
	if err != nil {
		return err
	}
	return families.Generate(root, costs)
}
