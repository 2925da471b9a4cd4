package imagecheck

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/nocloud"
)

// Booted is what was seen of a boot of the image with a seed, on a larger disk.
type Booted struct {
	nocloud.Report
	// Console is the end of what it printed.
	Console string
	// Bytes is the size of its disk, Key the public key that its metadata had.
	Bytes int64
	Key   string
	// Agent is what came of asking its guest agent: nil where it answered.
	Agent error
	// rootAt is where the root's partition begins.
	rootAt int64
	// Ended is why nothing more came; empty where the report is whole.
	Ended string
}

// bootRules are those that only a booted machine can answer.
var bootRules = []Rule{
	{
		ID: "B-BOOT-USER", tell: (*Booted).user,
		What: "The default user of the distribution can log in with the key of the metadata, and nobody with a password", Why: "it is the only way in",
		How: "a boot with a seed: ssh in the guest to itself, and /etc/shadow",
	},
	{
		ID: "B-BOOT-GROW", tell: (*Booted).grown,
		What: "Root partition and file system fill a larger disk after the first boot", Why: "disks are larger than images", How: "a boot on a disk with 2 GiB more",
	},
	{
		ID: "B-BOOT-UNITS", tell: (*Booted).units,
		What: "No unit has failed when the boot is finished", Why: "users see a system that is not well", How: "systemctl list-units --failed in the guest",
	},
	{
		ID: "B-BOOT-TIME", tell: (*Booted).time,
		What: "A source of time is configured, and the service that asks it runs", Why: "certificates and logs need it", How: "timedatectl and chronyc in the guest, which reaches no network",
	},
	{
		ID: "B-BOOT-ENTROPY", tell: (*Booted).random,
		What: "The first boot does not wait for random numbers", Why: "host keys are made then", How: "the kernel's log: its generator is ready before user space is",
	},
	{
		ID: "B-BOOT-AGENT", tell: (*Booted).agent,
		What: "A guest agent that is shipped answers", Why: "hosts freeze file systems by it", How: "guest-sync on the agent's channel",
	},
}

// Boots says why the image is not to be booted, in a report of its file; empty where it is.
func (r *Report) Boots() string {
	for _, x := range r.Results {
		if x.Verdict != Kept && slices.Contains([]string{"B-SIZE", "B-TABLE", "B-ROOT"}, x.Rule) {
			return fmt.Sprintf("it was not booted: %s %s", x.Rule, x.Seen)
		}
	}
	return ""
}

// Boot answers the rules that only a boot can.
func (r *Report) Boot(b *Booted) {
	for i, rule := range bootRules {
		at := slices.IndexFunc(r.Results, func(x Result) bool { return x.Rule == bootRules[i].ID })
		result := Result{Rule: rule.ID, Verdict: NotLooked, Seen: b.Ended}
		switch {
		case b.Whole:
			b.rootAt = r.rootAt
			a := rule.tell(b)
			result.Verdict, result.Seen = a.verdict, a.seen
		case i == 0 && b.AtLogin():
			result.Verdict, result.Seen = Broken, "the machine asks for a login, and did nothing of what its seed says: cloud-init does not run, or took no seed"
		}
		r.Results[at] = result
	}
}

// AtLogin says that the boot went well without the seed.
func (b *Booted) AtLogin() bool { return !b.Begun && strings.Contains(b.Console, " login: ") }

// user wants a user of its own who logged in: root is none.
func (b *Booted) user() answer {
	if open := b.Lines("passwords"); len(open) > 0 {
		return answer{Broken, fmt.Sprintf("%.80q can log in with a password, or without one, after the boot", open)}
	}
	if !slices.Contains(b.Lines("keys"), b.Key) {
		return answer{Broken, "the key of the metadata is in no authorized_keys"}
	}
	said := b.Lines("login")
	for _, name := range said {
		if name != "root" && userName.MatchString(name) {
			return answer{Kept, fmt.Sprintf("%q logged in with the key", name)}
		}
	}
	return answer{Broken, fmt.Sprintf("nobody but root logs in with the key of the metadata: ssh said %.200q", strings.Join(said, "; "))}
}

var userName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)

func (b *Booted) grown() answer {
	disk, err := strconv.ParseInt(b.Fact("disk"), 10, 64)
	word, _, _ := strings.Cut(strings.TrimSpace(b.Fact("root")), " ")
	root, err2 := strconv.ParseInt(word, 10, 64)
	if err != nil || err2 != nil || disk != b.Bytes {
		return answer{NotLooked, fmt.Sprintf("the machine says that its disk has %.40q bytes, and its root %.80q; it has %d", b.Fact("disk"), b.Fact("root"), b.Bytes)}
	}
	// A file system keeps some percent for itself.
	if there := b.Bytes - b.rootAt; root < there/10*9 {
		return answer{Broken, fmt.Sprintf("the root file system has %s of %s: install growpart and let cloud-init grow it", size(root), size(there))}
	}
	return answer{Kept, fmt.Sprintf("%s on a disk of %s", size(root), size(disk))}
}

func (b *Booted) units() answer {
	if failed := b.Lines("failed"); len(failed) > 0 {
		return answer{Broken, fmt.Sprintf("%.300q failed", failed)}
	}
	return answer{Kept, "none failed"}
}

func (b *Booted) time() answer {
	said := b.Lines("time")
	runs := slices.Contains(said, "active")
	for _, line := range said {
		// A source of chrony's: "^? 192.0.2.1 ...".
		if runs && (line == "NTP=yes" || strings.HasPrefix(line, "^") || strings.HasPrefix(line, "#")) {
			return answer{Kept, fmt.Sprintf("%.80q", line)}
		}
	}
	return answer{Broken, "no service runs that asks a source of time: enable systemd-timesyncd or chrony"}
}

// random goes by the kernel's clock: its generator is ready before it starts the first
// process, or that one and all others that want random numbers wait.
func (b *Booted) random() answer {
	m := ready.FindStringSubmatch(b.Fact("random"))
	if m == nil {
		return answer{Broken, "the kernel's generator was not ready when the boot was finished"}
	}
	at, err := strconv.ParseFloat(m[1], 64)
	user, err2 := strconv.ParseFloat(b.Fact("user-space"), 64)
	if err != nil || err2 != nil {
		return answer{NotLooked, fmt.Sprintf("the machine says that user space began at %.40q", b.Fact("user-space"))}
	}
	if user /= 1e6; at > user { // systemd counts in microseconds
		return answer{Broken, fmt.Sprintf("the kernel's generator is ready after %.1f s, and user space began after %.1f s: let it trust the processor (random.trust_cpu), or load virtio_rng before", at, user)}
	}
	return answer{Kept, fmt.Sprintf("ready after %.1f s", at)}
}

var ready = regexp.MustCompile(`(?m)^\[ *([0-9.]+)\] random: crng (?:init )?done`)

func (b *Booted) agent() answer {
	switch {
	case len(b.Lines("agent")) == 0:
		return answer{NotMeant, "no guest agent is shipped"}
	case b.Agent != nil:
		return answer{Broken, b.Agent.Error()}
	}
	return answer{Kept, "it answered"}
}
