// Command generate writes what is derived from the registered checks: the planner's
// list (matrix/checks.json) and the table for people (docs/checks.md).
package main

import (
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/suites/families"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := families.Generate(root); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
