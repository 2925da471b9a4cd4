package imagecheck

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// xfsBytes is the least that mkfs.xfs takes.
const xfsBytes = 300 << 20

// proto writes the files as a prototype for mkfs.xfs, by xfs's mkfs.xfs(8).
func proto(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	contents := 0
	tree := map[string]map[string]string{"": {}}
	for name, text := range files {
		folder, base := filepath.Split(name)
		folder = strings.Trim(folder, "/")
		for at := folder; at != ""; at = strings.TrimPrefix(filepath.Dir("/"+at), "/") {
			if tree[at] == nil {
				tree[at] = map[string]string{}
			}
		}
		if base == "" {
			continue
		}
		if target, isLink := strings.CutPrefix(text, link); isLink {
			tree[folder][base] = "l--777 0 0 " + target
			continue
		}
		contents++
		at := filepath.Join(dir, fmt.Sprint(contents))
		must(t, os.WriteFile(at, []byte(text), 0o600))
		tree[folder][base] = "---644 0 0 " + at
	}
	var b strings.Builder
	b.WriteString("/dev/null\n0 0\nd--755 0 0\n")
	var write func(folder string)
	write = func(folder string) {
		for _, name := range slices.Sorted(maps.Keys(tree[folder])) {
			fmt.Fprintf(&b, "%s %s\n", name, tree[folder][name])
		}
		for _, sub := range slices.Sorted(maps.Keys(tree)) {
			if sub != "" && strings.TrimPrefix(filepath.Dir("/"+sub), "/") == folder {
				fmt.Fprintf(&b, "%s d--755 0 0\n", filepath.Base(sub))
				write(sub)
			}
		}
		b.WriteString("$\n")
	}
	write("")
	path := filepath.Join(dir, "proto")
	must(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// makeXFS makes a raw image with a GPT and the files on an XFS.
func makeXFS(t *testing.T, files map[string]string, options ...string) string {
	t.Helper()
	if _, err := exec.LookPath("mkfs.xfs"); err != nil {
		t.Skip("images are made by mkfs.xfs; install xfsprogs")
	}
	path, system := filepath.Join(t.TempDir(), "x.raw"), filepath.Join(t.TempDir(), "xfs")
	for name, bytes := range map[string]int64{path: xfsBytes + 4<<20, system: xfsBytes} {
		must(t, os.WriteFile(name, nil, 0o600))
		must(t, os.Truncate(name, bytes))
	}
	args := append([]string{"-q", "-f", "-L", "cloudroot", "-m", "uuid=" + rootUUID, "-p", proto(t, files)}, options...)
	if out, err := exec.Command("mkfs.xfs", append(args, system)...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.xfs: %v: %s", err, out)
	}
	from, err := os.Open(system)
	must(t, err)
	defer from.Close()
	chunk := make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(chunk)) {
		n, err := from.ReadAt(chunk, at)
		if strings.Trim(string(chunk[:n]), "\x00") != "" {
			poke(t, path, rootAt+at, chunk[:n]...)
		}
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	writeGPT(t, path, []*gpt.Partition{{Index: 1, Start: rootAt / sector, End: (rootAt+xfsBytes)/sector - 1, Type: gpt.LinuxFilesystem, Name: "root"}})
	return path
}

func TestImagesOnXFSAreReadWithoutMounting(t *testing.T) {
	files := with(el, map[string]string{
		"etc/hostname":     link + strings.Repeat("./", 60) + "name",
		"etc/name":         "localhost\n",
		"var/lib/dbus/pad": strings.Repeat("0123456789abcdef\n", 3000),
	})
	for n := range 400 { // no folder for one block
		files[fmt.Sprintf("etc/ssh/moduli-%060d", n)] = ""
	}
	for name, options := range map[string][]string{
		"defaults": nil, "version 4": {"-m", "crc=0,finobt=0,rmapbt=0,reflink=0,bigtime=0,inobtcount=0"}, "small blocks": {"-b", "size=1024", "-n", "size=8192"}, "wide counts": {"-i", "nrext64=1"},
	} {
		t.Run(name, func(t *testing.T) {
			good := makeXFS(t, files, options...)
			r := check(t, good)
			breaks(t, r)
			answered(t, r)
			key := with(files, map[string]string{"etc/ssh/ssh_host_rsa_key": "x", "etc/name": "build-host\n"})
			r = check(t, makeXFS(t, key, options...))
			breaks(t, r, "B-HOST-KEYS", "B-HOSTNAME")
			answered(t, r)
		})
	}
}

func TestAnXFSWhoseLogWasNotReplayedIsNotClean(t *testing.T) {
	path := makeXFS(t, el)
	poke(t, path, lastRecord(t, path)+sector+9, 0) // the flags of its operation
	breaks(t, check(t, path), "B-CLEAN")
}

// lastRecord is where the log of a new XFS begins its one record.
func lastRecord(t *testing.T, path string) int64 {
	t.Helper()
	disk, err := os.ReadFile(path)
	must(t, err)
	for at := rootAt; at < len(disk); at += sector {
		if strings.HasPrefix(string(disk[at:at+4]), "\xfe\xed\xba\xbe") {
			return int64(at)
		}
	}
	t.Fatal("the log has no record")
	return 0
}
