package runc

import (
	"context"
	"os"

	"github.com/slipway-dev/slipway/node/sandbox"
)

// Launcher starts containers and stays when the engine ends. It keeps a
// container, dead or alive, with its cgroup and exit code, until Forget.
// sandbox.Host is one.
type Launcher interface {
	// Start runs a container by itself, or with "runc run --detach".
	Start(ctx context.Context, p sandbox.Process) error
	// Exec runs one more process in a container that was started by itself;
	// others have container.ErrUnsupported.
	Exec(ctx context.Context, e sandbox.Exec, stdio [3]*os.File, terminal func(*os.File)) (int, error)
	// Containers lists all that were started and not forgotten.
	Containers(ctx context.Context) ([]sandbox.Container, error)
	// Exits sends the ids of containers that ended.
	Exits() <-chan string
	// Forget drops a container that has ended; one that is not known is no error.
	Forget(ctx context.Context, id string) error
}

var _ Launcher = (*sandbox.Host)(nil)
