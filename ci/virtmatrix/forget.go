package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
)

// never is older than any verdict.
const never = time.Duration(math.MaxInt64)

// age is how old a verdict may be.
func (v *gcVerb) age() (time.Duration, error) {
	if v.Verdicts == "" {
		return never, nil
	}
	age, err := length(v.Verdicts)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("cannot remove verdicts older than %q: give a length of time, such as 30d, 12h or 0", v.Verdicts)
	}
	return age, nil
}

// length reads a length of time, which may also be one in whole days: "30d".
func length(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 64)
	if err == nil && n > uint64(never/day) {
		err = strconv.ErrRange
	}
	return time.Duration(n) * day, err
}

// verdicts removes the kept verdicts that are older, and what a kill left of some.
func (g *collector) verdicts(age time.Duration) error {
	all, err := verdict.In(run.Kept(g.Home)).List()
	if err != nil {
		return err
	}
	var gone, bytes int64
	for _, k := range all {
		if !k.Torn && time.Since(k.Time) < age {
			continue
		}
		gone++
		bytes += k.Bytes
		if !g.dry {
			if err := os.Remove(k.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot remove verdict: %w", err)
			}
		}
	}
	if gone == 0 {
		return nil
	}
	return g.remove(number(gone, "kept verdict"), bytes, func() error { return nil })
}
