package delivery

import (
	"debug/elf"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func init() {
	register("D-REPOS", "What users get unasked from the repositories that the release's packages bring is what the catalogue has: verified, by its keys, and nothing of testing",
		sabotage.Distrusted(), func(t *steps.T) {
			finds(t, "repositories that users should not have so", unanswered(t, t.Delivery().Enabled()))
		}, matrix.RepositoryFiles)
	register("D-DEBUGINFO", "The symbols of each program and library of the candidate are published, by their build IDs",
		plant("a program that nobody has symbols of", source.Planted{Files: []string{"/usr/bin/" + planted}, Body: stripped()}), func(t *steps.T) {
			finds(t, "programs without symbols", texts(t.Delivery().Stripped()))
		}, matrix.Debuginfo)
	register("D-SOURCES", "The source package of each package of the candidate is published, in its version",
		plant("a package of another source", source.Planted{}), func(t *steps.T) {
			finds(t, "packages without their source", texts(t.Delivery().Sourceless()))
		}, matrix.Sources)
}

func texts(all []string) (out []text) {
	for _, s := range all {
		out = append(out, text(s))
	}
	return out
}

// stripped is the least of a program that has no build ID: the header of an ELF file.
func stripped() string {
	const size = 64
	head := make([]byte, size)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA], head[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	head[16], head[18], head[20], head[52] = byte(elf.ET_DYN), byte(elf.EM_X86_64), byte(elf.EV_CURRENT), size
	return string(head)
}
