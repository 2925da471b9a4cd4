package rpmrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// Repository is a folder of packages with an index.
type Repository struct {
	Dir string
	// Packages signs packages, Metadata the index; nil for unsigned.
	Packages, Metadata *Key
	// Modules is the text of modulemd documents; empty for none.
	Modules string
}

// Tools are what repositories are made with.
func Tools() []tool.Tool {
	return []tool.Tool{{Name: "createrepo_c", Package: "createrepo-c"}, {Name: "modifyrepo_c", Package: "createrepo-c"}}
}

// Add makes a package in the repository and returns its file.
func (r Repository) Add(p Package) (path string, err error) {
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return "", err
	}
	return p.write(r.Dir, r.Packages)
}

// Publish makes the index of what is in the folder, and signs it.
func (r Repository) Publish(ctx context.Context) error {
	err := run(ctx, "createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", "--general-compress-type=gz", r.Dir)
	if err == nil && r.Modules != "" {
		err = r.addModules(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot publish repository %s: %w", filepath.Base(r.Dir), err)
	}
	return r.sign()
}

func (r Repository) addModules(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "modules-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "modules.yaml")
	if err := os.WriteFile(file, []byte(r.Modules), 0o644); err != nil {
		return err
	}
	return run(ctx, "modifyrepo_c", "--mdtype=modules", "--simple-md-filenames", file, filepath.Join(r.Dir, "repodata"))
}

// Index is the file that names and vouches for all other files of the index.
func (r Repository) Index() string { return filepath.Join(r.Dir, "repodata", "repomd.xml") }

func (r Repository) sign() error {
	if r.Metadata == nil {
		return nil
	}
	text, err := os.ReadFile(r.Index())
	if err != nil {
		return err
	}
	signature, err := r.Metadata.armored(text)
	if err != nil {
		return fmt.Errorf("cannot sign repository %s: %w", filepath.Base(r.Dir), err)
	}
	return os.WriteFile(r.Index()+".asc", signature, 0o644)
}

func run(ctx context.Context, argv ...string) error {
	_, _, err := tool.Run(ctx, tool.Command{Argv: argv})
	return err
}
