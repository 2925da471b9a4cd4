package owner

import (
	"os"
	"time"
)

// parentPoll is how often a process looks whether its parent is still there.
const parentPoll = 500 * time.Millisecond

// DieWithParent ends this process soon after its parent has died: a suite whose
// runner was killed must not go on unseen. Its guards then end what it started.
func DieWithParent() {
	parent := os.Getppid()
	go func() {
		for range time.Tick(parentPoll) {
			if os.Getppid() != parent {
				os.Exit(1)
			}
		}
	}()
}
