package reports

import (
	"io"
	"io/fs"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Options are what a renderer may know besides the matrix.
type Options struct {
	// Colour lets the terminal format use colour: set it for a TTY.
	Colour bool
	// Evidence is the run directory, from which the html format inlines the
	// evidence. Take it from os.Root.FS, which no link can leave. Nil inlines
	// nothing.
	Evidence fs.FS
}

// Format is one way to show a matrix.
type Format struct {
	Name string
	// File is the name under which a run stores this format.
	File string
	// Render writes the matrix. Its errors are those of the writer.
	Render func(io.Writer, *Matrix) error
}

// Formats is the table of all formats.
func Formats(o Options) []Format {
	return []Format{
		{"terminal", "report.txt", terminal{o.Colour}.render},
		{"md", "report.md", renderMarkdown},
		{"junit", "junit.xml", renderJUnit},
		{"json", "matrix.json", writeJSON},
		{"html", "report.html", page{o.Evidence}.render},
		{"badge", "badge.svg", renderBadge},
	}
}

// FormatNamed returns a format by its name; the error for an unknown name
// gives the nearest.
func FormatNamed(name string, o Options) (Format, error) {
	var names []string
	for _, f := range Formats(o) {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, matrix.Unknown("format", name, names)
}
