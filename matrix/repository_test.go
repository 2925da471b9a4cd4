package matrix

import (
	"testing"
	"testing/fstest"
)

func TestARepositorySaysWhatVouchesForIt(t *testing.T) {
	for want, o := range map[string]Origin{
		"sig (packages signed by AB or CD)": {Name: "sig", Trust: TrustPackages, Keys: []string{"AB", "CD"}},
		"testing (not signed)":              {Name: "testing", Trust: TrustNone},
	} {
		if got := o.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRepositoriesThatCannotBeTrustedAsTheySayAreRefused(t *testing.T) {
	const head = "releases:\n  - name: el7\n    source: dnf\n    variables: {releasever: 7}\n    modules: [\"virt:rhel\"]\n    repositories:\n      - "
	for repository, want := range map[string]string{
		`{name: sig, url: "http://a/", trust: packages}`:                                                     `releases.yaml:7:10: repository "sig" needs a keyring if anything of it is signed, and none otherwise`,
		`{name: sig, url: "http://a/", trust: none, keyring: /k}`:                                            `releases.yaml:7:10: repository "sig" needs a keyring if anything of it is signed, and none otherwise`,
		`{name: sig, url: "http://a/", trust: both, keyring: k}`:                                             `releases.yaml:7:10: the keyring of repository "sig" is no absolute path: "k"`,
		`{name: sig, trust: none}`:                                                                           `releases.yaml:7:10: repository "sig" needs either a url or mirrors`,
		`{name: sig, url: "http://a/", mirrors: "http://b/", trust: none}`:                                   `releases.yaml:7:10: repository "sig" needs either a url or mirrors`,
		`{name: sig, url: "http://a/"}`:                                                                      `releases.yaml:7:10: the key "trust" is missing`,
		`{name: sig, url: "http://a/", trust: signed}`:                                                       `releases.yaml:7:46: unknown trust "signed"; there are packages, metadata, both, none`,
		"{name: sig, url: \"http://a/\", trust: none}\n      - {name: sig, url: \"http://b/\", trust: none}": `releases.yaml:8:10: duplicate repository "sig"`,
	} {
		_, err := Load(fstest.MapFS{"releases.yaml": {Data: []byte(head + repository + "\n")}})
		if err == nil || err.Error() != "cannot load matrix: "+want {
			t.Errorf("%s:\ngot  %v\nwant %s", repository, err, want)
		}
	}
}
