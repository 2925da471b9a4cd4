package imagecheck

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

var fileRules = []Rule{
	{
		ID: "B-FORMAT", needs: theFile, look: lookFormat,
		What: "The file is a raw or a qcow2 image, as its name says", Why: "QEMU guesses the format of a file that nobody declares, and guests write what it guesses by",
		How: "the first bytes",
	},
	{
		ID: "B-SIZE", needs: theFile, look: lookSize,
		What: "The disk has the size that was declared (-bytes), whole sectors, and at most 4 TiB", Why: "clouds choose flavours by it, and refuse what is larger",
		How: "the length of a raw file, the header of a qcow2",
	},
	{
		ID: "B-CHECKSUM", needs: theFile, look: lookChecksum,
		What: "A checksum file beside the image names it, and matches", Why: "it is what users compare their download with",
		How: "CHECKSUM, SHA256SUMS, SHA512SUMS or FILE.SHA256SUM in the same folder, as sha256sum writes it or in BSD's shape; counts where there is one",
	},
	{
		ID: "B-QCOW-COMPAT", needs: theQCOW, look: lookCompat,
		What: "The version is the declared one (-compat), and no feature is used that older readers lack", Why: "zstd and extended L2 entries need QEMU 5.1 and 5.2, and EL 7 reads neither; encrypted images do not boot by themselves",
		How: "the header",
	},
	{
		ID: "B-QCOW-ALONE", needs: theQCOW, look: lookAlone,
		What: "No backing file, external data file, internal snapshot or bitmap", Why: "the image is not whole, or names a file of the host that reads it, or holds what was deleted",
		How: "the header; files that it names are never opened",
	},
	{
		ID: "B-QCOW-SOUND", needs: theQCOW, look: lookSound,
		What: "The tables are consistent: nothing is cut off, used twice or leaked, and neither marked dirty nor corrupt", Why: "guests read garbage, or lose what they write",
		How: "all clusters are counted, as by qemu-img check",
	},
}

func lookFormat(img *image) (answer, error) {
	if err := img.missing[theQCOW]; err != nil {
		return broken("%v", err)
	}
	if img.format != "raw" && img.format != "qcow2" {
		return broken("%v", img.missing[theDisk])
	}
	if ext := strings.TrimPrefix(filepath.Ext(img.path), "."); (ext == "raw" || ext == "qcow2") && ext != img.format {
		return broken("it is %s, and its name ends in .%s", img.format, ext)
	}
	return kept("%s", img.format)
}

func lookSize(img *image) (answer, error) {
	if err := img.missing[theQCOW]; err != nil || img.format != "raw" && img.format != "qcow2" {
		return answer{}, img.missing[theDisk]
	}
	switch {
	case img.bytes > largest || img.bytes < smallest:
		return broken("%v", img.sized())
	case img.bytes%sector != 0:
		return broken("%d bytes are no whole sectors: a raw file was cut off, or never was one", img.bytes)
	case img.declared.Bytes != 0 && img.declared.Bytes != img.bytes:
		return broken("%d bytes, and %d were declared", img.bytes, img.declared.Bytes)
	}
	return kept("%s", size(img.bytes))
}

func lookCompat(img *image) (answer, error) {
	h := img.qcow
	switch want := img.declared.Compat; {
	case want != "" && want != h.compat():
		return broken("compat %s, and %s was declared", h.compat(), want)
	case h.CryptMethod != 0:
		return broken("it is encrypted")
	case h.compression != 0:
		return broken("it is compressed with %s: convert it with -o compression_type=zlib", h.compression)
	case h.has(qcow2.IncompatibleFeaturesExtendedL2EntriesBit):
		return broken("it has extended L2 entries: convert it with -o extended_l2=off")
	case h.v3.IncompatibleFeatures>>5 != 0:
		return broken("it has features that nobody documents: %#x", uint64(h.v3.IncompatibleFeatures))
	}
	return kept("compat %s", h.compat())
}

func lookAlone(img *image) (answer, error) {
	if img.qcow.BackingFileOffset != 0 {
		return broken("it has the backing file %q, which was not opened: make it whole with qemu-img convert", img.qcow.backing(img.file))
	}
	if img.qcow.v3.AutoclearFeatures&(1<<qcow2.AutoclearFeaturesBitmapsExtensionBit) != 0 {
		return broken("it has bitmaps of backups: qemu-img bitmap --remove")
	}
	if what := img.qcow.outside(); what != "" {
		return broken("%s: make it whole with qemu-img convert", what)
	}
	return kept("it is whole by itself")
}

func lookSound(img *image) (answer, error) {
	h := img.qcow
	if h.Size > largest {
		return answer{}, fmt.Errorf("tables for such a disk are not read")
	}
	if err := h.sane(img.fileSize); err != nil {
		return broken("%v", err)
	}
	for bit, name := range []string{"dirty", "corrupt"} {
		if h.has(bit) {
			return broken("it is marked %s: qemu-img check -r all", name)
		}
	}
	switch {
	case img.uncounted != nil:
		return answer{}, img.uncounted
	case img.wrong != "":
		return broken("%s", img.wrong)
	case img.leaked > 0:
		return broken("%d clusters are leaked: convert it anew with qemu-img convert", img.leaked)
	case img.missing[theDisk] != nil:
		return answer{}, img.missing[theDisk]
	}
	return kept("%d clusters, each counted right", ceil(uint64(img.fileSize), 1<<h.ClusterBits))
}
