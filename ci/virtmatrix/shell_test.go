package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestAShellKeepsItsFolderAndTellsCodes(t *testing.T) {
	var out strings.Builder
	in := strings.NewReader("cd /usr\npwd\ncd \"/tmp/no such\"\nfalse\necho it\\'s\nexit\necho never\n")
	err := talk(t.Context(), in, &out, "cell", func(command string) (string, error) {
		text, err := exec.Command("sh", "-c", command).CombinedOutput()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			return string(text) + "\n[code]", nil
		}
		return string(text), err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cell:/usr# /usr\n", "[code]", "it's", "cell:/usr# "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says not %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "never") || strings.Contains(out.String(), "virtmatrix-folder") {
		t.Errorf("it says too much:\n%s", out.String())
	}
}
