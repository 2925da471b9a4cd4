package dnf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// imageOf is the file system of a root in which a set is installed.
func imageOf(t *testing.T, s *Source, set matrix.PackageSet) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can install")
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := s.Install(t.Context(), set, root); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "root.squashfs")
	if out, err := exec.Command("mksquashfs", root, image, "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return image
}

func TestARootMovesToACandidateAndBack(t *testing.T) {
	t.Parallel()
	config := func(text string) rpmpack.RPMFile {
		f := rpmrepo.File("/etc/app.conf", text)
		f.Type = rpmpack.ConfigFile | rpmpack.NoReplaceFile
		return f
	}
	build := func(evr, post string) rpmrepo.Package {
		p := app(evr, "/bin/sh")
		p.Files, p.Post = append(p.Files, config("of "+evr+"\n")), post
		return p
	}
	m := newMirror(t)
	m.add(t, shell(t))
	m.add(t, build("10:2.12.0-18.el7", ""))
	m.publish(t)
	for name, c := range map[string]struct {
		evr, post string
		back      bool
		complaint string
		output    string
	}{
		"up":                  {evr: "10:2.13.0-1.el7", output: "of 10:2.12.0-18.el7 mine of 10:2.13.0-1.el7"},
		"the same version":    {evr: "10:2.12.0-18.el7", output: "of 10:2.12.0-18.el7 mine"},
		"down":                {evr: "10:2.13.0-1.el7", back: true, output: "of 10:2.13.0-1.el7 mine of 10:2.12.0-18.el7"},
		"a script that fails": {evr: "10:2.13.0-1.el7", post: "echo on the way; exit 7", complaint: "scriptlet failed, exit status 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := laid(t, m, folder(t, build(c.evr, c.post)))
			from := fetched(t, s, "app")
			to, err := over(t, s, "app")
			if err != nil {
				t.Fatal(err)
			}
			if c.back {
				from, to = to, from
			}
			got, err := s.Move(t.Context(), source.Move{
				Image: imageOf(t, s, from), From: from, To: to, Before: "echo mine >>/etc/app.conf",
				After: "for f in /etc/app.conf*; do while read -r l; do echo -n \"$l \"; done <$f; done",
			})
			if err != nil || !strings.Contains(got.Complaint, c.complaint) || (got.Complaint != "") != (c.complaint != "") {
				t.Fatalf("moved: %+v, %v; want the complaint %q", got, err, c.complaint)
			}
			if c.complaint == "" && strings.TrimSpace(got.Output) != c.output {
				t.Errorf("afterwards the configuration is %q, want %q", got.Output, c.output)
			}
		})
	}
}

func TestAnInstalledTreeTakesThePlaceOfThePackagesFiles(t *testing.T) {
	t.Parallel()
	conf := rpmrepo.File("/etc/app.conf", "of the release\n")
	conf.Type = rpmpack.ConfigFile | rpmpack.NoReplaceFile
	build := app("10:2.12.0-18.el7", "/bin/sh")
	build.Files, build.Post = append(build.Files, conf), "echo 100%% of $1 >/usr/lib/ran"
	m := newMirror(t)
	m.add(t, shell(t))
	m.add(t, build)
	m.publish(t)
	tree := t.TempDir()
	for name, text := range map[string]string{"usr/bin/app": "of the tree\n", "usr/lib/app/new": "is new\n"} {
		file := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "tree.tar.gz")
	if out, err := exec.Command("tar", "--create", "--gzip", "--file", archive, "--directory", tree, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	digests := map[string]bool{}
	for _, where := range []string{tree, tree, archive} {
		s, c := laid(t, m, where)
		digests[c.Packages[0].SHA256] = true
		from := fetched(t, s, "app")
		to, err := over(t, s, "app")
		if err != nil || len(c.Packages) != 1 || to.Version("app") != "10:2.12.0-18.el7" {
			t.Fatalf("%s: resolved %+v, %v; the candidate is %+v", where, to.Packages, err, c.Packages)
		}
		got, err := s.Move(t.Context(), source.Move{Image: imageOf(t, s, from), From: from, To: to,
			After: "for f in /usr/bin/app /usr/lib/app/new /etc/app.conf /usr/lib/ran; do read -r l <$f; echo \"$l\"; done"})
		if want := "of the tree\nis new\nof the release\n100%% of 2\n"; err != nil || got.Complaint != "" || got.Output != want {
			t.Errorf("%s: moved %+v, %v; want %q", where, got, err, want)
		}
	}
	if len(digests) != 1 {
		t.Errorf("packed three times it is %d packages", len(digests))
	}
	s := sourceOf(t, m.repository(matrix.TrustPackages))
	if _, err := s.Survey(t.Context(), "", tree, appPatterns); err == nil || !strings.Contains(err.Error(), "name the one that it is laid over") {
		t.Errorf("over no release: %v", err)
	}
	stranger := t.TempDir()
	if err := os.MkdirAll(filepath.Join(stranger, "usr/local"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Survey(t.Context(), "el", stranger, appPatterns); err == nil || !strings.Contains(err.Error(), "none of its 0 files is in a package") {
		t.Errorf("a tree of something else: %v", err)
	}
}
