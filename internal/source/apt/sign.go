package apt

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// Signatures says of each index that an installation of a release reads who answers for
// it, by the archive's keyring or another one.
func (s *Source) Signatures(ctx context.Context, release, keyring string) (all []source.Signature, err error) {
	p, unlock, err := s.open(ctx, release)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if keyring == "" {
		keyring = s.opts.Keyring
	}
	lists := filepath.Join(p.dir, "state/lists")
	signed, err := filepath.Glob(filepath.Join(lists, "*_InRelease"))
	if err != nil {
		return nil, s.fail(source.Failed, "read signatures", release, "", err)
	}
	for _, file := range signed {
		sig := source.Signature{Index: filepath.Base(file), By: keyring}
		if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"gpgv", "--quiet", "--keyring", keyring, file}}); err != nil {
			sig.Problem = err.Error()
		}
		all = append(all, sig)
	}
	// Indexes whose signature is a file of its own, or missing.
	loose, err := filepath.Glob(filepath.Join(lists, "*_Release"))
	if err != nil {
		return nil, s.fail(source.Failed, "read signatures", release, "", err)
	}
	for _, file := range loose {
		sig := source.Signature{Index: filepath.Base(file), By: keyring}
		if c := p.release.Candidate; c != nil && file == p.listed(c.Index) {
			sig.By = "nobody: it is the candidate's, made here"
		} else if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"gpgv", "--quiet", "--keyring", keyring, file + ".gpg", file}}); err != nil {
			sig.Problem = err.Error()
		}
		all = append(all, sig)
	}
	if len(all) == 0 {
		return nil, s.fail(source.Failed, "read signatures", release, "", fmt.Errorf("there is no index in %s", lists))
	}
	return all, nil
}

// listed is the file in which apt keeps what a candidate's repository says of itself.
func (p *private) listed(index string) string {
	name := []byte(p.src.indexDir(index) + "/./Release")
	for i, c := range name {
		if c == '/' {
			name[i] = '_'
		}
	}
	return filepath.Join(p.dir, "state/lists", string(name))
}
