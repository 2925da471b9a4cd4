package steps

import (
	"bufio"
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// holdings is the script that lists what a host holds that a check may leave there, a
// thing a line: what libvirt keeps and where guests' files are, network devices,
// foreign tables and rules about devices, and processes. It asks no daemon, which takes
// longer and knows less: all that libvirt has, it has in files. Tables that libvirt and
// iptables make once stay; kernel threads and the script's own processes are nobody's.
const holdings = `
find "$CONFIG" /var/lib/libvirt /run/libvirt ! -type d ! -path "$SCRATCH/*" -printf 'file %p\n' 2>/dev/null
find "$SCRATCH" /tmp /var/tmp -mindepth 1 -maxdepth 1 -printf 'file %p\n' 2>/dev/null
for d in /sys/class/net/*; do echo "network device ${d##*/}"; done
if test -d /sys/module/nf_tables; then
	nft list ruleset 2>/dev/null | awk '
		$1 == "table" && $3 !~ /^(filter|nat|mangle|raw|libvirt_network)$/ { print "nft table", $2, $3 }
		{ for (i = 1; i < NF; i++) if ($i ~ /^[io]ifname$/) print "nft rule about", $(i+1) }' | sort -u
fi
ps -eo ppid=,pid=,args= | awk -v me=$$ '$1 != me && $2 != me && $3 !~ /^\[/ { $1 = $2 = ""; print "process", substr($0, 3) }'
`

// holds lists what the host holds.
func (t *T) holds(ctx context.Context) ([]string, error) {
	vm := t.s.Host
	script := "CONFIG=" + host.Quote(vm.Layout().LibvirtConfig) + "; SCRATCH=" + host.ScratchDir + holdings
	ctx, cancel := context.WithTimeout(ctx, t.Limit(collectLimit))
	defer cancel()
	res, err := vm.Exec(ctx, script)
	switch {
	case err != nil:
		return nil, err
	case res.Dropped > 0:
		return nil, fault.Infraf("list what the host holds", "it is more than is kept of a command's words")
	}
	lines := []string{}
	for in := bufio.NewScanner(bytes.NewReader(res.Stdout)); in.Scan(); {
		lines = append(lines, in.Text())
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// Remember notes what fresh hosts hold. One that cannot tell will be noticed by what
// the check does there.
func (t *T) Remember() {
	for _, s := range t.sessions {
		if s.held == nil {
			s.held, _ = t.view(s).holdsWhenReady(t.ctx)
		}
	}
}

// holdsWhenReady is holds once libvirt's drivers are ready, which they are when it answers:
// until then they make files of their own.
func (t *T) holdsWhenReady(ctx context.Context) ([]string, error) {
	limited, cancel := context.WithTimeout(ctx, t.Limit(collectLimit))
	defer cancel()
	if _, err := t.s.Host.Exec(limited, "virsh -c "+t.URI()+" version"); err != nil {
		return nil, err
	}
	return t.holds(ctx)
}

// partingLimit bounds how long what ends by itself may stay after a check, at scale 1.
const partingLimit = 5 * time.Second

// Left is what the attempt left on its hosts. What is about to go does not count, nor
// what belongs to the guest that checks borrow.
func (t *T) Left(ctx context.Context) (left []string, err error) {
	for end := time.Now().Add(t.Limit(partingLimit)); ; {
		left = nil
		for _, s := range t.sessions {
			more, err := t.view(s).leftHere(ctx)
			if err != nil {
				return nil, fault.Infraf("look at what the check left", "%v", err)
			}
			left = append(left, more...)
		}
		if len(left) == 0 || time.Now().After(end) {
			return left, nil
		}
		select {
		case <-ctx.Done():
			return nil, fault.Infraf("look at what the check left", "%w", context.Cause(ctx))
		case <-time.After(untilPoll):
		}
	}
}

func (t *T) leftHere(ctx context.Context) (left []string, err error) {
	if t.s.held == nil {
		t.Note("what it left was not looked at: nobody knows what its host held before")
		return nil, nil
	}
	holds, err := t.holds(ctx)
	for _, thing := range holds {
		if _, had := slices.BinarySearch(t.s.held, thing); !had && !t.s.lends(thing) {
			left = append(left, thing)
		}
	}
	return left, err
}

// lends says that a thing is of the running guest that checks borrow. A snapshot or
// a saved state of it is not.
func (s *Session) lends(thing string) bool {
	if s.guest == nil || !strings.Contains(thing, s.guest.Name) {
		return false
	}
	for _, of := range []string{"/snapshot/", "/checkpoint/", "/save/", "/dump/"} {
		if strings.Contains(thing, of) {
			return false
		}
	}
	return true
}
