package dnf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// explain tells what kind of trouble dnf had.
func (p *private) explain(ctx context.Context, op string, a *answer) error {
	kind, cure := source.Failed, ""
	switch a.Trouble {
	case "name":
		kind = source.NoSuchPackage
		cure = p.nearest(ctx, a.Name)
	case "module":
		kind, cure = source.NoSuchPackage, "check the release's modules"
	case "unsatisfiable":
		kind, cure = source.Unsatisfiable, "the packages cannot be installed together from this release alone; check the recipe's names and the release's repositories"
	case "repository":
		kind, cure = explainRepository(a.Text)
		if kind == source.BadSignature {
			cure += p.expired()
		}
	}
	return p.src.fail(kind, op, p.release.Name, cure, errors.New(a.Text))
}

// nearest is what to do about a name that is no package's.
func (p *private) nearest(ctx context.Context, name string) string {
	all, err := p.ask(ctx, "list packages", "names")
	if err != nil {
		return ""
	}
	if slices.Contains(all.Names, name) {
		return "a modular stream hides it: name the stream in the release's modules, or declare over_modules for the repository that has it"
	}
	if near := matrix.Nearest(name, all.Names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// explainRepository tells what kind of trouble there is with a repository. dnf has one
// exception for all, and says the rest only in words: those of librepo 1.14 and dnf
// 4.14. The order matters: each of them is also a failed download.
func explainRepository(text string) (source.Kind, string) {
	for _, k := range []struct {
		kind  source.Kind
		words []string
		cure  string
	}{
		{source.BadSignature, []string{"GPG", "gpgme"},
			"the index is not what a key of the repository's keyring signed: try another mirror, or see whether the repository signs its index at all (trust)"},
		{source.BadDigest, []string{"checksum doesn't match", "Checksum"},
			"the mirror is being updated or is broken: try later or another mirror"},
		{source.NotServed, []string{"Status code: 4", "Curl error (37)", "Curl error (78)"},
			"check the repository's url and the release's variables, or where its release is kept by now (an archive or vault)"},
		{source.Unreachable, []string{"Curl error (", "Status code: 5", "No URLs in mirrorlist"},
			"check the network, or name another mirror of the repository in releases.yaml"},
	} {
		if slices.ContainsFunc(k.words, func(w string) bool { return strings.Contains(text, w) }) {
			return k.kind, k.cure
		}
	}
	return source.Failed, ""
}

// expired says which keys of the release are past their date, which dnf does not.
func (p *private) expired() string {
	var said strings.Builder
	for _, r := range p.src.repositories(p.release) {
		keys, err := readKeyring(r.Keyring)
		if r.Keyring == "" || err != nil {
			continue
		}
		for _, k := range keys {
			if why := pastDate(k); why != "" {
				fmt.Fprintf(&said, "; %s: %s", r.Keyring, why)
			}
		}
	}
	return said.String()
}
