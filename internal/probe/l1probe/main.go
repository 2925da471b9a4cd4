// Command l1probe asks L1's kernel what no shell can: see package probe.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/internal/probe"
)

func main() {
	answer, err := ask(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "l1probe:", err)
		os.Exit(1)
	}
}

// ask answers a question. What the kernel refuses is in the answer; an error
// is about the question.
func ask(args []string) (any, error) {
	switch {
	case len(args) == 1 && args[0] == probe.AskKVM:
		return askKVM(), nil
	case len(args) == 2 && args[0] == probe.AskDeviceFilter:
		return askDeviceFilter(args[1]), nil
	case len(args) == 4 && args[0] == probe.AskPacket:
		return askPacket(args[1], args[2], args[3]), nil
	case len(args) == 1 && args[0] == probe.AskCapabilities:
		return askCapabilities(), nil
	case len(args) == 2 && args[0] == probe.AskVhost:
		return askVhost(args[1]), nil
	case len(args) == 1 && args[0] == probe.AskFault:
		return askFault(), nil
	}
	return nil, fmt.Errorf("cannot understand the question %q", args)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
