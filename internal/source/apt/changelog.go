package apt

import (
	"bytes"
	"context"
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var _ source.Chronicler = (*Source)(nil)

// entryHead begins an entry of a changelog (deb-changelog(5)): "qemu (1:7.2+dfsg-7) bookworm; urgency=medium".
var entryHead = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]* \(([^()\s]+)\) `)

// Changelog returns the entries of a fetched package's changelog that are newer than a
// version, the newest first; none where the package has no changelog of its own.
func (s *Source) Changelog(ctx context.Context, p matrix.Package, since string) ([]string, error) {
	there, err := s.files.Verify(p)
	if err != nil || !there {
		return nil, err
	}
	// Native packages have only the second one (policy 12.7).
	const script = `dpkg-deb --fsys-tarfile "$1" | { tar --extract --to-stdout --wildcards './usr/share/doc/*/changelog.Debian.gz' 2>/dev/null || true; } | gzip --decompress --stdout 2>/dev/null || true`
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"sh", "-c", script, "sh", s.files.Path(p)}})
	if err != nil {
		return nil, err
	}
	return entries(out, since), nil
}

// entries cuts a changelog into its entries, down to the one of a version.
func entries(changelog []byte, since string) (all []string) {
	var entry strings.Builder
	flush := func() {
		if text := strings.TrimSpace(entry.String()); text != "" {
			all = append(all, text)
		}
		entry.Reset()
	}
	for line := range bytes.Lines(changelog) {
		if m := entryHead.FindSubmatch(line); m != nil {
			flush()
			if matrix.Compare(string(m[1]), since) <= 0 {
				return all
			}
		}
		entry.Write(line)
	}
	flush()
	return all
}
