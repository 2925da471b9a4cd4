package rpmrepo

import (
	"debug/elf"
	"fmt"
)

// SymbolsOf begins what a package of symbols for debuggers provides, with the build ID of
// each program (rpm's find-debuginfo).
const SymbolsOf = "debuginfo(build-id) = "

// BuildID is that of a program or a library; empty if it has none.
func BuildID(f *elf.File) (string, error) {
	section := f.Section(".note.gnu.build-id")
	if section == nil {
		return "", nil
	}
	note, err := section.Data()
	// Before it are the sizes of the name and of the ID, the kind, and "GNU\0" (elf(5)).
	const head = 16
	if err != nil || len(note) < head {
		return "", err
	}
	return fmt.Sprintf("%x", note[head:]), nil
}
