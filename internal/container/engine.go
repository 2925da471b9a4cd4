// Package container makes L1 of a container of L0's Docker: the userland under
// test with its libvirt and its emulator, on L0's kernel. Nothing is pulled, and
// nothing that runs outlives the harness.
package container

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// Engine is L0's Docker.
type Engine struct {
	provider *testcontainers.DockerProvider
	// Version is Docker's, Kernel the release of the kernel that its containers
	// have, and Root the folder on L0 where it keeps them.
	Version, Kernel, Root string
	// Made is what else of it decides how its containers are: what runs them, how
	// they are confined, and where their files are.
	Made string
}

// answerLimit bounds how long Docker may take to answer a question at all.
const answerLimit = 20 * time.Second

// reaperEnv turns testcontainers' own garbage collector off. It is an image to be
// pulled, and what it does our agent does by itself: a container ends with its
// harness.
const reaperEnv = "TESTCONTAINERS_RYUK_DISABLED"

// silence makes the library do only what it is told to, once for the process: it reads
// both settings whenever it likes.
var silence = sync.OnceValue(func() error {
	// It speaks to the terminal of whoever uses it.
	log.SetDefault(log.NewNoopLogger())
	return os.Setenv(reaperEnv, "true")
})

// Connect finds Docker: the one of DOCKER_HOST, or where it usually is. The error
// is our fault and says how to get one.
func Connect(ctx context.Context) (*Engine, error) {
	const op = "use Docker"
	if err := silence(); err != nil {
		return nil, fault.Infraf(op, "%w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("it does not answer within %s", answerLimit))
	defer cancel()
	provider, err := await(ctx, func() (*testcontainers.DockerProvider, error) { return testcontainers.NewDockerProvider() })
	if err != nil {
		return nil, fault.Infraf(op, "no Docker answers: %w; ci/setup installs and starts one", err)
	}
	if err := speakDirectly(provider); err != nil {
		return nil, fault.Infraf(op, "%w", err)
	}
	e := &Engine{provider: provider}
	info, err := e.docker().Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, fault.Infraf(op, "it does not answer: %w; ci/setup starts one", fault.Cause(ctx, err))
	}
	e.Version, e.Kernel, e.Root = info.Info.ServerVersion, info.Info.KernelVersion, info.Info.DockerRootDir
	e.Made = fmt.Sprintf("runtime %s, runc %s, containerd %s, storage %s, control groups %s by %s, security %q",
		info.Info.DefaultRuntime, info.Info.RuncCommit.ID, info.Info.ContainerdCommit.ID, info.Info.Driver,
		info.Info.CgroupVersion, info.Info.CgroupDriver, info.Info.SecurityOptions)
	return e, nil
}

// speakDirectly takes the library's own ideas out of the way: it looks elsewhere
// when nobody answers at DOCKER_HOST, and remembers what a daemon that has died
// since once said.
func speakDirectly(provider *testcontainers.DockerProvider) error {
	if os.Getenv(client.EnvOverrideHost) != "" {
		c, err := client.New(client.FromEnv)
		if err != nil {
			return err
		}
		provider.SetClient(c)
	} else if c, ok := provider.Client().(*testcontainers.DockerClient); ok {
		provider.SetClient(c.Client)
	}
	return nil
}

// String names the engine for a record.
func (e *Engine) String() string {
	return fmt.Sprintf("Docker %s on Linux %s", e.Version, e.Kernel)
}

// Probe says which Docker answers, in words for a record, or why none does.
func Probe(ctx context.Context) (engine string, err error) {
	e, err := Connect(ctx)
	if err != nil {
		return "", err
	}
	return e.String(), nil
}

func (e *Engine) docker() client.APIClient { return e.provider.Client() }

// await gives up a call that knows no context when ctx ends.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		it  T
		err error
	}
	got := make(chan answer, 1)
	go func() {
		it, err := call()
		got <- answer{it, err}
	}()
	select {
	case a := <-got:
		return a.it, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
