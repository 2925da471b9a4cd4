package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	// ImportPath is what a build is about.
	ImportPath string
	Elapsed    float64
}

// watcher turns events into a line for each package, and into everything that
// a failed test printed.
type watcher struct {
	w   io.Writer
	sum count
	// all says that a test which is skipped has failed.
	all bool
	// said is what tests that are not over printed, by package and test.
	said map[[2]string][]string
	// failed are the packages in which a test failed.
	failed map[string]bool
}

// excused are the words of tests that are skipped for no lack of this machine:
// they need a real machine and -short is given, another test runs them, or nobody
// asked for them.
var excused = regexp.MustCompile(`-short|runs this|names no images|has no KVM`)

// watch counts the tests in a stream of events.
func watch(r io.Reader, w io.Writer, all bool) count {
	t := &watcher{w: w, all: all, said: map[[2]string][]string{}, failed: map[string]bool{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			t.take(e)
		} else if strings.TrimSpace(line) != "" {
			fmt.Fprint(w, line)
		}
		if err != nil {
			return t.sum
		}
	}
}

func (t *watcher) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.w, e.Output)
	case "output":
		t.said[key] = append(t.said[key], e.Output)
	case "pass", "skip", "fail":
		if e.Test != "" {
			t.test(key, e)
		} else {
			t.pkg(key, e)
		}
		delete(t.said, key)
	}
}

func (t *watcher) test(key [2]string, e event) {
	skipped := e.Action == "skip" && t.all && !excused.MatchString(strings.Join(t.said[key], ""))
	switch {
	case e.Action == "pass":
		t.sum.passed++
	case e.Action == "fail", skipped:
		t.sum.failed++
		t.failed[e.Package] = true
		t.tell(key)
	}
}

// pkg ends a package. One that failed without a failed test did not build, or
// died.
func (t *watcher) pkg(key [2]string, e event) {
	if e.Action == "fail" && !t.failed[e.Package] {
		t.sum.failed++
		t.tell(key)
		for other := range t.said {
			if other[0] == e.Package && other != key {
				t.tell(other)
			}
		}
	}
	if e.Action != "skip" {
		fmt.Fprintf(t.w, "%-4s %s %.1fs\n", map[string]string{"pass": "ok", "fail": "FAIL"}[e.Action], e.Package, e.Elapsed)
	}
}

func (t *watcher) tell(key [2]string) {
	for _, line := range t.said[key] {
		fmt.Fprint(t.w, line)
	}
}
