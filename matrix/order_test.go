package matrix

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// pair is two versions to put in order.
type pair struct{ a, b string }

// pairs makes n pairs of versions. The second is often the first with one part
// changed: two versions that share nothing are in order after a look at the
// first letter.
func pairs(n int, version func(*rand.Rand) []string) []pair {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]pair, 0, n)
	for len(out) < n {
		a, b := version(r), version(r)
		if r.IntN(4) > 0 {
			changed := append([]string{}, a...)
			i := r.IntN(len(changed))
			if i < len(b) {
				changed[i] = b[i]
			} else {
				changed[i] = ""
			}
			b = changed
		}
		out = append(out, pair{strings.Join(a, ""), strings.Join(b, "")})
	}
	return out
}

func one(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// numbers of versions, with leading zeros, and longer than any integer.
var numbers = []string{"0", "1", "2", "9", "10", "11", "007", "010", "00", "20240101", "123456789012345678901", "123456789012345678902"}

// debianVersion makes the parts of a version as Debian writes them.
func debianVersion(r *rand.Rand) []string {
	number := func() string { return one(r, numbers...) }
	return []string{
		one(r, "", "", "", "0:", "1:", "2:", "10:"),
		number(),
		one(r, "", ".", "..", "~", "+", ".~", "a", "A", "Z", "z", "-0", ".-0", "+-0"),
		one(r, "", "rc", "alpha", "~rc", number(), number(), number()),
		one(r, "", "", "~", "~~", "+dfsg", "+ds", "~dfsg", "a", ".1", ".0", "+git", "+a", "~a"),
		one(r, "", "", number()),
		one(r, "", "-0", "-1", "-01", "-2", "-1~", "-a", "-+", "-1.1", "-1ubuntu1"),
		one(r, "", "", "~bpo12+1", "+b1", "+b2", "+b10", "+deb12u1", "+deb12u18", "~exp1", "~"),
	}
}

// rpmVersion makes the parts of an epoch, version and release as RPM has them.
func rpmVersion(r *rand.Rand) []string {
	number := func() string { return one(r, numbers...) }
	return []string{
		one(r, "", "", "", "0:", "1:", "2:", "10:"),
		number(),
		one(r, "", ".", "..", "_", "+", ".a", "a", "A", "Z", "rc", "~", "^", "~~", "^^", "~^", "^~", ".~", "._."),
		one(r, "", number(), number(), "b", "git"),
		one(r, "", "", "~rc1", "~", "^", "^git1", "^20240101", ".", "_", "a", ".0", "~rc1^git"),
		one(r, "", "", number()),
		one(r, "", "-0", "-1", "-01", "-2", "-10", "-1a", "-0.1.rc1", "-1~", "-1^"),
		one(r, "", "", ".el7", ".el8_4.1", ".fc40", ".1", "+12", "~bootstrap", "."),
	}
}

// need finds a program whose answers are the truth. Continuous integration has
// it: ci/setup installs it.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not on this machine, and the order of versions is judged by its answers; ci/setup installs it", name)
	}
	t.Skipf("%s is not on this machine to be compared with; ci/setup installs it", name)
}

// answers runs a program and reads one sign for each pair, a line each.
func answers(t *testing.T, all []pair, stdin string, argv ...string) []int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot run %s: %v", argv[0], err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != len(all) {
		t.Fatalf("%s gave %d answers to %d pairs", argv[0], len(lines), len(all))
	}
	signs := make([]int, len(lines))
	for i, l := range lines {
		if _, err := fmt.Sscan(l, &signs[i]); err != nil {
			t.Fatalf("cannot read answer %q of %s", l, argv[0])
		}
	}
	return signs
}

func TestCompareGivesTheAnswersOfDpkg(t *testing.T) {
	need(t, "dpkg")
	// One shell asks for all of them: dpkg compares two versions a call.
	all := pairs(300, debianVersion)
	var input strings.Builder
	for i, a := range ascending {
		for j := range ascending[:i] {
			all = append(all, pair{a, ascending[j]})
		}
	}
	for _, p := range all {
		fmt.Fprintf(&input, "%s %s\n", p.a, p.b)
	}
	const ask = `while read a b; do
		if dpkg --compare-versions "$a" lt "$b"; then echo -1
		elif dpkg --compare-versions "$a" gt "$b"; then echo 1
		elif dpkg --compare-versions "$a" eq "$b"; then echo 0
		else echo "not versions: $a $b"; fi
	done`
	for i, want := range answers(t, all, input.String(), "sh", "-c", ask) {
		if got := Compare(all[i].a, all[i].b); got != want {
			t.Errorf("Compare(%q, %q) = %d, dpkg says %d", all[i].a, all[i].b, got, want)
		}
	}
}

func TestCompareRPMGivesTheAnswersOfRPM(t *testing.T) {
	need(t, "rpm")
	all := pairs(800, rpmVersion)
	var input strings.Builder
	for _, p := range all {
		fmt.Fprintf(&input, "%s %s\n", p.a, p.b)
	}
	const ask = `%{lua:
		for line in io.lines() do
			local a, b = line:match("(%S+) (%S+)")
			print(rpm.vercmp(a, b) .. "\n")
		end
	}`
	for i, want := range answers(t, all, input.String(), "rpm", "--eval", ask) {
		if got := CompareRPM(all[i].a, all[i].b); got != want {
			t.Errorf("CompareRPM(%q, %q) = %d, rpm says %d", all[i].a, all[i].b, got, want)
		}
	}
}
