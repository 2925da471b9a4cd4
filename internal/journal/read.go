package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxLine bounds one line in bytes; a longer one is damage, not a reason to
// fill the memory.
const maxLine = 64 << 20

// Damage lists the places at which a journal is not as it was written.
type Damage []DamagedLine

// DamagedLine is a place at which a journal is not as it was written.
type DamagedLine struct {
	// File is the name of the file within the run directory.
	File string `json:"file"`
	// Line counts from 1.
	Line int `json:"line"`
	// Torn is set where a process was killed: a line ends in the middle, or the
	// file lacks its end. What is not answered for that reason is MISSING. Other
	// damage means that the answers are not those that were given.
	Torn bool `json:"torn"`
	// Problem says what is wrong.
	Problem string `json:"problem"`
}

// String returns "FILE:LINE: PROBLEM".
func (d DamagedLine) String() string {
	return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Problem)
}

// Err is the first damage that makes the answers doubtful, if there is any.
func (d Damage) Err() error {
	for _, at := range d {
		if !at.Torn {
			return fmt.Errorf("%s; begin a new run", at)
		}
	}
	return nil
}

// Read returns the records of every journal-*.ndjson of a run directory and
// what of them is not as it was written. The order is stable: the lines of a file keep their
// order, and files are merged by the time at which their checks began. A run
// directory without a journal has no records; that is no error, because a run
// may be killed before its first answer.
func Read(dir string) ([]Record, Damage, error) {
	names, err := files(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read journal: %w", err)
	}
	var streams [][]Record
	var damage Damage
	for _, name := range names {
		records, bad, err := readFile(dir, name)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read journal: %w", err)
		}
		streams = append(streams, records)
		damage = append(damage, bad...)
	}
	return merge(streams), damage, nil
}

// files lists the journals of a run by process number, so that journal-10
// comes after journal-9.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if ok, _ := filepath.Match("journal-*.ndjson", e.Name()); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(process(a), process(b)), cmp.Compare(a, b))
	})
	return names, nil
}

func process(name string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "journal-"), ".ndjson"))
	if err != nil {
		return math.MaxInt
	}
	return n
}

func readFile(dir, name string) ([]Record, Damage, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	records, damage, last, err := scan(f, name)
	if last.number > 0 && !last.closed && !last.torn {
		damage = append(damage, DamagedLine{File: name, Line: last.number, Torn: true,
			Problem: "the file lacks its end: its process was killed or is at work, or lines were cut off"})
	}
	return records, damage, err
}

// end is where a file ends.
type end struct {
	chain
	// number counts the lines; torn is set when the last one ends in the middle.
	number int
	torn   bool
	// newline is set when the file is empty or ends with one.
	newline bool
}

// scan reads a whole file. Blank lines are neither records nor damage.
func scan(f io.Reader, name string) (records []Record, damage Damage, last end, err error) {
	last.newline = true
	r := bufio.NewReader(f)
	for number := 1; ; number++ {
		text, tooLong, err := readLine(r)
		if err != nil && err != io.EOF {
			return nil, nil, last, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if tooLong || len(text) > 0 {
			last.newline = err == nil
		}
		if tooLong || len(bytes.TrimSpace(text)) > 0 {
			last.number = number
			var rec *Record
			problem := errTooLong
			if !tooLong {
				rec, problem = last.read(text)
			}
			last.torn = errors.Is(problem, errTorn)
			if problem != nil {
				damage = append(damage, DamagedLine{File: name, Line: number, Torn: last.torn, Problem: problem.Error()})
			}
			if rec != nil {
				records = append(records, *rec)
			}
		}
		if err == io.EOF {
			return records, damage, last, nil
		}
	}
}

var errTooLong = fmt.Errorf("the line is longer than %d bytes", maxLine)

// readLine returns the next line without its end, and io.EOF with the last one.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte("\n")), tooLong, err
		}
	}
}

// merge joins the files by the start of their checks. Only the heads are
// compared, so a clock that was set back never reorders the lines of one file.
func merge(streams [][]Record) []Record {
	var merged []Record
	for {
		first := -1
		for i, s := range streams {
			if len(s) > 0 && (first < 0 || s[0].Started.Before(streams[first][0].Started)) {
				first = i
			}
		}
		if first < 0 {
			return merged
		}
		merged = append(merged, streams[first][0])
		streams[first] = streams[first][1:]
	}
}
