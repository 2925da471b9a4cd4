package dnf

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"github.com/virtmatrix/virtmatrix/internal/rpmrepo"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestTheOldestBuildIsTheOldestOfAllItsPackages(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	old := app("10:2.9.0-1.el7", "libapp = 1.9")
	m.add(t, old)
	m.add(t, rpmrepo.Package{Name: "libapp", EVR: "1.9-1", Source: "app-2.9.0-1.el7.src.rpm"})
	m.add(t, rpmrepo.Package{Name: "app-extra", EVR: "10:2.12.0-18.el7", Source: "app-2.12.0-18.el7.src.rpm", Requires: []string{"app"}})
	m.add(t, rpmrepo.Package{Name: "other", EVR: "2.0-1"})
	m.publish(t)
	s := sourceOf(t, m.repository(matrix.TrustPackages))
	for _, c := range []struct {
		oldest []string
		want   string
	}{
		{appPatterns, "app 10:2.9.0-1.el7, libapp 1.9-1, other 3.0-1"},
		{nil, "app 10:2.12.0-18.el7, app-extra 10:2.12.0-18.el7, libapp 2.0-1.el7, other 3.0-1"},
		// Once more, from what was noted.
		{appPatterns, "app 10:2.9.0-1.el7, libapp 1.9-1, other 3.0-1"},
	} {
		set, err := s.Resolve(t.Context(), source.Request{Release: "el", Names: []string{"app", "app-extra", "other"}, Oldest: c.oldest})
		var got []string
		for _, p := range set.Packages {
			got = append(got, p.Name+" "+p.Version)
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("oldest of %q: got %q, %v, want %s", c.oldest, got, err, c.want)
		}
	}
}

// releasing is a source of a release whose repository files are these.
func releasing(t *testing.T, repo string, more ...rpmpack.RPMFile) *Source {
	t.Helper()
	m := newMirror(t)
	key, err := os.ReadFile(m.keyring)
	if err != nil {
		t.Fatal(err)
	}
	m.add(t, rpmrepo.Package{Name: "sig-release", EVR: "1-1", Requires: []string{"other"}, Files: append(more,
		rpmrepo.File("/etc/yum.repos.d/sig.repo", repo), rpmrepo.File("/etc/pki/rpm-gpg/KEY", string(key)))})
	m.publish(t)
	return with(t, source.Release{
		Name: "el", Repositories: []matrix.Repository{m.repository(matrix.TrustPackages)}, Variables: map[string]string{"releasever": "7"},
		Publishes: matrix.Publishes{RepositoryFiles: []string{"sig-release"}}, CheckValidUntil: true,
	})
}

func TestWhatUsersGetUnaskedIsVerifiedAndInTheCatalogue(t *testing.T) {
	t.Parallel()
	const own = "[sig]\nname=sig\nenabled=1\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/KEY\nbaseurl=http://host/centos/$releasever/$contentdir/\n"
	const unsigned = "[sig-testing]\nname=testing\nbaseurl=http://host/testing/\ngpgcheck=0\n"
	variable := rpmrepo.File("/etc/yum/vars/contentdir", "centos\n")
	for name, c := range map[string]struct {
		text  string
		files []rpmpack.RPMFile
		want  string
	}{
		"as it should be":     {own + unsigned + "enabled=0\n", []rpmpack.RPMFile{variable}, ""},
		"testing is on":       {own + unsigned + "enabled=1\n", []rpmpack.RPMFile{variable}, "sig.repo [sig-testing]: it is switched on, and the release does not have it in the catalogue"},
		"no verification":     {strings.Replace(own, "gpgcheck=1", "gpgcheck=0", 1), []rpmpack.RPMFile{variable}, "packages from it are not verified"},
		"no such variable":    {own, nil, "nobody says what the variable in http://host/centos/7/$contentdir/ is"},
		"no such key":         {strings.Replace(own, "KEY", "GONE", 1), []rpmpack.RPMFile{variable}, "etc/pki/rpm-gpg/GONE: no such file"},
		"somebody else's key": {strings.Replace(own, "KEY", "OTHER", 1), []rpmpack.RPMFile{variable, rpmrepo.File("/etc/pki/rpm-gpg/OTHER", readFile(t, keyring(t, stranger())))}, "is none of those that the catalogue has for it"},
		"a key from afar":     {strings.Replace(own, "file:///etc/pki/rpm-gpg", "http://host", 1), []rpmpack.RPMFile{variable}, "its key is not a file of the packages, but http://host/KEY"},
		"no key":              {strings.Replace(own, "gpgkey", "#gpgkey", 1), []rpmpack.RPMFile{variable}, "names no key"},
		"switched off":        {strings.Replace(own, "enabled=1", "enabled=0", 1), nil, "sig: no package switches it on"},
		"nothing":             {"", nil, "sig: no package switches it on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := releasing(t, c.text, c.files...).Enabled(t.Context(), "el", "")
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, s := range all {
				if s.Problem != "" {
					problems = append(problems, s.Index+": "+s.Problem)
				}
			}
			if said := strings.Join(problems, "; "); c.want == "" && said != "" || !strings.Contains(said, c.want) {
				t.Errorf("got %q, want %q; all %+v", said, c.want, all)
			}
		})
	}
	all, err := releasing(t, own, variable).Enabled(t.Context(), "el", os.DevNull)
	if err != nil || !slices.ContainsFunc(all, func(s source.Signature) bool { return s.Problem != "" }) {
		t.Errorf("by a keyring without a key: %+v, %v", all, err)
	}
	if _, err := releasing(t, "enabled=1\n").Enabled(t.Context(), "el", ""); err == nil {
		t.Error("a file that dnf cannot read is read")
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsPublishedBesideThePackagesIsFound(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("/usr/bin/env")
	if err != nil {
		t.Fatal(err)
	}
	id, ok, err := buildID("/usr/bin/env")
	if err != nil || !ok || id == "" {
		t.Fatalf("the build ID of env is %q, %v", id, err)
	}
	m, aside := newMirror(t), newMirror(t)
	tool := rpmrepo.Package{Name: "app", EVR: "10:2.13.0-1.el7", Files: []rpmpack.RPMFile{
		rpmrepo.File("/usr/bin/app", string(program)), rpmrepo.File("/usr/share/app/blob", "\x7fELFish"),
	}}
	s, c := laid(t, m, folder(t, tool))
	r := s.releases["el-candidate"]
	r.Publishes.Debuginfo, r.Publishes.Sources = []matrix.Repository{aside.repository(matrix.TrustPackages)}, []matrix.Repository{aside.repository(matrix.TrustPackages)}
	r.Publishes.Debuginfo[0].Name, r.Publishes.Sources[0].Name = "symbols", "sources"
	s.releases["el-candidate"] = r
	set := matrix.PackageSet{Source: Kind, Release: "el-candidate", Packages: c.Packages}
	check := func(symbols, sources string) {
		t.Helper()
		stripped, err := s.Stripped(t.Context(), "el-candidate", set)
		if got := strings.Join(stripped, "; "); err != nil || got != symbols {
			t.Errorf("without symbols are %q, %v, want %q", got, err, symbols)
		}
		sourceless, err := s.Sourceless(t.Context(), "el-candidate", set)
		if got := strings.Join(sourceless, "; "); err != nil || got != sources {
			t.Errorf("without source are %q, %v, want %q", got, err, sources)
		}
	}
	check(id+", of /usr/bin/app", "app-2.13.0-1.el7.src.rpm, of app")
	aside.add(t, rpmrepo.Package{Name: "app-debuginfo", EVR: "10:2.13.0-1.el7", Provides: []string{rpmrepo.SymbolsOf + id}})
	aside.add(t, rpmrepo.Package{Name: "app", EVR: "10:2.13.0-1.el7", Arch: rpmrepo.SourceArch})
	aside.publish(t)
	if err := os.RemoveAll(s.opts.Home + "/dnf/" + elsewhere); err != nil {
		t.Fatal(err)
	}
	check("", "")
}
