package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Mounts lists the mounts at or below a folder, the innermost first. Runs mount
// only in namespaces of their own, so one that is seen from here is left over.
func Mounts(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot read mounts: %w", err)
	}
	return mountsBelow(string(text), dir), nil
}

// mountsBelow reads proc_pid_mountinfo(5): the mount point is the fifth field,
// blanks in it are octal escapes.
func mountsBelow(mountinfo, dir string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var out []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if at := unescape.Replace(f[4]); within(at, dir) {
			out = append(out, at)
		}
	}
	slices.Reverse(out)
	return out
}

// within says whether a path lies below a folder. The folder itself may be a
// mount that somebody made for it.
func within(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimRight(dir, "/")+"/")
}

// Unmount removes a mount, at once from sight and for good when nothing uses it
// any more.
func Unmount(at string) error {
	if err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot unmount %s: %w", at, err)
	}
	return nil
}

// Loop is a loop device with the file that is behind it.
type Loop struct{ Device, File string }

// String names both.
func (l Loop) String() string { return "loop device " + l.Device + " on " + l.File }

// Loops lists the loop devices on files below the folders that do not free
// themselves after their last use; those of runs do.
func Loops(dirs ...string) ([]Loop, error) {
	return loopsIn("/sys/block", dirs)
}

func loopsIn(sys string, dirs []string) ([]Loop, error) {
	found, err := filepath.Glob(filepath.Join(sys, "loop*", "loop", "backing_file"))
	if err != nil {
		return nil, fmt.Errorf("cannot list loop devices: %w", err)
	}
	var out []Loop
	for _, path := range found {
		file, err := os.ReadFile(path)
		auto, autoErr := os.ReadFile(filepath.Join(filepath.Dir(path), "autoclear"))
		if err != nil || autoErr != nil || strings.TrimSpace(string(auto)) != "0" {
			continue // freed meanwhile, or it will free itself
		}
		name := strings.TrimSpace(string(file))
		if slices.ContainsFunc(dirs, func(dir string) bool { return within(name, dir) }) {
			device := filepath.Base(filepath.Dir(filepath.Dir(path)))
			out = append(out, Loop{Device: "/dev/" + device, File: name})
		}
	}
	return out, nil
}

// Detach frees the device, at once or when its last user ends.
func (l Loop) Detach() error {
	f, err := os.Open(l.Device)
	if err != nil {
		return fmt.Errorf("cannot detach %s: %w", l, err)
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
		return fmt.Errorf("cannot detach %s: %w", l, err)
	}
	return nil
}
