package apt

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// archive is a small signed Debian archive in a folder.
type archive struct {
	dir string
	// suite is the one that add and publish work on.
	suite   string
	gnupg   string
	keyring string
	// date of the metadata and how long it is valid.
	date  time.Time
	valid time.Duration
}

// newArchive makes an archive with one suite, "stable", of three packages:
// "app" needs "libapp", and "libapp" has files in the unmerged /lib.
func newArchive(t *testing.T) *archive {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not on this machine, so no archive can be signed")
	}
	a := &archive{dir: t.TempDir(), suite: "stable", date: time.Now().Add(-time.Hour), valid: 24 * time.Hour}
	a.gnupg, a.keyring = newKey(t)
	a.add(t, "app", "1:1.0-1", "Depends: libapp (>= 2.0)", "usr/bin/app")
	a.add(t, "libapp", "2.0-1+b1", "", "lib/x86_64-linux-gnu/libapp.so")
	a.add(t, "other", "3.0", "", "usr/share/other")
	a.publish(t)
	return a
}

// newKey makes a signing key and the keyring to trust it by.
func newKey(t *testing.T) (gnupg, keyring string) {
	t.Helper()
	// Not t.TempDir: the agent's socket needs a short path.
	gnupg, err := os.MkdirTemp("", "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run(t, gnupg, nil, "gpgconf", "--homedir", gnupg, "--kill", "all")
		os.RemoveAll(gnupg)
	})
	gpg(t, gnupg, nil, "--passphrase", "", "--quick-generate-key", "test archive", "ed25519", "sign", "never")
	keyring = filepath.Join(gnupg, "archive.gpg")
	gpg(t, gnupg, nil, "--output", keyring, "--export")
	return gnupg, keyring
}

func gpg(t *testing.T, home string, stdin []byte, args ...string) []byte {
	t.Helper()
	return run(t, home, stdin, "gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--yes"}, args...)...)
}

func run(t *testing.T, dir string, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, errs.String())
	}
	return out
}

// add builds a package that holds one file.
func (a *archive) add(t *testing.T, name, version, fields, file string) {
	t.Helper()
	tree := t.TempDir()
	write(t, filepath.Join(tree, file), "of "+name)
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: t <t@localhost>\nDescription: test\n", name, version)
	if fields != "" {
		control += fields + "\n"
	}
	write(t, filepath.Join(tree, "DEBIAN", "control"), control)
	pool := filepath.Join(a.dir, "pool", a.suite)
	if err := os.MkdirAll(pool, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, tree, nil, "dpkg-deb", "--root-owner-group", "--build", tree, filepath.Join(pool, name+".deb"))
}

// publish writes the indexes of what is in the pool and signs them.
func (a *archive) publish(t *testing.T) {
	t.Helper()
	debs, err := filepath.Glob(filepath.Join(a.dir, "pool", a.suite, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	var index bytes.Buffer
	for _, deb := range debs {
		text := read(t, deb)
		fmt.Fprintf(&index, "%s\nFilename: pool/%s/%s\nSize: %d\nSHA256: %x\n\n",
			bytes.TrimSpace(run(t, a.dir, nil, "dpkg-deb", "--field", deb)), a.suite, filepath.Base(deb), len(text), sha256.Sum256(text))
	}
	dir := filepath.Join(a.dir, "dists", a.suite)
	write(t, filepath.Join(dir, "main/binary-amd64/Packages"), index.String())
	release := fmt.Sprintf("Origin: Test\nSuite: %[1]s\nCodename: %[1]s\nArchitectures: amd64\nComponents: main\nDate: %[2]s\nValid-Until: %[3]s\nSHA256:\n",
		a.suite, a.date.UTC().Format(time.RFC1123), a.date.Add(a.valid).UTC().Format(time.RFC1123))
	for _, list := range []string{"main/binary-amd64/Packages", "main/source/Sources"} {
		if text, err := os.ReadFile(filepath.Join(dir, list)); err == nil {
			release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256(text), len(text), list)
		}
	}
	write(t, filepath.Join(a.dir, "dists", a.suite, "InRelease"), string(gpg(t, a.gnupg, []byte(release), "--clearsign")))
}

// addSource adds a source package of files to the archive, for publish.
func (a *archive) addSource(t *testing.T, name, version string, files map[string]string) {
	t.Helper()
	sums := ""
	for file, text := range files {
		write(t, filepath.Join(a.dir, "pool", a.suite, file), text)
		sums += fmt.Sprintf(" %x %d %s\n", sha256.Sum256([]byte(text)), len(text), file)
	}
	write(t, filepath.Join(a.dir, "dists", a.suite, "main/source/Sources"),
		fmt.Sprintf("Package: %s\nFormat: 3.0 (quilt)\nBinary: %[1]s\nArchitecture: any\nVersion: %s\nDirectory: pool/%s\nChecksums-Sha256:\n%s\n", name, version, a.suite, sums))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func suites(names ...string) (of []matrix.Repository) {
	for _, name := range names {
		of = append(of, matrix.Repository{Name: name})
	}
	return of
}

// source makes a source of the archive with a cold cache. change may adapt the options.
func (a *archive) source(t *testing.T, change func(*Options)) *Source {
	t.Helper()
	opts := Options{
		Home: t.TempDir(), Mirror: "file:" + a.dir, Keyring: a.keyring,
		Releases: []source.Release{{Name: "test", Repositories: suites("stable"), CheckValidUntil: true}},
	}
	if change != nil {
		change(&opts)
	}
	s, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
