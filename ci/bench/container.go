package main

import (
	"context"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// containers measures the checks of the subject's (libvirt, qemu) pair from nothing
// until all is answered and the host is gone: in a container, against a host that is
// booted. To end the host is part of it on both sides, as it is of each cell of a run.
func containers(ctx context.Context, l *lab) ([]row, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	plan, err := l.driver.Plan(ctx, l.catalog, matrix.Request{Profile: "containers", Cells: []string{subject}})
	if err != nil {
		return nil, err
	}
	if n := len(plan.Cells); n != 1 || plan.Cells[0].Tier != matrix.Container {
		return nil, fmt.Errorf("cannot find the container of %s: profile containers has %d such cells, and may have them nested: %s", subject, n, plan.Fallback)
	}
	b := containerBench{l, plan}
	// The first container imports the image, which is done once for all.
	if _, err := b.contained(ctx); err != nil {
		return nil, err
	}
	s, err := l.inTurn(ctx, "all", side{ours, b.contained}, side{plain, b.nested})
	rows := []row{
		rowOf(s, "all", plain, "host, checks and its end in a container; plain: the same on a cold nested host", inSeconds, &target{Of: ofRatio, Most: 1.0 / 3}),
		rowOf(s, "host", plain, "... the host alone", inSeconds, nil),
	}
	rows[0].Notes = s.notes()
	return rows, err
}

type containerBench struct {
	*lab
	plan *matrix.Plan
}

func (b containerBench) contained(ctx context.Context) (map[string]float64, error) {
	c := &b.plan.Cells[0]
	return b.answered(ctx, b.plan, c, func() (cell.Host, time.Time, error) {
		asked := time.Now()
		host, err := b.hosts.Contain(ctx, c, b.file("contained"))
		if err != nil {
			return nil, asked, err // and not a host that is nil inside
		}
		return host, asked, nil
	})
}

func (b containerBench) nested(ctx context.Context) (map[string]float64, error) {
	c, err := b.cell()
	if err != nil {
		return nil, err
	}
	cold := *b.hosts
	cold.Snapshots = nil
	return b.answered(ctx, b.lab.plan, c, func() (cell.Host, time.Time, error) {
		host, err := b.boot(ctx, &cold, b.file("nested"))
		if err != nil {
			return nil, time.Time{}, err
		}
		return host, host.asked, nil
	})
}

// answered makes a host, and has it answer the checks and end.
func (b containerBench) answered(ctx context.Context, plan *matrix.Plan, c *matrix.Cell, start func() (host cell.Host, asked time.Time, err error)) (map[string]float64, error) {
	host, asked, err := start()
	if err != nil {
		return nil, err
	}
	up := time.Since(asked).Seconds()
	if _, err := b.answers(ctx, plan, c, host); err != nil {
		return nil, err
	}
	return map[string]float64{"host": up, "all": time.Since(asked).Seconds()}, nil
}
