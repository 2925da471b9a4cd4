package steps

import (
	"encoding/json"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/probe"
)

// ProbeProgram is the path in L1 of the program that makes system calls for checks.
const ProbeProgram = host.ToolsDir + "/" + probe.Program

// Probe puts a question to the probe in L1 and reads its answer.
func (t *T) Probe(answer any, args ...string) {
	command := ProbeProgram
	for _, a := range args {
		command += " " + host.Quote(a)
	}
	said := t.Sh(command)
	if err := json.Unmarshal([]byte(said), answer); err != nil {
		t.must(fault.Infraf("read the probe's answer", "%w: %q", err, said), "")
	}
}
