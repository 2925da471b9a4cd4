package imagecheck

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/nocloud"
)

const key = "ssh-ed25519 AAAAkey"

// wellFacts are those of a machine that keeps all rules, on a disk of 3 GiB.
var wellFacts = map[string]string{
	"version": "", "result": "", "status": "", "hostname": "", "instance": "", "ran": "", "host-keys": "", "uptime": "", "addresses": "", "systemd": "",
	"keys": "600 debian /home/debian/.ssh/authorized_keys\n" + key, "passwords": "", "login": "debian",
	"root": "3100000000 /dev/vda1", "disk": "3221225472", "failed": "",
	"time": "CanNTP=yes\nNTP=yes\nactive\ninactive", "random": "[    0.010000] random: crng init done", "user-space": "5000000",
	"agent": "qemu-guest-agent.service static -",
}

// booted is a machine that reported, but for some facts.
func booted(facts map[string]string) *Booted {
	all := maps.Clone(wellFacts)
	maps.Copy(all, facts)
	var b strings.Builder
	say := func(name, value string) {
		sum := sha256.Sum256([]byte(value))
		fmt.Fprintf(&b, "@n %s %x %s\n", name, sum[:8], value)
	}
	say("begin", "0")
	for name, text := range all {
		say(name, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	say("end", "0")
	return &Booted{Report: nocloud.Read([]byte(b.String()), "n"), Bytes: 3 << 30, Key: key}
}

func ofABoot(t *testing.T, b *Booted) *Report {
	t.Helper()
	r := check(t, makeDisk(t, "good.raw", debian))
	r.Boot(b)
	return r
}

func TestABootAnswersWhatOnlyABootCan(t *testing.T) {
	r := ofABoot(t, booted(nil))
	breaks(t, r)
	answered(t, r)
	for _, rule := range bootRules {
		if x := r.of(rule.ID); x.Verdict != Kept || x.Boot {
			t.Errorf("%s: %s %s", x.Rule, x.Verdict, x.Seen)
		}
	}
}

func TestEachRuleOfABootIsBrokenByItsOwnFault(t *testing.T) {
	for _, c := range []struct {
		rule  string
		facts map[string]string
		says  string
	}{
		{"B-BOOT-USER", map[string]string{"login": "Permission denied (publickey)."}, "Permission denied"},
		{"B-BOOT-USER", map[string]string{"login": "root"}, "nobody but root"},
		{"B-BOOT-USER", map[string]string{"keys": "600 root /root/.ssh/authorized_keys"}, "in no authorized_keys"},
		{"B-BOOT-USER", map[string]string{"passwords": "debian"}, "password"},
		{"B-BOOT-GROW", map[string]string{"root": "460000000 /dev/vda1"}, "growpart"},
		{"B-BOOT-UNITS", map[string]string{"failed": "wrong.service"}, "wrong.service"},
		{"B-BOOT-TIME", map[string]string{"time": "NTP=no\ninactive"}, "no service"},
		{"B-BOOT-TIME", map[string]string{"time": "NTP=yes\nfailed\ninactive"}, "no service"},
		{"B-BOOT-ENTROPY", map[string]string{"random": "[   31.5] random: crng init done"}, "after 31.5 s"},
		{"B-BOOT-ENTROPY", map[string]string{"random": "[    1.0] random: fast init done"}, "was not ready"},
	} {
		r := ofABoot(t, booted(c.facts))
		breaks(t, r, c.rule)
		answered(t, r)
		if seen := r.of(c.rule).Seen; !strings.Contains(seen, c.says) {
			t.Errorf("%s says %q, want %q", c.rule, seen, c.says)
		}
	}
	silent := booted(nil)
	silent.Agent = errors.New("it did not answer")
	breaks(t, ofABoot(t, silent), "B-BOOT-AGENT")
	chrony := ofABoot(t, booted(map[string]string{"time": "NTP=no\ninactive\nactive\n^? 192.0.2.1 0 6 0 -"}))
	breaks(t, chrony)
	none := booted(map[string]string{"agent": ""})
	none.Agent = errors.New("it did not answer")
	if x := ofABoot(t, none).of("B-BOOT-AGENT"); x.Verdict != NotMeant {
		t.Errorf("without an agent: %s %s", x.Verdict, x.Seen)
	}
}

func TestABootThatDidNotReportPassesNothing(t *testing.T) {
	r := ofABoot(t, &Booted{Ended: "the machine said nothing"})
	breaks(t, r)
	if got := r.Unseen(); len(got) != len(bootRules) {
		t.Errorf("not looked at: %q", got)
	}
	r = ofABoot(t, &Booted{Ended: "it said nothing more", Console: "localhost login: "})
	breaks(t, r, "B-BOOT-USER")
	if got := r.Unseen(); len(got) != len(bootRules)-1 {
		t.Errorf("not looked at: %q", got)
	}
	// What a machine says of its disk is its own word.
	r = ofABoot(t, booted(map[string]string{"disk": "99999999999", "root": "99999999999"}))
	if got := r.Unseen(); !slices.Equal(got, []string{"B-BOOT-GROW"}) {
		t.Errorf("not looked at: %q", got)
	}
}
