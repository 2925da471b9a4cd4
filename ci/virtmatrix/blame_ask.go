package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
	"github.com/virtmatrix/virtmatrix/reports/blame"
)

// Ask runs the check on stacks, as any run is made. What is asked several times is asked in
// as many runs.
func (b *blaming) Ask(_ context.Context, stacks []blame.Stack) ([]blame.Answer, error) {
	answers := make([]blame.Answer, len(stacks))
	var rounds []map[string]int // which stack each cell of a round is
	for i, stack := range stacks {
		cell, err := b.compose(stack)
		if err != nil {
			fmt.Fprintf(b.stderr, "%s cannot be: %v\n", blame.Words(b.parts, stack), err)
			answers[i] = blame.Impossible
			continue
		}
		b.composed[fmt.Sprint(stack)] = plannedCell{Cell: cell}
		at := slices.IndexFunc(rounds, func(r map[string]int) bool { _, has := r[cell.ID]; return !has })
		if at < 0 {
			at, rounds = len(rounds), append(rounds, map[string]int{})
		}
		rounds[at][cell.ID] = i
	}
	for _, round := range rounds {
		if err := b.round(round, stacks, answers); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// compose makes the cell of a stack.
func (b *blaming) compose(stack blame.Stack) (matrix.Cell, error) {
	values := map[string]string{}
	for part, axis := range b.axes {
		values[axis] = b.parts[part].Values[stack[part]]
	}
	return b.cat.Alike(b.is, values)
}

// round asks cells once each.
func (b *blaming) round(round map[string]int, stacks []blame.Stack, answers []blame.Answer) error {
	var cells []matrix.Cell
	for _, i := range round {
		cells = append(cells, b.composed[fmt.Sprint(stacks[i])].Cell)
	}
	slices.SortFunc(cells, func(x, y matrix.Cell) int { return strings.Compare(x.ID, y.ID) })
	plan, refused, err := b.plan(b.red.Check, cells)
	for _, id := range refused {
		answers[round[id]] = blame.Impossible
	}
	if plan == nil || err != nil {
		return err
	}
	for i := range plan.Cells {
		c := &plan.Cells[i]
		b.revert(plan, c, stacks[round[c.ID]])
		b.composed[fmt.Sprint(stacks[round[c.ID]])] = plannedCell{*c, plan.PackageSets}
	}
	if err := plan.Seal(); err != nil {
		return err
	}
	m, err := b.answers(plan)
	if err != nil {
		return err
	}
	for i := range plan.Cells {
		at := round[plan.Cells[i].ID]
		answers[at] = b.answer(m.Result(plan.Cells[i].ID, b.red.Check))
		fmt.Fprintf(b.stderr, "%s: %s\n", blame.Words(b.parts, stacks[at]), answers[at])
	}
	return nil
}

// revert gives a cell the images of before that its stack says.
func (b *blaming) revert(plan *matrix.Plan, c *matrix.Cell, stack blame.Stack) {
	for part, role := range b.roles {
		was, ok := b.was.Image(role)
		if stack[part] > 0 || !ok {
			continue
		}
		for i := range c.Images {
			if c.Images[i].Role == role {
				c.Images[i] = was
				plan.PackageSets[was.Packages] = b.wasPlan.PackageSets[was.Packages]
			}
		}
		_, bundle := c.Image("qemu")
		for i := range c.Stack {
			comp := c.Stack[i].Component
			of := strings.HasPrefix(role, "kernel-") && comp == matrix.Linux || role == string(comp) ||
				strings.HasPrefix(role, "userland-") && (comp == matrix.Libvirt || comp == matrix.QEMU && !bundle)
			if choice, ok := b.was.Choice(comp); ok && of {
				c.Stack[i].Package = choice.Package
			}
		}
	}
}

// answer is what a result says about the failure.
func (b *blaming) answer(r *reports.Result) blame.Answer {
	switch {
	case r == nil:
		return blame.None
	case green(r):
		return blame.Green
	case (r.Verdict == matrix.Fail || r.Verdict == matrix.Known) && r.SameFailure(b.red):
		return blame.Red
	case r.Verdict == matrix.Fail || r.Verdict == matrix.Known || r.Verdict == matrix.Blocked && r.Layer() != matrix.LayerHarness:
		return blame.Other
	}
	return blame.None
}
