package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/virtmatrix/virtmatrix/internal/journal"
)

// short writes a path from the working directory, when that is shorter.
func short(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || len(rel) >= len(path) || strings.HasPrefix(rel, "../..") {
		return path
	}
	return rel
}

// number counts things: "1 cell", "2 cells".
func number[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// spell writes a duration: "0.4s", "12s", "3m05s".
func spell(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}

// printable drops what would move the cursor: guests print into our logs.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// answered says whether the journal has an answer from this call.
func (s *suites) answered(began time.Time) (bool, error) {
	records, _, err := journal.Read(s.dir.Path())
	if err != nil {
		return false, err
	}
	for _, r := range records {
		if r.Cached == nil && !r.Started.Before(began) {
			return true, nil
		}
	}
	return false, nil
}
