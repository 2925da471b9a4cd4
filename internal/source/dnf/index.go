package dnf

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed helper.py
var helper string

// private is a dnf of one release's own: its own configuration, cache and variables,
// and a system in which nothing is installed.
type private struct {
	src     *Source
	release source.Release
	index   cache.Index
}

// declared are the repositories that the catalogue names.
func declared(r source.Release) []matrix.Repository { return slices.Concat(r.Repositories, r.Parents) }

// repositories are those of a release: its candidate's, its own, and its parents'.
func (s *Source) repositories(r source.Release) []matrix.Repository {
	return append(s.offered(r.Candidate), declared(r)...)
}

func (p *private) path(name ...string) string {
	return filepath.Join(append([]string{p.index.Dir}, name...)...)
}

// open locks the release's private dnf and makes its indexes fresh enough. dnf's own
// locks hold process IDs, which mean nothing to a dnf in another PID namespace.
func (s *Source) open(ctx context.Context, name string) (p *private, unlock func(), err error) {
	r, err := s.release(name)
	if err != nil {
		return nil, nil, err
	}
	p = &private{src: s, release: r, index: cache.Index{Dir: filepath.Join(s.opts.Home, "dnf", name)}}
	unlock, err = disk.Lock(ctx, p.index.Dir+".lock")
	if err != nil {
		return nil, nil, s.fail(source.Failed, "open the index", name, "", err)
	}
	if err := p.refresh(ctx); err != nil {
		unlock()
		return nil, nil, err
	}
	return p, unlock, nil
}

// settings is the text of dnf's configuration.
func (p *private) settings() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[main]\nreposdir=%[1]s/none\nvarsdir=%[1]s/none\npluginpath=%[1]s/none\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\ninstallroot=%[1]s/root\n", p.index.Dir)
	// Retries and time limits are for mirrors that answer badly; the lists at hand are
	// renewed by us.
	b.WriteString("plugins=0\ninstall_weak_deps=0\nbest=1\ngpgcheck=1\nassumeyes=1\nprotected_packages=\nmetadata_expire=-1\nskip_if_unavailable=0\nretries=2\ntimeout=20\nexclude=*.i?86\n")
	for _, r := range p.src.repositories(p.release) {
		fmt.Fprintf(&b, "[%s]\nname=%[1]s\n", r.Name)
		for _, kv := range [][2]string{
			{"baseurl", r.URL}, {"mirrorlist", r.Mirrors}, {"excludepkgs", strings.Join(r.Exclude, ",")},
		} {
			if kv[1] != "" {
				fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
			}
		}
		if r.Keyring != "" {
			fmt.Fprintf(&b, "gpgkey=file://%s\n", r.Keyring)
		}
		fmt.Fprintf(&b, "repo_gpgcheck=%d\npriority=%d\nmodule_hotfixes=%d\n", number(r.Trust.Metadata()), max(r.Priority, 0), number(r.OverModules))
	}
	return strings.ReplaceAll(b.String(), "priority=0\n", "priority=99\n")
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keyed are the settings together with what else decides the index on disk.
func (p *private) keyed() (string, error) {
	text := p.settings() + fmt.Sprintf("%q %q\n", p.variables(), p.release.Modules)
	for _, r := range p.src.repositories(p.release) {
		if r.Keyring == "" {
			continue
		}
		sum, _, err := disk.Digest(r.Keyring)
		if err != nil {
			return "", fmt.Errorf("cannot read keyring of repository %s: %w", r.Name, err)
		}
		text += r.Name + " " + sum + "\n"
	}
	return text, nil
}

func (p *private) variables() map[string]string {
	v := map[string]string{"arch": arch, "basearch": arch, "releasever": ""}
	for name, value := range p.release.Variables {
		v[name] = value
	}
	return v
}

// refresh writes the settings and gets the indexes, unless those on disk are of the
// same settings and young enough. dnf itself would take an old index for a new one
// that came within the same second.
func (p *private) refresh(ctx context.Context) error {
	const op = "update the index"
	keyed, err := p.keyed()
	if err != nil {
		return p.src.fail(source.Failed, op, p.release.Name, "name the file of the repository's keys in releases.yaml", err)
	}
	if p.index.Fresh(keyed, p.src.opts.MaxAge, p.src.since) {
		return nil
	}
	if err := p.write(); err != nil {
		return p.src.fail(source.Failed, "write the settings", p.release.Name, "", err)
	}
	if p.release.Candidate != nil {
		if err := p.shareIndexes(ctx); err != nil {
			return err
		}
	}
	if _, err := p.ask(ctx, op, "load"); err != nil {
		return err
	}
	if err := p.index.Done(keyed); err != nil {
		return p.src.fail(source.Failed, "stamp the index", p.release.Name, "", err)
	}
	return nil
}

func (p *private) write() error {
	if err := p.index.Begin(); err != nil {
		return err
	}
	for _, name := range []string{"cache", "persist", "log", "tmp", "keys"} {
		if err := errors.Join(os.RemoveAll(p.path(name)), os.MkdirAll(p.path(name), 0o755)); err != nil {
			return err
		}
	}
	return errors.Join(home(p.path("home"), p.path("keys", "none")), os.WriteFile(p.path("dnf.conf"), []byte(p.settings()), 0o644))
}

// found is a package as the helper describes it.
type found struct {
	Name, Version, Arch, Repository, Address, SHA256, Source string
	Size                                                     int64
}

// answer is what the helper says. Trouble is empty unless it could not answer.
type answer struct {
	Trouble, Name, Text string
	Packages            []found
	Indexes             map[string]struct{ Revision, SHA256 string }
	Names               []string
	Records             []struct {
		Package, Version, Source      string
		Provides, Requires, Conflicts []string
	}
	Enabled []enabled
}

// question is what the helper is asked, of which release, and with which settings.
type question struct {
	Ask       string            `json:"ask"`
	Names     []string          `json:"names"`
	Oldest    []string          `json:"oldest"`
	Modules   []string          `json:"modules"`
	Config    string            `json:"config"`
	Candidate string            `json:"candidate"`
	Variables map[string]string `json:"variables"`
}

// ask puts a question about names to the helper.
func (p *private) ask(ctx context.Context, op, what string, names ...string) (*answer, error) {
	return p.put(ctx, op, question{Ask: what, Names: names})
}

// put puts a question to the helper.
func (p *private) put(ctx context.Context, op string, q question) (*answer, error) {
	q.Names, q.Oldest, q.Modules = list(q.Names), list(q.Oldest), list(p.release.Modules)
	q.Config, q.Candidate, q.Variables = p.path("dnf.conf"), p.candidate(), p.variables()
	request, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	out, _, err := tool.Run(ctx, tool.Command{
		Argv: []string{python, "-I", "-c", helper}, Stdin: bytes.NewReader(request),
		Env: []string{"HOME=" + p.path("home"), "TMPDIR=" + p.path("tmp")},
	})
	if err != nil {
		return nil, p.src.fail(source.Failed, op, p.release.Name, "", err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, p.src.fail(source.Failed, op, p.release.Name, "", fmt.Errorf("cannot read the answer of dnf's library: %w", err))
	}
	if a.Trouble != "" {
		return nil, p.explain(ctx, op, &a)
	}
	return &a, nil
}

func list(words []string) []string { return append([]string{}, words...) }
