package apt

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// machineMirror returns the address of the Debian archive in the machine's own
// apt sources, which apt itself reads for us in whatever format they are. apt
// reads all lists for it, and keeps what it read in the cache folder: many
// machines, and all containers, are set up to keep nothing of it.
func machineMirror(ctx context.Context, releases []source.Release, cache string) (string, error) {
	argv := []string{"apt-get", "indextargets", "--format", "$(REPO_URI)\t$(RELEASE)\t$(ORIGIN)\t$(LABEL)"}
	// Without the folder, as for a user who may only look, it takes a second.
	if err := os.MkdirAll(cache, 0o755); err == nil {
		argv = append(argv, "-o", "Dir::Cache="+cache, "-o", "Dir::Cache::pkgcache=pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=")
	}
	out, _, err := tool.Run(ctx, tool.Command{Argv: append(argv, "Created-By: Packages")})
	if err != nil {
		return "", fmt.Errorf("cannot read the machine's apt sources: %w", err)
	}
	if mirror := pickMirror(string(out), releases); mirror != "" {
		return mirror, nil
	}
	return "", fmt.Errorf("cannot find a Debian archive in the machine's apt sources; set %s to the address of a Debian mirror", MirrorEnv)
}

// pickMirror chooses from lines of "URI, suite, origin, label" parted by tabs.
// Origin and label are empty while the machine never fetched the index: then
// the name of the suite has to do.
func pickMirror(targets string, releases []source.Release) string {
	var suites []string
	for _, r := range releases {
		suites = append(suites, r.Suites...)
	}
	var guess string
	for line := range strings.Lines(targets) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		uri, suite, origin, label := f[0], f[1], f[2], f[3]
		switch {
		case origin == "Debian" && label == "Debian":
			return trimSlash(uri)
		case origin == "" && guess == "" && slices.Contains(suites, suite):
			guess = trimSlash(uri)
		}
	}
	return guess
}

func trimSlash(uri string) string { return strings.TrimRight(uri, "/") }

// transportSetting matches the settings that say how this machine reaches a
// mirror (proxies, certificates); everything else of its apt configuration
// would make results depend on the machine.
var transportSetting = regexp.MustCompile(`^Acquire::(http|https)::.*;$`)

func transportSettings(ctx context.Context) (string, error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"apt-config", "dump"}})
	if err != nil {
		return "", fmt.Errorf("cannot read the machine's apt configuration: %w", err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if transportSetting.MatchString(strings.TrimSpace(line)) {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}
