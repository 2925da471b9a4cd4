package nocloud

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

func TestASeedOfOursIsValid(t *testing.T) {
	s := Seed{Nonce: "n", Instance: "i-1", Hostname: "name", Key: "ssh-ed25519 AAAA it's \"me\"", User: "u", Login: "-----BEGIN", MAC: "52:54:00:00:00:01", Address: "192.0.2.1/24"}
	if err := Validate(s.Files()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsWrongWithASeedIsSaid(t *testing.T) {
	good := map[string]string{UserData: "#cloud-config\nhostname: x\n", MetaData: "instance-id: i-1\n"}
	for says, change := range map[string]map[string]string{
		"":                          {"vendor-data": "", networkConfig: "network: {version: 1, config: []}"},
		"there is no meta-data":     {MetaData: "-"},
		"there is no user-data":     {UserData: "-"},
		"no instance-id":            {MetaData: "local-hostname: x\n"},
		"quote numbers":             {MetaData: "instance-id: 0123\n"},
		"meta-data is no YAML":      {MetaData: "instance-id: [\n"},
		"user-data is no YAML":      {UserData: "#cloud-config\n- a list\n"},
		"by which cloud-init":       {UserData: "# cloud-config\nhostname: x\n"},
		"has no version":            {networkConfig: "ethernets: {}\n"},
		"meta-data.txt":             {"meta-data.txt": "x"},
		`"\x1b[2J" is no file of a`: {"\x1b[2J": "x"},
		"at most 1048576 bytes":     {UserData: strings.Repeat("#", mostSeed+1)},
	} {
		files := maps.Clone(good)
		maps.Copy(files, change)
		dir := fstest.MapFS{}
		for name, text := range files {
			if text != "-" {
				dir[name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		_, err := ReadSeed(dir)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%v says %v, want %q", change, err, says)
		}
	}
}
