package nocloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

func TestAVolumeHoldsTheSeedUnderItsLabel(t *testing.T) {
	want := Seed{Nonce: "n0nce", Instance: "i-1", Hostname: "name", Key: "ssh-ed25519 AAAA"}.Files()
	for _, format := range []Format{ISO9660, VFAT} {
		path := filepath.Join(t.TempDir(), "seed")
		if err := Write(path, format, want); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		st, _ := f.Stat()
		var volume filesystem.FileSystem
		if format == VFAT {
			volume, err = fat32.Read(file.New(f, true), st.Size(), 0, 512)
		} else {
			volume, err = iso9660.Read(file.New(f, true), st.Size(), 0, 2048)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimRight(volume.Label(), " \x00"); got != "cidata" {
			t.Errorf("%s: label %q", format, got)
		}
		for name, text := range want {
			in, err := volume.OpenFile("/"+name, os.O_RDONLY)
			if err != nil {
				t.Errorf("%s: %v", format, err)
				continue
			}
			// The library reads whole clusters.
			if got, err := io.ReadAll(in); string(bytes.TrimRight(got, "\x00")) != text || err != nil {
				t.Errorf("%s: %s holds %.100q, %v", format, name, got, err)
			}
		}
	}
}

func TestTheScriptOfASeedIsOneThatAShellReads(t *testing.T) {
	s := Seed{Nonce: "n0nce", Instance: "i-1", Key: "ssh-ed25519 AAAA", Login: "-----BEGIN"}.script()
	report, _, ok := strings.Cut(s, "\nVMEND\n")
	_, report, ok2 := strings.Cut(report, "<<'VMEND'\n")
	if !ok || !ok2 {
		t.Fatalf("no report in %q", s)
	}
	for _, script := range []string{s, report} {
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = strings.NewReader(script)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s in\n%s", err, said, script)
		}
	}
}

func say(nonce, fact, text string) string {
	v := base64.StdEncoding.EncodeToString([]byte(text))
	if fact == "begin" || fact == "end" {
		v = "0"
	}
	sum := sha256.Sum256([]byte(v))
	return fmt.Sprintf("\n@%s %s %x %s\r\n", nonce, fact, sum[:8], v)
}

func whole(nonce string) (text string) {
	text = "kernel\n" + say(nonce, "begin", "")
	for range 2 {
		for _, f := range facts {
			text += say(nonce, f.name, "of "+f.name+"\n")
		}
	}
	return text + say(nonce, "end", "")
}

func TestAReportIsReadFromAnyNoiseThatHasOurNonce(t *testing.T) {
	good := whole("n0nce")
	spoiled := strings.Replace(good, "@n0nce hostname", "@n0n[ 3.1] random: x\nce hostname", 1) // it is said twice
	r := Read([]byte(spoiled), "n0nce")
	if !r.Whole || !r.Begun || r.Fact("hostname") != "of hostname" {
		t.Errorf("report %+v", r)
	}
	for name, text := range map[string]string{
		"nothing": "", "another's": whole("other"), "cut off": good[:len(good)/3],
		"changed":  strings.ReplaceAll(good, base64.StdEncoding.EncodeToString([]byte("of result\n")), base64.StdEncoding.EncodeToString([]byte("of nesult\n"))),
		"no end":   strings.Replace(good, " end ", " und ", 1),
		"endless":  strings.Repeat("@n0nce ", 1<<20),
		"one line": "@n0nce result " + strings.Repeat("A", 1<<20) + "\n",
	} {
		if r := Read([]byte(text), "n0nce"); r.Whole {
			t.Errorf("%s: the report is whole", name)
		}
	}
	if r := Read([]byte(whole("other")), "n0nce"); r.Begun || len(r.Lacks()) != len(facts) {
		t.Errorf("of another's report: %+v", r)
	}
}

func TestTheLastBootOfAConsoleCounts(t *testing.T) {
	line := "[  73.5] cloud-init[467]: Cloud-init v. %s finished at Sun, 29 Nov 2026 03:07:39 +0000. Datasource %s.  Up 73.48 seconds\n"
	text := fmt.Sprintf(line, "20.4.1", "DataSourceNone") + fmt.Sprintf(line, "26.1-1", "DataSourceNoCloud [seed=/dev/vdb]")
	version, source, ok := Finished([]byte(text))
	if version != "26.1-1" || source != "DataSourceNoCloud" || !ok {
		t.Errorf("got %q, %q, %v", version, source, ok)
	}
	if _, _, ok := Finished(bytes.Repeat([]byte("Cloud-init v. "), 1<<16)); ok {
		t.Error("a console that floods is through")
	}
}
