package apt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// private is an apt of one release's own: its own lists, cache and settings, and
// a system in which nothing is installed.
type private struct {
	src     *Source
	release source.Release
	dir     string
	// pulled are packages of the candidate's place that do not belong to it, and which it
	// cannot do without.
	pulled []string
	// preferred is the file of preferences for the question at hand; empty for the release's.
	preferred string
	index     cache.Index
}

// open locks the release's private apt and makes its indexes fresh enough.
func (s *Source) open(ctx context.Context, name string) (p *private, release func(), err error) {
	r, err := s.release(name)
	if err != nil {
		return nil, nil, err
	}
	p = &private{src: s, release: r, dir: s.releaseDir(name), index: cache.Index{Dir: s.releaseDir(name)}}
	if r.Candidate != nil {
		// What is below comes first: a candidate is judged by the same lists.
		_, release, err := s.open(ctx, matrix.Below(name))
		if err != nil {
			return nil, nil, err
		}
		release()
	}
	release, err = disk.Lock(ctx, filepath.Join(s.opts.Home, "apt", name+".lock"))
	if err != nil {
		return nil, nil, s.fail(source.Failed, "open the index", name, "", err)
	}
	if err := p.refresh(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return p, release, nil
}

// settings decide whether the index on disk is the right one.
func (p *private) settings() string { return p.sources() + p.config("") + p.preferences() }

// sources is the text of sources.list.
func (p *private) sources() string {
	kind, valid := cmp.Or(p.src.lists, "deb"), ""
	if !p.release.CheckValidUntil {
		valid = " check-valid-until=no"
	}
	var b strings.Builder
	for _, suite := range slices.Concat(p.release.Repositories, p.release.Parents) {
		trust, part := "signed-by="+p.src.opts.Keyring, " main"
		if p.src.opts.Unsigned {
			trust = "trusted=yes"
		}
		if strings.HasSuffix(suite.Name, "/") {
			part = "" // a folder has none
		}
		fmt.Fprintf(&b, "%s [arch=%s %s%s] %s %s%s\n", kind, arch, trust, valid, p.src.opts.Mirror, suite.Name, part)
	}
	return p.candidateSource() + b.String()
}

// config is the text of apt.conf. Every directory is named, so that nothing of
// the machine's own apt is read or written.
func (p *private) config(transport string) string {
	var b strings.Builder
	for _, kv := range [][2]string{
		{"Dir", p.dir + "/"},
		{"Dir::State", "state"}, {"Dir::State::status", p.dir + "/status"},
		{"Dir::Cache", "cache"}, {"Dir::Log", "log"},
		{"Dir::Etc", "etc"}, {"Dir::Etc::sourcelist", "sources.list"}, {"Dir::Etc::sourceparts", "empty"},
		{"Dir::Etc::main", "none"}, {"Dir::Etc::parts", "empty"},
		{"Dir::Etc::preferences", "none"}, {"Dir::Etc::preferencesparts", "empty"},
		{"Dir::Etc::trusted", "none"}, {"Dir::Etc::trustedparts", "empty"},
		{"APT::Architecture", arch}, {"APT::Architectures", arch},
		{"APT::Install-Recommends", "false"},
		// The cache may be below a folder that apt's own user cannot enter.
		{"APT::Sandbox::User", "root"},
		// Without it apt-get update ends with 0 when a mirror does not answer.
		{"APT::Update::Error-Mode", "any"},
		{"Acquire::Languages", "none"}, {"Acquire::Retries", "1"},
		{"Acquire::AllowInsecureRepositories", "false"},
		{"Acquire::ForceHash", "SHA256"},
	} {
		fmt.Fprintf(&b, "%s %q;\n", kv[0], kv[1])
	}
	if len(p.release.Parents) > 0 {
		fmt.Fprintf(&b, "APT::Default-Release %q;\n", p.release.Repositories[0].Name)
	}
	if p.release.Candidate != nil {
		fmt.Fprintf(&b, "Dir::Etc::preferences \"preferences\";\n")
	}
	return b.String() + transport
}

// refresh writes the settings and updates the indexes, unless those on disk
// are of the same sources and young enough.
func (p *private) refresh(ctx context.Context) error {
	if since, below := p.since(); below && p.index.Fresh(p.settings(), p.src.opts.MaxAge, since) {
		return nil
	}
	transport, err := transportSettings(ctx)
	if err != nil {
		return err
	}
	if err := p.write(transport); err != nil {
		return p.src.fail(source.Failed, "write the settings", p.release.Name, "", err)
	}
	update := []string{"apt-get", "update", "-q"}
	if p.release.Candidate != nil {
		if err := p.shareLists(ctx); err != nil {
			return err
		}
		update = append(update, "-o", "Dir::Etc::sourcelist=candidate.list", "-o", "APT::Get::List-Cleanup=false")
	}
	if _, err := p.run(ctx, update...); err != nil {
		kind, cure := explainUpdate(err)
		return p.src.fail(kind, "update the index", p.release.Name, cure, err)
	}
	if err := p.index.Done(p.settings()); err != nil {
		return p.src.fail(source.Failed, "stamp the index", p.release.Name, "", err)
	}
	return nil
}

// since is how old the index may be at most, unless it is zero. That of a candidate's release
// is no older than the one below.
func (p *private) since() (time.Time, bool) {
	since := p.src.since
	if p.release.Candidate == nil {
		return since, true
	}
	below, made := cache.Index{Dir: p.src.releaseDir(matrix.Below(p.release.Name))}.Made()
	if below.After(since) {
		since = below
	}
	return since, made
}

func (p *private) write(transport string) error {
	// Temporary files that a kill left go with the old index.
	if err := errors.Join(p.index.Begin(), os.RemoveAll(p.temporary())); err != nil {
		return err
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/empty", "log", "tmp"} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"apt.conf": p.config(transport), "status": "", "etc/sources.list": p.sources(),
		"etc/candidate.list": p.candidateSource(), "etc/preferences": p.preferences(),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// temporary is where apt's programs put what they need for a moment.
func (p *private) temporary() string { return filepath.Join(p.dir, "tmp") }

// run runs one of apt's programs on the private directories.
func (p *private) run(ctx context.Context, argv ...string) (string, error) {
	out, _, err := tool.Run(ctx, tool.Command{Argv: argv, Env: p.env()})
	return string(out), err
}

// env makes apt's programs use the private directories.
func (p *private) env() []string {
	return []string{"APT_CONFIG=" + filepath.Join(p.dir, "apt.conf"), "TMPDIR=" + p.temporary()}
}

// explainUpdate tells what kind of trouble `apt-get update` had. apt says it
// only in words; they are those of apt 2.2 to 2.9, untranslated. The order
// matters: a bad signature is also reported as a failed fetch.
func explainUpdate(err error) (source.Kind, string) {
	text := err.Error()
	for _, k := range []struct {
		kind  source.Kind
		words []string
		cure  string
	}{
		{source.BadSignature, []string{"NO_PUBKEY", "BADSIG", "EXPKEYSIG", "REVKEYSIG", "GPG error", "OpenPGP", "is not signed", "NODATA", "NOSPLIT"},
			"the metadata is not what the archive's keyring signed: try another mirror (" + MirrorEnv + "), or update the package debian-archive-keyring"},
		{source.Expired, []string{"is expired", "is not valid yet", "no longer valid"},
			"the mirror lags or the machine's clock is wrong: try another mirror (" + MirrorEnv + "), or declare check_valid_until: false for the release"},
		{source.BadDigest, []string{"Hash Sum mismatch", "unexpected size"},
			"the mirror is being updated or is broken: try later or another mirror (" + MirrorEnv + ")"},
		{source.NotServed, []string{"404", "does not have a Release file", "no longer has a Release file", "File not found", "Failed to stat"},
			"check the release's suites, or try another mirror (" + MirrorEnv + ")"},
		{source.Unreachable, []string{"Could not connect", "Connection failed", "Could not resolve", "Temporary failure resolving", "Unable to connect", "Connection timed out", "Connection refused", "Failed to fetch", "Some index files failed"},
			"check the network, or name another mirror with " + MirrorEnv},
	} {
		for _, w := range k.words {
			if strings.Contains(text, w) {
				return k.kind, k.cure
			}
		}
	}
	return source.Failed, ""
}
