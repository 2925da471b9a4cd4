package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// machineMirror returns the address of the Debian archive in the machine's own
// apt sources, which apt itself reads for us in whatever format they are.
func machineMirror(ctx context.Context, releases []source.Release, cache string) (string, error) {
	argv := []string{"apt-get", "indextargets", "--format", "$(REPO_URI)\t$(RELEASE)\t$(ORIGIN)\t$(LABEL)"}
	kept, unlock, err := keepRead(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	out, _, err := tool.Run(ctx, tool.Command{Argv: slices.Concat(argv, kept, []string{"Created-By: Packages"})})
	if err != nil {
		return "", fmt.Errorf("cannot read the machine's apt sources: %w", err)
	}
	if mirror := pickMirror(string(out), releases); mirror != "" {
		return mirror, nil
	}
	return "", fmt.Errorf("cannot find a Debian archive in the machine's apt sources; set %s to the address of a Debian mirror", MirrorEnv)
}

// keepRead returns the options with which apt keeps what it reads of all lists
// in a folder. Many machines, and all containers, are set up to keep nothing of
// it, and then apt takes most of a second for the simplest question. A user who
// may not write there waits that long.
func keepRead(ctx context.Context, dir string) (options []string, unlock func(), err error) {
	if os.MkdirAll(dir, 0o755) != nil {
		return nil, func() {}, nil
	}
	unlock, err = disk.Lock(ctx, filepath.Join(dir, "lock"))
	if errors.Is(err, os.ErrPermission) {
		return nil, func() {}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the machine's apt sources: %w", err)
	}
	// What a killed apt has not finished; the lock says nobody is at it.
	partial, err := filepath.Glob(filepath.Join(dir, keptFile+".*"))
	for _, path := range partial {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		unlock()
		return nil, nil, fmt.Errorf("cannot read the machine's apt sources: %w", err)
	}
	return []string{"-o", "Dir::Cache=" + dir, "-o", "Dir::Cache::pkgcache=" + keptFile, "-o", "Dir::Cache::srcpkgcache="}, unlock, nil
}

// keptFile is what apt makes of all lists, for itself.
const keptFile = "pkgcache.bin"

// pickMirror chooses from lines of "URI, suite, origin, label" parted by tabs.
// Origin and label are empty while the machine never fetched the index: then
// the name of the suite has to do.
func pickMirror(targets string, releases []source.Release) string {
	var suites []string
	for _, r := range releases {
		for _, repository := range r.Repositories {
			suites = append(suites, repository.Name)
		}
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
