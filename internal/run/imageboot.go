package run

import (
	"cmp"
	"context"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/imageboot"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// ImageBoot is what images of users boot by: the L0 emulator, which is built when it is not
// at hand, under the accelerator that the last probe found, if there was one.
func (d *Driver) ImageBoot(ctx context.Context, cat *matrix.Catalog) (o imageboot.Options, err error) {
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return o, err
	}
	plan := &matrix.Plan{PackageSets: map[string]matrix.PackageSet{}}
	if err := d.resolveEmulator(ctx, plan, sources); err != nil {
		return o, err
	}
	img, err := d.buildImage(ctx, plan, plan.Emulator, sources)
	if err != nil {
		return o, err
	}
	found, err := fixtures.Layout(ctx, img, d.store)
	if err != nil {
		return o, err
	}
	o.Emulator = d.emulator(plan, &Images{byRef: map[matrix.ImageRef]store.Image{plan.Emulator: img}})
	if o.Emulator.Program, err = found.Program(layout.Emulator); err != nil {
		return o, err
	}
	probed, _ := accel.Kept(accelCache(d.config.Home), o.Emulator)
	o.Accel, o.Scale, o.Scratch = cmp.Or(probed.Accel, accel.TCG), max(probed.Scale, 1), Scratch(d.config.Home)
	return o, nil
}
