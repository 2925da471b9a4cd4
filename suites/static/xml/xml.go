// Package xml asks about objects of libvirt as users write them down: each file of the
// corpus is valid by the cell's own schema, kept as it was sent, and a command line that
// the cell's emulator reads.
package xml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/corpus"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Each folder of the corpus is a check.
var _ = func() (all []*check.Check) {
	for _, group := range corpus.Groups() {
		what := fmt.Sprintf("Each feature of domains, in the group %s is valid, kept, and understood by the emulator", group)
		on := check.On(matrix.QEMU, matrix.Libvirt)
		if k, other := kinds[group]; other {
			what = fmt.Sprintf("Each feature of %ss is valid, and kept", group)
			if !k.images {
				on = check.On(matrix.Libvirt)
			}
		}
		all = append(all, check.Register("S-XML-"+strings.ToUpper(group), check.Spec{
			Asserts:  what,
			Requires: []matrix.Requirement{matrix.KVMStack, matrix.Contained},
			Depends:  on,
			Control:  controlOf(group),
		}, func(t *steps.T) { asks(t, group) }))
	}
	return all
}()

// controls are those of groups whose emulator is not asked, and of some that it is.
var controls = map[string]*sabotage.Control{
	"disk": sabotage.Command("a schema that lost an element",
		`sed -i 's/<element name="wwn">/<element name="lost">/' /usr/share/libvirt/schemas/domaincommon.rng`),
	"cpu":      sabotage.Alter("virDomainGetXMLDesc", "vendor_id=", "vendor_xx="),
	"network":  sabotage.Alter("virNetworkGetXMLDesc", "localOnly=", "localOnlx="),
	"nodedev":  sabotage.ChangeCode("virNodeDeviceCreateXML", libvirt.ERR_XML_ERROR),
	"nwfilter": sabotage.Alter("virNWFilterGetXMLDesc", "ipsetflags=", "ipsetflagx="),
	"pool":     sabotage.Alter("virStoragePoolGetXMLDesc", "virt_image_t", "virt_imagx_t"),
	"secret":   sabotage.Alter("virSecretGetXMLDesc", "TLS_example", "TLS_exampel"),
	"volume":   sabotage.Alter("virStorageVolGetXMLDesc", "<compat>0.10<", "<compat>0.11<"),
}

// controlOf is the control of a group: as a rule, an emulator that refuses one file, the
// one that most versions are to take.
func controlOf(group string) *sabotage.Control {
	if c := controls[group]; c != nil {
		return c
	}
	files, err := corpus.Group(group)
	if err != nil {
		panic(err) // as for a check that cannot be registered
	}
	files = slices.DeleteFunc(files, func(f *corpus.File) bool {
		return f.Mode == corpus.Defined || f.KVM || f.Program != "" || f.Libvirt.Until+f.QEMU.Until != ""
	})
	oldest := slices.MinFunc(files, byAge)
	return sabotage.Wrap(layout.Emulator, "an emulator that refuses "+oldest.Path(),
		fmt.Sprintf(`case "$*" in *"guest=%s,"*) echo "one feature is not supported" >&2; exit 1;; esac; exec $REAL "$@"`, oldest.ID()))
}

// byAge orders files by the versions that are to take them, the oldest first.
func byAge(a, b *corpus.File) int {
	return cmp.Or(matrix.Compare(a.Libvirt.From, b.Libvirt.From), matrix.Compare(a.QEMU.From, b.QEMU.From))
}

// inquiry is what is asked about a group.
type inquiry struct {
	*steps.T
	pair
	kind
	define  definer
	natives []steps.Native
	byName  map[string]*corpus.File
	// started are the files that are started, with their documents.
	started []*corpus.File
	docs    []string
}

func asks(t *steps.T, group string) {
	files, err := corpus.Group(group)
	t.Expect(err).NotTo(HaveOccurred(), "the corpus")
	began := time.Now()
	q := &inquiry{T: t, pair: pair{libvirt: t.Version(matrix.Libvirt), qemu: t.Version(matrix.QEMU)}, kind: kinds[files[0].Kind], byName: map[string]*corpus.File{}}
	places := q.places(files)
	q.define = q.kind.definer(t)
	for _, f := range files {
		if f.Program != "" && !q.Run("command -v "+f.Program).OK() {
			t.Note("%s was not asked: the host has no %s", f.Path(), f.Program)
			continue
		}
		if f.KVM && places.Type != "kvm" {
			t.Note("%s was not asked: the guests have no KVM", f.Path())
			continue
		}
		q.take(f, f.Fill(places))
	}
	if len(q.started) > 0 {
		q.start()
	}
	if len(q.natives) > 0 {
		q.parse(places)
	}
	for _, note := range q.notes() {
		t.Note("%s", note)
	}
	t.Note("%d files of %s in %.1f s, %d by their command lines", len(files), group, time.Since(began).Seconds(), len(q.natives))
	if bad := q.verdict(); bad != "" {
		t.Judge(matrix.LayerManagement, "%s", bad)
	}
}

// places makes what the files name.
func (q *inquiry) places(files []*corpus.File) corpus.Places {
	firmware, _ := q.Layout().UEFI() // a host without has none to name
	p := corpus.Places{
		Type: q.Settings().Type, Emulator: q.Program(layout.Emulator), Dir: q.Scratch("images"),
		Kernel: host.GuestKernel, Initrd: host.GuestInitrd, Code: firmware.Code, Vars: firmware.Vars,
	}
	q.Sh(corpus.Images(files, p, q.Program(layout.QEMUImg)))
	for name, content := range corpus.Written(files) {
		q.Put(p.Dir+"/"+name, string(content))
	}
	if slices.ContainsFunc(files, (*corpus.File).NeedsSecret) {
		q.defineSecret()
	}
	return p
}

// take has libvirt validate, keep and render a file, or notes that it is to start it.
func (q *inquiry) take(f *corpus.File, doc string) {
	if !q.keeps(f, doc) {
		return
	}
	switch f.Mode {
	case corpus.Rendered:
		line, err := q.Connection().TryNative(doc)
		if err != nil {
			q.object(f, gate, "libvirt does not render it: %s", steps.Text(err))
			return // what was not written cannot be read
		}
		q.natives, q.byName[f.ID()] = append(q.natives, steps.Native{Name: f.ID(), Line: line}), f
		return
	case corpus.Started:
		q.started, q.docs = append(q.started, f), append(q.docs, doc)
		return
	}
	q.through = append(q.through, f)
}

// start has libvirt start what is only written when it is started.
func (q *inquiry) start() {
	var variables []string
	for i, err := range q.Connection().TryCreates(q.docs) {
		f := q.started[i]
		if err != nil && refusedBelow[steps.Code(err)] {
			q.object(f, broken, "the emulator does not start with what libvirt wrote: %s", lastWords(steps.Text(err)))
		} else if err != nil {
			q.object(f, gate, "libvirt does not start it: %s", steps.Text(err))
		}
		q.through = append(q.through, f)
		// What libvirt copied for a start outlives a guest that was never defined.
		variables = append(variables, host.Quote(domain.NVRAM(f.ID())))
	}
	q.Sh("rm -f " + strings.Join(variables, " "))
}

// refusedBelow are the codes of a start that libvirt tried: what it refuses by itself
// has a code that says so.
var refusedBelow = map[libvirt.ErrorNumber]bool{libvirt.ERR_INTERNAL_ERROR: true, libvirt.ERR_OPERATION_FAILED: true}

// keeps has libvirt validate and define a file, and compares it with the dump. It says
// whether there is more to ask.
func (q *inquiry) keeps(f *corpus.File, doc string) bool {
	validate := q.AtLeast(matrix.Libvirt, q.validates)
	o, err := q.tryDefine(doc, validate)
	// A daemon that cannot validate says that it does not know the flag.
	if code := steps.Code(err); validate && (code == libvirt.ERR_XML_INVALID_SCHEMA || code == libvirt.ERR_INVALID_ARG) {
		q.object(f, schema, "it is not valid by libvirt's own schema: %s", steps.Text(err))
		o, err = q.tryDefine(doc, false)
	}
	if err != nil {
		if !slices.Contains(q.understood, steps.Code(err)) {
			q.object(f, gate, "libvirt does not define it: %s", steps.Text(err))
		}
		return false
	}
	q.compare(f, doc, steps.Get(q.T, "dump "+f.Path(), o.dump))
	q.Do("undefine "+f.Path(), o.remove)
	return true
}

func (q *inquiry) tryDefine(doc string, validate bool) (o object, err error) {
	err = q.Try("define from the corpus", func() (err error) {
		o, err = q.define(doc, validate)
		return err
	})
	return o, err
}

// compare looks for what of a file the dump lacks.
func (q *inquiry) compare(f *corpus.File, doc, dump string) {
	sent, err := parse(doc)
	q.Expect(err).NotTo(HaveOccurred(), "corpus file %s", f.Path())
	kept, err := parse(dump)
	q.Expect(err).NotTo(HaveOccurred(), "the dump of %s", f.Path())
	var gone []string
	for _, l := range lost(sent, kept) {
		if !f.MayDrop(q.libvirt, l.path) {
			gone = append(gone, l.String())
		}
	}
	if len(gone) > 0 {
		q.object(f, lossy, "libvirt's dump has it no more: %s", strings.Join(gone, "; "))
	}
}

// parse has the emulator read the command lines, and virsh write one of them.
func (q *inquiry) parse(places corpus.Places) {
	first := q.natives[0]
	file := places.Dir + "/first.xml"
	q.Put(file, q.byName[first.Name].Fill(places))
	q.Expect(q.VirshSays("domxml-to-native qemu-argv --xml "+file)).To(Equal(first.Line), "the command line by virsh, and by the API")
	// The oldest stands for those whose lines are as its own: the control is about it.
	slices.SortStableFunc(q.natives, func(a, b steps.Native) int { return byAge(q.byName[a.Name], q.byName[b.Name]) })
	unread := q.Unread(q.natives)
	for _, n := range q.natives {
		f := q.byName[n.Name]
		if end, bad := unread[n.Name]; bad {
			q.object(f, broken, "the emulator ends with status %d on what libvirt wrote: %s", end.Code, lastWords(end.Text()))
		}
		q.through = append(q.through, f)
	}
}
