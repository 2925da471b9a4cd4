package dnf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/cache"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// readKeyring reads the armored keys of a file, of which there may be several blocks.
func readKeyring(file string) (keys openpgp.EntityList, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read keyring: %w", err)
	}
	defer f.Close()
	return readKeys(f, file)
}

// readKeys reads the keys of a file by that name.
func readKeys(f io.Reader, file string) (keys openpgp.EntityList, err error) {
	// armor goes on with a reader that is buffered already where a block ended.
	blocks := bufio.NewReader(f)
	for {
		block, err := armor.Decode(blocks)
		if errors.Is(err, io.EOF) && len(keys) > 0 {
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read keyring %s: %w", file, err)
		}
		more, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return nil, fmt.Errorf("cannot read keyring %s: %w", file, err)
		}
		keys = append(keys, more...)
	}
}

func fingerprint(k *openpgp.Entity) string { return fmt.Sprintf("%X", k.PrimaryKey.Fingerprint) }

// pastDate says that a key has expired; empty when it has not.
func pastDate(k *openpgp.Entity) string {
	self, _ := k.PrimarySelfSignature()
	if self == nil || self.KeyLifetimeSecs == nil || !k.PrimaryKey.KeyExpired(self, time.Now()) {
		return ""
	}
	end := k.PrimaryKey.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
	return fmt.Sprintf("key %s expired on %s", fingerprint(k), end.UTC().Format(time.DateOnly))
}

// verifySignatures refuses packages that are not as their repositories promise.
// rpmkeys finds wrong keys, missing signatures and altered files; not that a key has
// expired, which is of no interest to rpm.
func (p *private) verifySignatures(ctx context.Context, packages []matrix.Package, file func(matrix.Package) string) error {
	const op = "verify packages"
	for _, pkg := range packages {
		if !slices.ContainsFunc(p.src.repositories(p.release), func(r matrix.Repository) bool { return r.Name == pkg.Repository }) {
			return p.src.fail(source.Failed, op, p.release.Name, "plan again", fmt.Errorf("the release has no repository %q any more, which package %s came from", pkg.Repository, pkg.Name))
		}
		keyring := keyringOf(p.release, pkg.Repository)
		if err := p.verify(ctx, keyring, file(pkg)); err != nil {
			return p.src.fail(source.BadSignature, op, p.release.Name,
				"the package is not what the repository's keyring vouches for: try another mirror, or see what the repository signs (trust)",
				fmt.Errorf("package %s %s of repository %s: %w", pkg.Name, pkg.Version, pkg.Repository, err))
		}
		if err := p.src.note(pkg, keyring); err != nil {
			return p.src.fail(source.Failed, op, p.release.Name, "", err)
		}
	}
	return nil
}

// keyringOf is what packages of a repository must be signed by, empty for nothing.
func keyringOf(r source.Release, name string) string {
	for _, repository := range declared(r) {
		if repository.Name == name && repository.Trust.Packages() {
			return repository.Keyring
		}
	}
	return ""
}

// mark is the file that says whose signature a package was seen to have.
func (s *Source) mark(p matrix.Package) string {
	return filepath.Join(cache.Folder(s.opts.Home), "signed", p.SHA256)
}

// seen says whether the package was verified by the keys that are in the keyring now.
func (s *Source) seen(p matrix.Package, keyring string) bool {
	sum, _, err := disk.Digest(keyring)
	if err != nil {
		return false
	}
	text, err := os.ReadFile(s.mark(p))
	return err == nil && string(text) == sum
}

func (s *Source) note(p matrix.Package, keyring string) error {
	if keyring == "" {
		return nil
	}
	sum, _, err := disk.Digest(keyring)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.mark(p)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.mark(p), []byte(sum), 0o644)
}

// verify verifies a package file: its digests alone where there is no keyring.
func (p *private) verify(ctx context.Context, keyring, file string) error {
	argv := []string{"rpmkeys", "--checksig", "--verbose", "--nosignature", file}
	if keyring != "" {
		database, err := p.keys(ctx, keyring)
		if err != nil {
			return err
		}
		// Of an unsigned package it says otherwise that all is well.
		argv = []string{"rpmkeys", "--dbpath", database, "--define", "_pkgverify_level all", "--checksig", "--verbose", file}
	}
	out, err := p.rpm(ctx, argv...)
	if err != nil {
		said := strings.Join(strings.Fields(strings.ReplaceAll(out, file, "")), " ")
		if !strings.Contains(out, "Signature") {
			said = "it is not signed, or no package at all: " + said
		}
		return errors.New(said)
	}
	if keyring == "" || !p.release.CheckValidUntil {
		return nil
	}
	return p.signerIsValid(ctx, keyring, file)
}

// rpm runs one of rpm's programs with nothing of the user's settings.
func (p *private) rpm(ctx context.Context, argv ...string) (string, error) {
	out, errs, err := tool.Run(ctx, tool.Command{Argv: argv, Env: []string{"HOME=" + p.path("home")}})
	return string(out) + string(errs), err
}

// keys is a database of a keyring's keys and no others.
func (p *private) keys(ctx context.Context, keyring string) (string, error) {
	sum, _, err := disk.Digest(keyring)
	if err != nil {
		return "", err
	}
	database := p.path("keys", sum)
	if _, err := os.Stat(database); err == nil {
		return database, nil
	}
	// One that a kill left is not there under this name.
	half := database + ".half"
	if err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755)); err != nil {
		return "", err
	}
	if out, err := p.rpm(ctx, "rpmkeys", "--dbpath", half, "--import", keyring); err != nil {
		return "", fmt.Errorf("cannot import keyring %s: %s", keyring, strings.TrimSpace(out))
	}
	return database, os.Rename(half, database)
}

// signature is one as rpm writes it: "RSA/SHA256, ..., Key ID 24c6a8a7f4a80eb5".
var signature = regexp.MustCompile(`Key ID ([0-9a-f]{16})`)

// signerIsValid refuses a package that is signed by an expired key.
func (p *private) signerIsValid(ctx context.Context, keyring, file string) error {
	const tags = "%|RSAHEADER?{%{RSAHEADER:pgpsig}}|%|DSAHEADER?{%{DSAHEADER:pgpsig}}|%|SIGPGP?{%{SIGPGP:pgpsig}}|"
	out, err := p.rpm(ctx, "rpm", "--dbpath", p.path("keys", "none"), "--query", "--nosignature", "--queryformat", tags, "--package", file)
	if err != nil {
		return fmt.Errorf("cannot read who signed: %s", strings.TrimSpace(out))
	}
	keys, err := readKeyring(keyring)
	if err != nil {
		return err
	}
	for _, m := range signature.FindAllStringSubmatch(out, -1) {
		for _, k := range keys {
			if why := pastDate(k); why != "" && has(k, m[1]) {
				return fmt.Errorf("it is signed by a key that is past its date: %s (check_valid_until: false in releases.yaml takes it nevertheless)", why)
			}
		}
	}
	return nil
}

// has says whether the key, or a part of it, has the ID.
func has(k *openpgp.Entity, id string) bool {
	if fmt.Sprintf("%016x", k.PrimaryKey.KeyId) == id {
		return true
	}
	return slices.ContainsFunc(k.Subkeys, func(s openpgp.Subkey) bool { return fmt.Sprintf("%016x", s.PublicKey.KeyId) == id })
}
