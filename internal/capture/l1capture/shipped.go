package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// shipped calls take with the name, without its suffix, and the text of each file that
// matches one of the patterns.
func shipped(take func(name, text string) error, patterns ...string) error {
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if errors.Is(err, syscall.EISDIR) {
				continue
			}
			if err != nil {
				return fmt.Errorf("cannot read shipped file: %w", err)
			}
			if err := take(filepath.Base(path), string(text)); err != nil {
				return fmt.Errorf("cannot understand %s: %w", path, err)
			}
		}
	}
	return nil
}

// setting is a line that sets a key. A default is behind a "#" without a space; what
// follows "# " is prose.
var setting = regexp.MustCompile(`(?m)^(#?)([a-z][a-z0-9_]*) *= *(\[[^\]]*\]|.*)$`)

func takeConfig(t *taker) error {
	return shipped(func(name, text string) error {
		t.addNames("config", "", name)
		for _, m := range setting.FindAllStringSubmatch(text, -1) {
			value := strings.Join(strings.Fields(strings.ReplaceAll(m[3], "\n#", " ")), " ")
			if m[1] == "" {
				value = "set to " + value
			}
			t.add("config", capture.Fact{Path: name + "/" + m[2], Value: value})
		}
		return nil
	}, t.Layout.LibvirtConfig+"/*.conf")
}

// unitSetting are those that decide when a unit runs, as whom, and who reaches it.
var unitSetting = regexp.MustCompile(`(?m)^(ListenStream|SocketMode|SocketUser|SocketGroup|ExecStart|ExecReload|Type|User|Group|Alias|Also|WantedBy|Requires|BindsTo|Wants|Conflicts|EnvironmentFile|KillMode|LimitNOFILE|TasksMax|Restart|Service)=(.*)$`)

// unitFiles are where libvirt has its units.
var unitFiles = []string{"/usr/lib/systemd/system/libvirt*", "/usr/lib/systemd/system/virt*"}

func takeUnits(t *taker) error {
	return shipped(func(name, text string) error {
		t.addNames("units", "", name)
		values := map[string]string{}
		for _, m := range unitSetting.FindAllStringSubmatch(text, -1) {
			values[m[1]] = strings.TrimSpace(values[m[1]] + " " + m[2])
		}
		for key, value := range values {
			t.add("units", capture.Fact{Path: name + "/" + key, Value: value})
		}
		return nil
	}, unitFiles...)
}

func takePolkit(t *taker) error {
	return shipped(func(_, text string) error {
		root, err := parseXML(text)
		for _, action := range root.Children {
			if action.Name.Local != "action" {
				continue
			}
			t.addNames("polkit", "", action.attr("id"))
			for _, c := range action.Children {
				for _, d := range c.Children {
					t.add("polkit", capture.Fact{Path: action.attr("id") + "/" + d.Name.Local, Value: strings.TrimSpace(d.Text)})
				}
			}
		}
		return err
	}, "/usr/share/polkit-1/actions/org.libvirt*.policy")
}

// takeFilters takes the rules of each filter, whose order is in their priorities.
func takeFilters(t *taker) error {
	return shipped(func(_, text string) error {
		root, err := parseXML(text)
		name := root.attr("name")
		t.addNames("nwfilters", "", name)
		for _, c := range root.Children {
			if c.Name.Local != "uuid" {
				t.addNames("nwfilters", name, strings.ReplaceAll(oneLine(c), "/", "|"))
			}
		}
		return err
	}, "/etc/libvirt/nwfilter/*.xml", "/usr/share/libvirt/nwfilter/*.xml")
}

// oneLine writes an element with its attributes and children.
func oneLine(e element) string {
	words := []string{e.Name.Local}
	for _, a := range e.Attrs {
		words = append(words, a.Name.Local+"="+a.Value)
	}
	for _, c := range e.Children {
		words = append(words, "("+oneLine(c)+")")
	}
	return strings.Join(words, " ")
}

func takeCPUMap(t *taker) error {
	return shipped(func(_, text string) error {
		root, err := parseXML(text)
		for _, e := range root.Children {
			switch e.Name.Local {
			case "model":
				t.addNames("cpumap", "", e.attr("name"))
				for _, c := range e.Children {
					path := e.attr("name") + "/" + c.Name.Local
					if c.Name.Local == "feature" {
						path = e.attr("name") + "/" + c.attr("name")
					}
					t.add("cpumap", capture.Fact{Path: path, Value: c.attr("policy") + c.attr("removed")})
				}
			case "feature":
				t.addNames("cpumap", "", "features")
				t.addNames("cpumap", "features", e.attr("name"))
			}
		}
		return err
	}, t.Layout.CPUMap+"/*.xml")
}
