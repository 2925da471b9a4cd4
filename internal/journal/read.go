package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
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

// Damage lists the lines of a journal that could not be read as a record.
type Damage []DamagedLine

// DamagedLine is one line that is no record.
type DamagedLine struct {
	// File is the name of the file within the run directory.
	File string `json:"file"`
	// Line counts from 1.
	Line int `json:"line"`
	// Torn is set when the line is the beginning of a record: its process was
	// killed while writing, so the answer was never given. Other damage means
	// that an answer may have been lost.
	Torn bool `json:"torn"`
	// Problem says what is wrong with the line.
	Problem string `json:"problem"`
}

// String returns "FILE:LINE: PROBLEM".
func (d DamagedLine) String() string {
	return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Problem)
}

// Read returns the records of every journal-*.ndjson of a run directory and
// the lines that are none. The order is stable: the lines of a file keep their
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

func readFile(dir, name string) (records []Record, damage Damage, err error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for number := 1; ; number++ {
		line, tooLong, err := readLine(r)
		if err != nil && err != io.EOF {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		bad := DamagedLine{File: name, Line: number}
		switch rec, torn, problem := parse(line); {
		case tooLong:
			bad.Problem = fmt.Sprintf("the line is longer than %d bytes", maxLine)
			damage = append(damage, bad)
		case problem != nil:
			bad.Torn, bad.Problem = torn, problem.Error()
			damage = append(damage, bad)
		case rec != nil:
			records = append(records, *rec)
		}
		if err == io.EOF {
			return records, damage, nil
		}
	}
}

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

// parse reads one line. An empty line is neither a record nor a problem.
func parse(line []byte) (rec *Record, torn bool, problem error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, false, nil
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	rec = new(Record)
	err := dec.Decode(rec)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, true, errors.New("the line ends in the middle of a record; its process was killed while writing it")
	case err != nil:
		return nil, false, fmt.Errorf("the line is no record: %w", err)
	case dec.InputOffset() != int64(len(line)):
		return nil, false, errors.New("the line is no record: it goes on after the record ends")
	}
	if err := rec.answers(); err != nil {
		return nil, false, err
	}
	return rec, false, nil
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
