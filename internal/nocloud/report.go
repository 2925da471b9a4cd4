package nocloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Report is what a machine said of itself, by fact. All of it is its own word.
type Report struct {
	facts map[string]string
	// Begun says that the seed was applied, Whole that nothing of the report is missing.
	Begun, Whole bool
}

// mostFact is the longest fact that is read: a line of a hostile machine has no end.
const mostFact = 256 << 10

var factLine = regexp.MustCompile(`^@(\S+) ([a-z-]+) ([0-9a-f]{16}) ([A-Za-z0-9+/=]*)$`)

// Read finds the report with a nonce in what a serial port printed. A line that something
// else wrote into has a wrong checksum, and counts where it is said again.
func Read(serial []byte, nonce string) Report {
	r := Report{facts: map[string]string{}}
	ended := false
	for line := range bytes.Lines(serial) {
		if len(line) > mostFact {
			continue
		}
		m := factLine.FindSubmatch(bytes.TrimRight(line, "\r\n"))
		if m == nil || string(m[1]) != nonce {
			continue
		}
		if sum := sha256.Sum256(m[4]); hex.EncodeToString(sum[:8]) != string(m[3]) {
			continue
		}
		switch name := string(m[2]); name {
		case "begin":
			r.Begun = true
		case "end":
			ended = true
		default:
			if text, err := base64.StdEncoding.DecodeString(string(m[4])); err == nil {
				r.facts[name] = strings.TrimRight(string(text), "\n")
			}
		}
	}
	r.Whole = ended && len(r.Lacks()) == 0
	return r
}

// Lacks are the facts that the report does not have.
func (r Report) Lacks() (names []string) {
	for _, f := range facts {
		if _, ok := r.facts[f.name]; !ok {
			names = append(names, f.name)
		}
	}
	return names
}

// Fact is one of them.
func (r Report) Fact(name string) string { return r.facts[name] }

// Lines are the lines of a fact, without empty ones.
func (r Report) Lines(name string) []string {
	return slices.DeleteFunc(strings.Split(r.facts[name], "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
}

// Result is result.json of cloud-init.
type Result struct {
	V1 struct {
		Datasource string   `json:"datasource"`
		Errors     []string `json:"errors"`
	} `json:"v1"`
}

// Result is what cloud-init says of its run.
func (r Report) Result() (res Result, err error) {
	if err := json.Unmarshal([]byte(r.facts["result"]), &res); err != nil {
		return res, fmt.Errorf("cannot read result.json of the machine: %w", err)
	}
	return res, nil
}

// Finished finds the last line by which cloud-init says that it is through with a boot: with
// which version, and which data source. The text is the same since 20.4.
func Finished(serial []byte) (version, source string, ok bool) {
	all := finished.FindAllSubmatch(serial, -1)
	if len(all) == 0 {
		return "", "", false
	}
	last := all[len(all)-1]
	return string(last[1]), string(last[2]), true
}

var finished = regexp.MustCompile(`Cloud-init v\. (\S+) finished at [^\n]{1,80}\. Datasource (DataSource\w+)`)
