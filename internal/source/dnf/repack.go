package dnf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/candidate"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The parts of a package that a build needs, one query each: what a part has cannot be told
// from what ends it otherwise.
const (
	preambleFormat = "Name: %{NAME}\nVersion: %{VERSION}\nRelease: %{RELEASE}\n%|EPOCH?{Epoch: %{EPOCH}\n}|Summary: %{SUMMARY}\nLicense: %{LICENSE}\n" +
		"BuildArch: %{ARCH}\nAutoReqProv: no\n[Requires: %{REQUIRENEVRS}\n][Provides: %{PROVIDENEVRS}\n][Conflicts: %{CONFLICTNEVRS}\n][Obsoletes: %{OBSOLETENEVRS}\n]"
	filesFormat = "[%{FILEFLAGS} %{FILEMODES} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]"
)

// scripts are rpm's tags for scriptlets and their programs, by their names in a spec file.
var scripts = map[string][2]string{
	"pretrans": {"PRETRANS", "PRETRANSPROG"}, "pre": {"PREIN", "PREINPROG"}, "post": {"POSTIN", "POSTINPROG"},
	"preun": {"PREUN", "PREUNPROG"}, "postun": {"POSTUN", "POSTUNPROG"}, "posttrans": {"POSTTRANS", "POSTTRANSPROG"},
}

// noReplace is the flag of a file of configuration that stays as its user has it
// (RPMFILE_NOREPLACE).
const noReplace = 1 << 4

// repack makes a package again with other files in the place of its own, by rpmbuild: that
// knows best what is in a header.
func (s *Source) repack(ctx context.Context, p matrix.Package, files map[string]string, out string) error {
	if err := tool.Require([]tool.Tool{{Name: "rpmbuild", Package: "rpm"}, {Name: "rpm2archive", Package: "rpm"}}); err != nil {
		return err
	}
	dir, err := cache.Scratch(s.opts.Home, "repack")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, spec := filepath.Join(dir, "root"), filepath.Join(dir, "package.spec")
	const unpack = `mkdir "$2" && rpm2archive --nocompression - <"$1" | tar --extract --preserve-permissions --directory "$2"`
	if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"sh", "-ec", unpack, "sh", s.files.Path(p), root}}); err != nil {
		return err
	}
	text, err := s.spec(ctx, p, files)
	if err = errors.Join(err, candidate.Replace(root, files), home(dir, dir)); err != nil {
		return err
	}
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		return err
	}
	argv := []string{"rpmbuild", "-bb", "--quiet", "--noclean", "--target", arch, "--buildroot", root}
	for name, value := range map[string]string{
		"_topdir": dir, "_rpmdir": filepath.Join(dir, "out"), "_build_id_links": "none", "__os_install_post": "%{nil}",
		"_binary_payload": "w1.gzdio", "_unpackaged_files_terminate_build": "0", "_missing_doc_files_terminate_build": "0",
		"use_source_date_epoch_as_buildtime": "1", "clamp_mtime_to_source_date_epoch": "1", "_buildhost": "virtmatrix",
	} {
		argv = append(argv, "--define", name+" "+value)
	}
	if _, _, err := tool.Run(ctx, tool.Command{Argv: append(argv, spec), Env: []string{"HOME=" + dir, "TMPDIR=" + dir, candidate.BuildTime}}); err != nil {
		return err
	}
	built, err := filepath.Glob(filepath.Join(dir, "out", "*", "*.rpm"))
	if err != nil || len(built) != 1 {
		return errors.Join(err, fmt.Errorf("rpmbuild made %d packages", len(built)))
	}
	_, _, err = tool.Run(ctx, tool.Command{Argv: []string{"mv", built[0], out}})
	return err
}

// spec is what rpmbuild makes the package of.
func (s *Source) spec(ctx context.Context, p matrix.Package, files map[string]string) (string, error) {
	var b strings.Builder
	preamble, err := s.query(ctx, p, preambleFormat)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(preamble) {
		// rpm's own are of the file's format, and rpmbuild's.
		if _, value, _ := strings.Cut(line, ": "); !strings.HasPrefix(value, "rpmlib(") && !strings.HasPrefix(value, "(none)") {
			b.WriteString(strings.ReplaceAll(line, "%", "%%"))
		}
	}
	b.WriteString("%description\nvirtmatrix: a candidate's files in the release's package\n")
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		tags := scripts[name]
		text, err := s.query(ctx, p, "%{"+tags[0]+"}")
		if err != nil {
			return "", err
		}
		program, err := s.query(ctx, p, "%{"+tags[1]+"}")
		if err != nil {
			return "", err
		}
		if program == "(none)" {
			continue
		}
		if text == "(none)" {
			text = ""
		}
		fmt.Fprintf(&b, "%%%s -p %s\n%s\n", name, program, strings.ReplaceAll(text, "%", "%%"))
	}
	b.WriteString("%files\n")
	held, err := s.query(ctx, p, filesFormat)
	if err != nil {
		return "", err
	}
	own := map[string]bool{}
	for line := range strings.Lines(held) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
		if len(words) != 5 {
			continue // a package without files
		}
		own[words[4]] = true
		b.WriteString(fileLine(words))
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if !own[path] {
			fmt.Fprintf(&b, "%%attr(-, root, root) %q\n", path)
		}
	}
	return b.String(), nil
}

// fileLine is the line of a spec file for a file of "FLAGS MODE USER GROUP PATH".
func fileLine(words []string) string {
	flags, _ := strconv.ParseUint(words[0], 10, 32)
	mode, _ := strconv.ParseUint(words[1], 10, 32)
	var said string
	switch {
	case flags&ghostFile != 0:
		said = "%ghost "
	case flags&configFile != 0 && flags&noReplace != 0:
		said = "%config(noreplace) "
	case flags&configFile != 0:
		said = "%config "
	}
	permissions := fmt.Sprintf("%04o", mode&0o7777)
	switch mode & kindOfFile {
	case folderMode:
		said += "%dir "
	case linkMode:
		permissions = "-"
	}
	return fmt.Sprintf("%s%%attr(%s, %s, %s) %q\n", said, permissions, words[2], words[3], words[4])
}
