package driver

import (
	"context"
	"errors"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestAnEngineIsAskedForOnlyByProfilesWithContainers(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	// Whoever asks an engine now learns that nobody waits for its answer.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for profile, asks := range map[string]bool{"smoke": false, "nightly": false, "no such profile": false, "ci": true, "containers": true} {
		req, err := Containable(ctx, cat, matrix.Request{Profile: profile})
		if asked := errors.Is(err, context.Canceled); asked != asks {
			t.Errorf("profile %s: %v", profile, err)
		}
		if req.NoContainers != "" {
			t.Errorf("profile %s: what was called off counts as no engine: %s", profile, req.NoContainers)
		}
	}
}
