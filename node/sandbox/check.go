package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Finding is one thing a sandbox needs or would like of the machine.
type Finding struct {
	Name     string
	OK       bool
	Required bool   // no sandbox without it
	Detail   string // one sentence: what was found
	Fix      string // what to do, if not OK
}

func (f Finding) err() error {
	return fmt.Errorf("%s: %s", f.Detail, f.Fix)
}

// Check looks at the machine as the present user would start a sandbox on it.
func Check() []Finding {
	out := []Finding{findingRunc()}
	if os.Geteuid() != 0 {
		out = append(out, findingsIDs()...)
	}
	return append(out, findingNamespaces(), findingEntry(os.ReadFile, os.Geteuid() != 0), findingLimits())
}

// findingEntry says whether processes can be put into containers that run, as
// health checks are. The kernel wants who enters to be allowed to trace whom
// it enters to (ptrace(2), "Ptrace access mode checking"). Who makes the
// sandbox in a user namespace has every capability there.
func findingEntry(readFile func(string) ([]byte, error), rootless bool) Finding {
	f := Finding{Name: "entry", Required: true, OK: true, Detail: "containers can be entered"}
	status, err := readFile("/proc/self/status")
	if err != nil || rootless {
		return f
	}
	held, err := strconv.ParseUint(statusField(string(status), "CapEff"), 16, 64)
	if err == nil && held&(1<<unix.CAP_SYS_PTRACE) == 0 {
		f.OK = false
		f.Detail = "containers cannot be entered, not even by their health checks, without the capability SYS_PTRACE"
		f.Fix = "start the surrounding container with --privileged or --cap-add SYS_PTRACE, or the engine with --simulated"
	}
	return f
}

func findingRunc() Finding {
	f := Finding{Name: "runc", Required: true, Fix: "apt-get install runc (or your distribution's package of that name)"}
	path, err := findTool("runc")
	if err != nil {
		f.Detail = "runc, which runs containers, is not installed"
		return f
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		f.Detail = fmt.Sprintf("%s does not run: %v", path, err)
		return f
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return Finding{Name: "runc", Required: true, OK: true, Detail: first + " at " + path}
}

// findingsIDs are about mapping ids, which ordinary users need for containers
// that have users of their own.
func findingsIDs() (out []Finding) {
	for _, t := range idTools {
		f := Finding{Name: t.tool, Required: true, OK: true}
		path, err := findTool(t.tool)
		if f.Detail = path; err != nil {
			f.OK, f.Detail, f.Fix = false, t.tool+", which maps user ids, is not installed", "apt-get install uidmap"
		}
		out = append(out, f)
	}
	for _, t := range idTools {
		f := Finding{Name: t.file, Required: true, OK: true}
		start, count, err := subordinate(t.file)
		switch {
		case err != nil:
			f.OK, f.Detail = false, fmt.Sprintf("%s has no range of subordinate ids for uid %d", t.file, os.Getuid())
		case count < 65536:
			f.OK, f.Required = false, false
			f.Detail = fmt.Sprintf("%s gives only %d subordinate ids: images with higher ones will fail", t.file, count)
		default:
			f.Detail = fmt.Sprintf("%d ids from %d", count, start)
		}
		if !f.OK {
			f.Fix = fmt.Sprintf("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s", userName())
		}
		out = append(out, f)
	}
	return out
}

// findingNamespaces tries a whole sandbox without an engine.
func findingNamespaces() Finding {
	f := Finding{Name: "namespaces", Required: true, OK: true, Detail: "a sandbox can be made"}
	if err := probe(); err != nil {
		f = diagnose(err, os.ReadFile, os.Geteuid() != 0)
	}
	return f
}

// probe makes a sandbox that ends at once.
func probe() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := spawnStage(roleProbe, "check", w)
	w.Close()
	if err != nil {
		return err
	}
	c.gate.Close()
	said := make([]byte, 4096)
	n, _ := r.Read(said) // nothing, if all is well
	c.rpc.Close()
	if err := c.cmd.Wait(); err != nil {
		return &failure{Msg: fmt.Sprintf("%s: %v", strings.TrimSpace(string(said[:n])), err)}
	}
	return nil
}

// findingLimits says whether containers can be limited. It changes nothing.
func findingLimits() Finding {
	f := Finding{Name: "limits", OK: true, Detail: "CPU and memory limits are possible"}
	if err := limitsPossible(os.Geteuid() != 0); err != nil {
		f.OK = false
		f.Detail = "containers run without CPU and memory limits: " + err.Error()
		f.Fix = "start the engine as root, or in a delegated cgroup v2: systemd-run --user --scope -p Delegate=yes slipway engine start"
	}
	return f
}

// explain replaces the kernel's words for a failed sandbox by what to do.
func explain(err error) error {
	for _, f := range Check() {
		if f.Required && !f.OK && f.Name != "runc" && f.Name != "entry" {
			return fmt.Errorf("%w (%w)", f.err(), err)
		}
	}
	return err
}
