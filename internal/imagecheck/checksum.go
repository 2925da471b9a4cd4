package imagecheck

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// checksum is a line of a checksum file: "HEX  NAME" of sha256sum, with " *" before names
// of binary files (Debian), or "SHA256 (NAME) = HEX" of BSD (EL).
var checksum = regexp.MustCompile(`^(?:([0-9a-fA-F]{64,128}) [ *](?:\./)?(.+)|SHA(?:256|512) \((.+)\) = ([0-9a-fA-F]{64,128}))$`)

// isChecksums says whether a file may hold the checksum of an image.
func isChecksums(file, image string) bool {
	switch file {
	case "SHA256SUMS", "SHA512SUMS", image + ".SHA256SUM", image + ".sha256", image + ".sha512":
		return true
	}
	return strings.HasSuffix(file, "CHECKSUM")
}

func lookChecksum(img *image) (answer, error) {
	folder, name := filepath.Dir(img.path), filepath.Base(img.path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return answer{}, fmt.Errorf("cannot look for a checksum file: %w", err)
	}
	var looked, found []string
	for _, e := range entries {
		if !isChecksums(e.Name(), name) {
			continue
		}
		looked = append(looked, e.Name())
		text, err := readSmall(filepath.Join(folder, e.Name()))
		if err != nil {
			return answer{}, fmt.Errorf("cannot read %q: %w", e.Name(), err)
		}
		if want := listed(text, name); want != "" {
			found = append(found, e.Name())
			got, err := img.digest(want)
			if err != nil {
				return answer{}, err
			}
			if !strings.EqualFold(got, want) {
				return broken("%q says %.12s..., and it is %.12s...: fetch both again", e.Name(), want, got)
			}
		}
	}
	switch {
	case len(looked) == 0:
		return answer{NotMeant, "there is no checksum file beside it"}, nil
	case len(found) == 0:
		return broken("%q does not name it", looked)
	}
	return kept("as in %q", found)
}

func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestFile))
	return string(text), err
}

// listed is the checksum of a file in a text, which may be signed around it.
func listed(text, name string) string {
	for line := range strings.Lines(text) {
		m := checksum.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m != nil && m[2]+m[3] == name {
			return m[1] + m[4]
		}
	}
	return ""
}

// digest is the file's, of the kind that a checksum of this length is of.
func (img *image) digest(like string) (string, error) {
	var h hash.Hash
	switch len(like) / 2 {
	case sha256.Size:
		h = sha256.New()
	case sha512.Size:
		h = sha512.New()
	default:
		return "", fmt.Errorf("a checksum of %d digits is of no kind that is known", len(like))
	}
	all := &budget{ctx: img.ctx, from: img.file, left: 1 << 62}
	if _, err := io.Copy(h, io.NewSectionReader(all, 0, img.fileSize)); err != nil {
		return "", fmt.Errorf("cannot read the image for its checksum: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
