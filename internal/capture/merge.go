package capture

import (
	"cmp"
	"fmt"
)

// many is how many things of one owner are told as one.
const many = 5

// merged tells what happened to many things of one owner as one difference, where each
// happened nowhere else: all options of a command, all fields of a state.
func merged(groups map[string]*Group) map[string]*Group {
	of := map[string][]string{}
	for key, g := range groups {
		owner, _ := split(g.Places[0])
		if len(g.Places) == 1 && owner != "" && (g.Change == Removed || g.Change == Added) {
			by := fmt.Sprintf("%q", []string{string(g.Change), g.Noun, owner, g.Packaging, fmt.Sprint(g.Breaks, g.Source)})
			of[by] = append(of[by], key)
		}
	}
	for by, keys := range of {
		if len(keys) < many {
			continue
		}
		whole := *groups[keys[0]]
		owner, _ := split(whole.Places[0])
		_, whole.Name = split(owner)
		whole.Noun, whole.Places = cmp.Or(plurals[whole.Noun], whole.Noun+"s")+" of", nil
		for _, key := range keys {
			whole.Places = append(whole.Places, groups[key].Places...)
			delete(groups, key)
		}
		groups[by] = &whole
	}
	return groups
}

// plurals are those that an "s" does not make.
var plurals = map[string]string{"entry": "entries", "property": "properties", "capability": "capabilities"}
