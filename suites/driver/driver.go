// Package driver carries a plan through its stages: it resolves the packages,
// builds the images, and hands each cell's host to the suites. The command and
// `ginkgo run ./suites` share it, so that both do the same.
package driver

import (
	"context"
	"errors"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Config says where a driver works.
type Config struct {
	// Home is the cache: packages and images.
	Home string
	// Runtime is the folder for sockets and hosts' files, /run/virtmatrix.
	Runtime string
	// Mirror overrides the package mirror of the machine's apt sources.
	Mirror string
	// Fresh asks the mirror again even when the lists at hand are young.
	Fresh bool
	// Events is told what happens; nil for nobody.
	Events progress.Sink
}

// Driver resolves, builds and boots.
type Driver struct {
	config Config
}

// Open prepares a driver and removes what killed runs left behind.
func Open(c Config) (*Driver, error) { return &Driver{config: c}, nil }

// Plan freezes what is asked for: cells and checks from the catalogue, exact
// packages from the sources. The plan is sealed.
func (d *Driver) Plan(ctx context.Context, cat *matrix.Catalog, req matrix.Request) (*matrix.Plan, error) {
	return nil, errors.ErrUnsupported
}

// Build makes every image that the plan's cells need, and the L0 emulator.
func (d *Driver) Build(ctx context.Context, plan *matrix.Plan) error { return errors.ErrUnsupported }
