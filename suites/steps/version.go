package steps

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var leadingNumbers = regexp.MustCompile(`^\d+(\.\d+)*`)

// numbers reads the dotted numbers that a version starts with: 7, 2 and 22 of
// "7.2.22+dfsg".
func numbers(version string) []int {
	var out []int
	for _, word := range strings.Split(leadingNumbers.FindString(version), ".") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// InSeries says whether a version is of the series, number by number: 6.12.3 is
// of 6.12, and 6.1.3 is not.
func InSeries(version, of string) bool {
	v, s := numbers(version), numbers(of)
	return len(s) > 0 && len(v) >= len(s) && slices.Equal(v[:len(s)], s)
}

// UpstreamVersion is the upstream part of a package's version: "7.2+dfsg" of
// "1:7.2+dfsg-7+deb12u18".
func UpstreamVersion(pkg string) string {
	if _, rest, ok := strings.Cut(pkg, ":"); ok {
		pkg = rest
	}
	if i := strings.LastIndexByte(pkg, '-'); i >= 0 {
		pkg = pkg[:i]
	}
	return pkg
}

// rebuild is what a package's version ends with when it was built again from
// the same source; programs may tell the version with or without it.
var rebuild = regexp.MustCompile(`\+b\d+$`)

// NamesPackage says whether a vendor's words about a program ("Debian
// 1:7.2+dfsg-7", "qemu-kvm-ev-2.12.0-18.el7") name the package's version. RPMs are
// named with their version, and without its epoch.
func NamesPackage(words, pkg string) bool {
	said := words[strings.LastIndexByte(words, ' ')+1:]
	if _, plain, ok := strings.Cut(pkg, ":"); ok && strings.HasSuffix(said, "-"+plain) {
		return true
	}
	return said != "" && rebuild.ReplaceAllString(said, "") == rebuild.ReplaceAllString(pkg, "")
}

var programVersion = regexp.MustCompile(`^\S.*? version (\d+(?:\.\d+)+)(?: \(([^)]+)\))?`)

// ReadVersion reads the first line that a program of qemu prints for
// --version: its version and the vendor's words about the package.
func ReadVersion(text string) (version, vendor string, ok bool) {
	m := programVersion.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
