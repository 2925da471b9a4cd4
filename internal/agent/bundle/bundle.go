// Package bundle is what a host tells the launcher of a bundled emulator (package
// launch) of where the bundle has its things.
package bundle

import "strings"

const (
	// Usr is where the host mounts the bundle's /usr.
	Usr = "/virtmatrix/qemu/usr"
	// Path is the file that holds a Bundle.
	Path = "/virtmatrix/qemu/bundle.json"
)

// Bundle has paths as the bundle's own programs know them.
type Bundle struct {
	// Programs are by the name that the launcher is called by in their place.
	Programs map[string]string `json:"programs"`
	// Loader is the dynamic loader, in the folder of the libraries, and Modules the
	// folder of the emulator's modules.
	Loader  string `json:"loader"`
	Modules string `json:"modules"`
}

// Inside is where a path of the bundle is for who does not see its /usr as /usr.
func Inside(path string) string { return Usr + strings.TrimPrefix(path, "/usr") }
