package nocloud

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// allowed are the files of a seed that cloud-init reads.
var allowed = []string{UserData, MetaData, networkConfig, "vendor-data"}

// mostSeed is the largest file of a seed: user-data of most clouds may have 16 KiB.
const mostSeed = 1 << 20

// ReadSeed reads the files of a seed from a folder and says all that is wrong with them.
func ReadSeed(dir fs.FS) (files map[string]string, err error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("cannot read seed: %w", err)
	}
	files = map[string]string{}
	var wrong []error
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil:
			wrong = append(wrong, err)
		case !slices.Contains(allowed, e.Name()):
			wrong = append(wrong, fmt.Errorf("%q is no file of a seed: cloud-init reads %s", e.Name(), strings.Join(allowed, ", ")))
		case !e.Type().IsRegular() || info.Size() > mostSeed:
			wrong = append(wrong, fmt.Errorf("%q is no regular file of at most %d bytes", e.Name(), mostSeed))
		default:
			text, err := fs.ReadFile(dir, e.Name())
			wrong = append(wrong, err)
			files[e.Name()] = string(text)
		}
	}
	return files, errors.Join(append(wrong, Validate(files))...)
}

// Validate says what keeps cloud-init from taking these files, or from doing what they say.
func Validate(files map[string]string) error {
	var wrong []error
	for _, name := range []string{UserData, MetaData} {
		if _, ok := files[name]; !ok {
			wrong = append(wrong, fmt.Errorf("there is no %s: without it the seed is not taken", name))
		}
	}
	if text, ok := files[MetaData]; ok {
		wrong = append(wrong, validateMeta(text))
	}
	for _, name := range []string{UserData, "vendor-data"} {
		if text, ok := files[name]; ok {
			wrong = append(wrong, validateUser(name, text))
		}
	}
	if text, ok := files[networkConfig]; ok {
		wrong = append(wrong, validateNetwork(text))
	}
	return errors.Join(wrong...)
}

// mapping reads YAML whose top is a mapping, with each key once.
func mapping(name, text string) (m map[string]any, err error) {
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("%s is no YAML mapping: %s", name, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return m, nil
}

func validateMeta(text string) error {
	m, err := mapping(MetaData, text)
	if err != nil {
		return err
	}
	if id, _ := m["instance-id"].(string); id == "" {
		return fmt.Errorf("%s has no instance-id that is a text: the machine would not know a new instance (quote numbers)", MetaData)
	}
	return nil
}

// kinds are the ways in which user-data that is no cloud-config begins.
var kinds = []string{"#!", "#include", "#part-handler", "#cloud-boothook", "#cloud-config-archive", "## template: jinja", "Content-Type:", "MIME-Version:", "\x1f\x8b"}

func validateUser(name, text string) error {
	first, _, _ := strings.Cut(text, "\n")
	if strings.TrimSpace(first) == "#cloud-config" {
		_, err := mapping(name, text)
		return err
	}
	if text != "" && !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(text, k) }) {
		return fmt.Errorf("%s begins with %.40q, by which cloud-init does not know what it is: a cloud-config begins with #cloud-config", name, first)
	}
	return nil
}

func validateNetwork(text string) error {
	m, err := mapping(networkConfig, text)
	if err != nil {
		return err
	}
	if inner, ok := m["network"].(map[string]any); ok {
		m = inner
	}
	switch fmt.Sprint(m["version"]) {
	case "1", "2":
		return nil
	}
	return fmt.Errorf("%s has no version 1 or 2", networkConfig)
}
