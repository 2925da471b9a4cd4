package dnf

import (
	"context"
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Chronicler = (*Source)(nil)

// Cached is a source of what is in the cache of a home alone.
func Cached(home string) *Source {
	s := &Source{opts: Options{Home: home}, files: packageFiles(home)}
	s.files.Fail = s.fail
	return s
}

// entryEnd ends each entry of a changelog, in which rpm writes none.
const entryEnd = "\x1e"

// entryVersion ends the first line of an entry by the habit of Fedora and EL, which often
// leave out the distribution: "Tue Mar 05 2019 A Name <a@name> - 10:2.12.0-18".
var entryVersion = regexp.MustCompile(`^[^\n]*\s\[?(?:\d+:)?(\d[\w.~^+-]*)\]?\s*\n`)

// Changelog returns the entries of a fetched package's changelog that are newer than a
// version, the newest first; none where it has none.
func (s *Source) Changelog(ctx context.Context, p matrix.Package, since string) ([]string, error) {
	there, err := s.files.Verify(p)
	if err != nil || !there {
		return nil, err
	}
	out, err := s.query(ctx, p, "[%{CHANGELOGTIME:day} %{CHANGELOGNAME}\n%{CHANGELOGTEXT}"+entryEnd+"]")
	if err != nil {
		return nil, err
	}
	return entries(out, since), nil
}

// entries cuts a changelog into its entries, down to the one of a version.
func entries(changelog, since string) (all []string) {
	if _, rest, ok := strings.Cut(since, ":"); ok {
		since = rest
	}
	for entry := range strings.SplitSeq(changelog, entryEnd) {
		if m := entryVersion.FindStringSubmatch(entry); m != nil && matrix.CompareRPM(m[1], since) <= 0 {
			break
		}
		if text := strings.TrimSpace(entry); text != "" && !strings.HasPrefix(text, "(none)") {
			all = append(all, text)
		}
	}
	return all
}
