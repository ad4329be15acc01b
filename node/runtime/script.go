package runtime

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Variables that say how a simulated container behaves. Durations are Go's
// ("1.5s"); <d>:<code> means exit code after a duration.
const (
	SimExit       = "SLIPWAY_SIM_EXIT"        // <d>:<code>: it ends by itself
	SimOOM        = "SLIPWAY_SIM_OOM"         // <d>: it runs out of memory
	SimStop       = "SLIPWAY_SIM_STOP"        // <d>:<code> after SIGTERM; "ignore": it takes no notice
	SimStartError = "SLIPWAY_SIM_START_ERROR" // Start fails with this text
	SimExec       = "SLIPWAY_SIM_EXEC"        // <d>:<code>,...: exit codes of Exec from this time on; "hang" for a code
	SimCPU        = "SLIPWAY_SIM_CPU"         // processors it keeps busy, 0.25
	SimMemory     = "SLIPWAY_SIM_MEMORY"      // bytes it holds
)

// step is an exit code that is due after a while.
type step struct {
	after time.Duration
	code  int
}

// hangs is the code of an Exec that does not end.
const hangs = -1

type script struct {
	exit       *step
	oom        *time.Duration
	stop       *step
	ignoreStop bool
	startError string
	exec       []step
	cpu        float64
	memory     int64
}

// parseScript reads the variables; others are none of its business.
func parseScript(env []string) (script, error) {
	var sc script
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		var err error
		switch name {
		case SimExit:
			sc.exit, err = parseStep(value)
		case SimOOM:
			var d time.Duration
			d, err = time.ParseDuration(value)
			sc.oom = &d
		case SimStop:
			if sc.ignoreStop = value == "ignore"; !sc.ignoreStop {
				sc.stop, err = parseStep(value)
			}
		case SimStartError:
			sc.startError = value
		case SimExec:
			for part := range strings.SplitSeq(value, ",") {
				var s *step
				if s, err = parseStep(part); err != nil {
					break
				}
				sc.exec = append(sc.exec, *s)
			}
		case SimCPU:
			sc.cpu, err = strconv.ParseFloat(value, 64)
		case SimMemory:
			sc.memory, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return sc, fmt.Errorf("%s=%s: %w", name, value, err)
		}
	}
	return sc, nil
}

func parseStep(s string) (*step, error) {
	after, code, ok := strings.Cut(s, ":")
	if !ok {
		return nil, fmt.Errorf("%q is not <duration>:<code>", s)
	}
	d, err := time.ParseDuration(after)
	if err != nil {
		return nil, err
	}
	if code == "hang" {
		return &step{d, hangs}, nil
	}
	n, err := strconv.Atoi(code)
	return &step{d, n}, err
}

// execCode is the code of the last step that is due.
func (sc script) execCode(age time.Duration) (code int, hang bool) {
	for _, s := range sc.exec {
		if age >= s.after {
			code = s.code
		}
	}
	return code, code == hangs
}
