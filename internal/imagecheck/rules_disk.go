package imagecheck

import (
	"fmt"
	"io"
)

var diskRules = []Rule{
	{
		ID: "B-TABLE", needs: theDisk, look: lookTable,
		What: "The partition table is whole: a GPT in both copies, or an MBR; partitions are on the disk and share nothing", Why: "firmware and growpart refuse others, or repair them into something else",
		How: "both tables are read, and their checksums compared",
	},
	{
		ID: "B-ROOT", needs: theDisk, look: lookRoot,
		What: "One partition holds the root file system, on ext4 or XFS", Why: "cloud-init grows these; LVM and others it does not",
		How: "the partition that has /etc/passwd",
	},
	{
		ID: "B-ROOT-LAST", needs: theRoot, look: lookLast,
		What: "The root partition is the last one on the disk", Why: "only what has nothing behind it grows into a larger disk",
		How: "the begins of partitions, whatever their numbers",
	},
	{
		ID: "B-CLEAN", needs: theDisk, look: lookClean,
		What: "File systems were unmounted", Why: "a journal that was not replayed holds changes that a reader does not see, and the image was copied while it changed",
		How: "state and features in ext4's superblock, the last record in XFS' log",
	},
}

func lookTable(img *image) (answer, error) {
	if img.table.wrong != nil {
		return broken("%v", img.table.wrong)
	}
	if img.table.kind == "" {
		return broken("there is none: partition the disk, so that boot loaders have a place")
	}
	return kept("%s: %s", img.table.kind, img.table.holdings())
}

func lookRoot(img *image) (answer, error) {
	switch {
	case img.rootless:
		return broken("%v", img.missing[theRoot])
	case img.root == nil:
		return answer{}, img.missing[theRoot]
	}
	return kept("%s: %s", img.at, img.at.holds)
}

func lookLast(img *image) (answer, error) {
	for _, p := range img.table.parts {
		if p.start > img.at.start {
			return broken("%s is behind %s: make the root partition the last one", p, img.at)
		}
	}
	return kept("%s ends %s before the disk", img.at, size(img.bytes-img.at.start-img.at.size))
}

func lookClean(img *image) (answer, error) {
	if img.table.wrong != nil {
		return answer{}, fmt.Errorf("the partition table is broken")
	}
	n := 0
	for _, p := range img.parts() {
		if p.holds != "ext4" && p.holds != "xfs" {
			continue
		}
		n++
		clean, err := unmounted(img.disk, p)
		if err != nil {
			return answer{}, err
		}
		if !clean {
			return broken("%s of %s was not: shut the machine down before its disk is published", p.holds, p)
		}
	}
	return kept("%d file systems", n)
}

// unmounted says whether a file system has nothing left to replay.
func unmounted(disk io.ReaderAt, p partition) (bool, error) {
	if p.holds == "xfs" {
		from, err := openXFS(disk, p)
		if err != nil {
			return false, fmt.Errorf("XFS of %s cannot be read: %w", p, err)
		}
		return from.Unmounted()
	}
	s, err := readSuperblock(disk, p)
	return s.state&ext4Clean != 0 && s.incompat&ext4Recover == 0, err
}
