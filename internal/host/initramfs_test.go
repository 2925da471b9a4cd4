package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

type archived struct {
	mode    cpio.FileMode
	content string
}

// unpack reads an archive and checks what a kernel needs of it: folders before
// what is in them, and nothing twice.
func unpack(t *testing.T, path string) map[string]archived {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]archived{".": {}}
	r := cpio.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := files[filepath.Dir(h.Name)]; !ok {
			t.Errorf("%s comes before its folder", h.Name)
		}
		if _, twice := files[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		if h.Linkname != "" {
			content = []byte(h.Linkname)
		}
		files[h.Name] = archived{h.Mode, string(content)}
	}
}

// realParts are parts whose files hold their own names.
func realParts(t *testing.T) Parts {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("this is "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return Parts{
		Layout: debian(), Bundle: compositions()["bundled"].parts.Bundle,
		Kernel: file("vmlinuz"), Modules: file("modules"), Root: file("root"), QEMU: file("qemu"),
		BootModules: []string{file("b.ko"), file("a.ko")}, Agent: file("agent"), Launcher: file("launch"),
		Tools: map[string]string{"probe": file("tool")},
		Guest: GuestParts{Kernel: file("l2-vmlinuz"), Init: file("l2init"), Modules: []string{file("z.ko"), file("y.ko")}, SCSI: []string{file("y.ko"), file("x.ko")}},
	}
}

func TestTheHostsInitramfs(t *testing.T) {
	p := realParts(t)
	spec, _, err := compose(p, compositions()["bundled"].settings)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "initramfs")
	if err := writeInitramfs(path, p, b); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, path)
	for name, want := range map[string]archived{
		"init":                  {cpio.TypeReg | 0o755, "this is agent"},
		"virtmatrix.json":       {cpio.TypeReg | 0o644, string(b)},
		"modules":               {cpio.TypeDir | 0o755, ""},
		"modules/b.ko":          {cpio.TypeReg | 0o644, "this is b.ko"},
		"launch":                {cpio.TypeReg | 0o755, "this is launch"},
		"virtmatrix/bin/probe":  {cpio.TypeReg | 0o755, "this is tool"},
		"virtmatrix/l2/vmlinuz": {cpio.TypeReg | 0o644, "this is l2-vmlinuz"},
	} {
		if files[name] != want {
			t.Errorf("%s is %v %q, want %v %q", name, files[name].mode, files[name].content, want.mode, want.content)
		}
	}
	// What the agent is told to use is there.
	for _, m := range spec.Modules {
		if _, ok := files[strings.TrimPrefix(m, "/")]; !ok {
			t.Errorf("the spec loads %s, which is not there", m)
		}
	}
	for _, f := range spec.Files {
		if _, ok := files[strings.TrimPrefix(f.From, "/")]; f.From != "" && !ok {
			t.Errorf("the spec copies %s, which is not there", f.From)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("besides the archive there are %v", left)
	}
}

func TestTheGuestsInitramfs(t *testing.T) {
	p := realParts(t)
	path := filepath.Join(t.TempDir(), "initrd")
	if err := WriteGuestInitramfs(path, p.Guest); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, path)
	for name, want := range map[string]archived{
		"init":          {cpio.TypeReg | 0o755, "this is l2init"},
		"modules/load":  {cpio.TypeReg | 0o644, "z.ko\ny.ko\n"},
		"modules/scsi":  {cpio.TypeReg | 0o644, "y.ko\nx.ko\n"},
		"modules/y.ko":  {cpio.TypeReg | 0o644, "this is y.ko"},
		"modules/x.ko":  {cpio.TypeReg | 0o644, "this is x.ko"},
		"sbin/poweroff": {cpio.TypeSymlink | 0o777, "/init"},
		"bin/sh":        {cpio.TypeSymlink | 0o777, "/init"},
		"sbin/reboot":   {cpio.TypeSymlink | 0o777, "/init"},
	} {
		if files[name] != want {
			t.Errorf("%s is %v %q, want %v %q", name, files[name].mode, files[name].content, want.mode, want.content)
		}
	}
}

func TestAMissingPartIsNamed(t *testing.T) {
	for what, lose := range map[string]func(*Parts) *string{
		"agent":          func(p *Parts) *string { return &p.Agent },
		"module":         func(p *Parts) *string { return &p.BootModules[1] },
		"guest's kernel": func(p *Parts) *string { return &p.Guest.Kernel },
		"guest's init":   func(p *Parts) *string { return &p.Guest.Init },
		"launcher":       func(p *Parts) *string { return &p.Launcher },
	} {
		p := realParts(t)
		gone := filepath.Join(t.TempDir(), "gone")
		*lose(&p) = gone
		err := writeInitramfs(filepath.Join(t.TempDir(), "initramfs"), p, nil)
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), gone) {
			t.Errorf("%s: writeInitramfs = %v, want that %s is not there", what, err, gone)
		}
	}
}
