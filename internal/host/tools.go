package host

import "github.com/virtmatrix/virtmatrix/internal/source/tool"

// Tools lists the programs that booting a host takes, next to the emulator's
// own image.
func Tools() []tool.Tool {
	return []tool.Tool{{Name: "mkfs.ext4", Package: "e2fsprogs"}, {Name: "mount", Package: "mount"}}
}
