package steps

import (
	"encoding/json"
	"fmt"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// QCOW2 makes an image in L1 for a guest's disk of SharedDiskBytes which begins with a
// text, and which nobody but its owner may read.
func (t *T) QCOW2(name, text string) (path string) {
	return t.qcow2(name, "printf %s "+host.Quote(text), SharedDiskBytes)
}

// NoisyQCOW2 makes an image whose every byte has been written.
func (t *T) NoisyQCOW2(name string, bytes int64) (path string) {
	return t.qcow2(name, fmt.Sprintf("head -c %d /dev/urandom", bytes), bytes)
}

func (t *T) qcow2(name, content string, bytes int64) (path string) {
	path = t.Scratch(name)
	raw := path + ".raw"
	t.Sh(fmt.Sprintf("%s >%s && truncate -s %d %s && %s convert -f raw -O qcow2 %s %s && rm %s && chmod 600 %s",
		content, raw, bytes, raw, t.Program(layout.QEMUImg), raw, path, raw, path))
	return path
}

// Overlay makes an image whose content is the base's until it is written to.
func (t *T) Overlay(name, base string) (path string) {
	path = t.Scratch(name)
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 -b %s -F qcow2 %s && chmod 600 %s", t.Program(layout.QEMUImg), base, path, path))
	return path
}

// FillImage writes a letter n times to an image that nobody uses, at an offset in bytes.
func (t *T) FillImage(path string, offset int64, letter byte, n int) {
	t.Sh(fmt.Sprintf("%s -f qcow2 -c 'write -P %d %d %d' %s", t.Program("qemu-io"), letter, offset, n, path))
}

// TextAt reads n bytes of what a disk with the image holds at an offset, whatever the
// image's format, and also while a guest uses it. It may be the URL of an export.
func (t *T) TextAt(image string, offset int64, n int) string {
	raw := host.ScratchDir + "/" + t.Check + ".raw"
	return t.Sh(fmt.Sprintf("%s convert -U -O raw %s %s && { tail -c +%d %s | head -c %d; rm %s; }",
		t.Program(layout.QEMUImg), host.Quote(image), raw, offset+1, raw, n, raw))
}

// ExpectSameContent asserts that disks with these images hold the same.
func (t *T) ExpectSameContent(a, b string) {
	if res := t.Run(fmt.Sprintf("%s compare -U %s %s", t.Program(layout.QEMUImg), a, b)); !res.OK() {
		t.Fail(t.Layer, "%s and %s do not hold the same: %s", a, b, res.Text())
	}
}

// Chain lists the files of an image and its backing images as qemu-img finds them.
func (t *T) Chain(image string) (files []string) {
	var chain []struct {
		Filename string `json:"filename"`
	}
	said := t.Sh(fmt.Sprintf("%s info -U --backing-chain --output=json %s", t.Program(layout.QEMUImg), image))
	if err := json.Unmarshal([]byte(said), &chain); err != nil {
		t.must(fault.Infraf("read a backing chain", "%w: %s", err, said), "")
	}
	for _, i := range chain {
		files = append(files, i.Filename)
	}
	return files
}

// OpenToOthers lists which of the files somebody but their owner may read or write,
// each with its mode.
func (t *T) OpenToOthers(files ...string) string {
	command := "find"
	for _, f := range files {
		command += " " + host.Quote(f)
	}
	return t.Sh(command + ` -perm /077 -printf '%m %f\n'`)
}
