// Command l1capture takes the captures of one component in the root of its image, where
// it runs as root of a chroot without network, and prints the sets as JSON. It reads
// from its standard input what is where (capture.Request).
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func main() {
	if err := take(); err != nil {
		fmt.Fprintf(os.Stderr, "l1capture: %v\n", err)
		os.Exit(1)
	}
}

func take() error {
	var r capture.Request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		return fmt.Errorf("cannot read what to capture: %w", err)
	}
	if len(r.Kinds) == 0 {
		return errors.New("cannot capture: no kind is asked for")
	}
	first, err := capture.KindNamed(r.Kinds[0])
	if err != nil {
		return err
	}
	takers := map[matrix.Component]func(*taker) error{
		matrix.QEMU: takeQEMU, matrix.Libvirt: takeLibvirt, matrix.Linux: takeKernel, matrix.XenHyp: takeXen,
	}
	take := takers[first.Component]
	if first.Name == capture.Hypervisor {
		take = takeHypervisor
	}
	t := &taker{Request: r, facts: map[string][]capture.Fact{}, absent: map[string]map[string]string{}}
	if err := take(t); err != nil {
		return err
	}
	var sets []capture.Set
	for _, kind := range r.Kinds {
		s := capture.NewSet(kind, r.Subject, t.facts[kind])
		s.Absent = t.absent[kind]
		sets = append(sets, s)
	}
	return json.NewEncoder(os.Stdout).Encode(sets)
}

// taker gathers the facts of a component, by kind.
type taker struct {
	capture.Request
	facts  map[string][]capture.Fact
	absent map[string]map[string]string
	// creatable are the devices that users may ask for.
	creatable []string
}

func (t *taker) add(kind string, facts ...capture.Fact) {
	t.facts[kind] = append(t.facts[kind], facts...)
}

// addNames adds facts that are no more than names.
func (t *taker) addNames(kind, owner string, names ...string) {
	for _, n := range names {
		t.add(kind, capture.Fact{Path: join(owner, n)})
	}
}

// join puts a name below what it belongs to.
func join(owner, name string) string {
	if owner == "" {
		return name
	}
	return owner + "/" + name
}

func sortedUnique[T cmp.Ordered](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}
