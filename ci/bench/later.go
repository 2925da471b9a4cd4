package main

import (
	"context"
	"errors"
)

var errLater = errors.New("virtmatrix cannot do it yet")

func containers(context.Context, *lab) ([]row, error) { return nil, errLater }
