package seccomp

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// data is struct seccomp_data.
type data struct {
	number, arch uint32
	args         [6]uint64
}

// eval runs a program as the kernel would, and fails on what it would refuse.
func eval(t interface{ Fatalf(string, ...any) }, prog []unix.SockFilter, d data) uint32 {
	mem := make([]byte, 64)
	binary.LittleEndian.PutUint32(mem[0:], d.number)
	binary.LittleEndian.PutUint32(mem[4:], d.arch)
	for i, a := range d.args {
		binary.LittleEndian.PutUint64(mem[16+8*i:], a)
	}
	acc := uint32(0)
	for pc := 0; ; pc++ {
		if pc >= len(prog) {
			t.Fatalf("the program ends without an answer")
		}
		switch f := prog[pc]; f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.LittleEndian.Uint32(mem[f.K:])
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= f.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(f.K)
		default:
			holds, known := map[uint16]bool{
				unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K: acc == f.K,
				unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K: acc > f.K,
				unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K: acc >= f.K,
			}[f.Code]
			if !known {
				t.Fatalf("instruction %#x", f.Code)
			}
			if pc += int(f.Jf); holds {
				pc += int(f.Jt) - int(f.Jf)
			}
		}
	}
}

// meant is what the profile says in words.
func meant(p *specs.LinuxSeccomp, name string, args [6]uint64) specs.LinuxSeccompAction {
	for _, s := range p.Syscalls {
		if slices.Contains(s.Names, name) && fits(s.Args, args) {
			return s.Action
		}
	}
	return p.DefaultAction
}

func fits(conditions []specs.LinuxSeccompArg, args [6]uint64) bool {
	indexes := map[uint]bool{}
	all, some := true, false
	for _, c := range conditions {
		v := args[c.Index]
		ok := map[specs.LinuxSeccompOperator]bool{
			specs.OpEqualTo: v == c.Value, specs.OpNotEqual: v != c.Value, specs.OpMaskedEqual: v&c.Value == c.ValueTwo,
			specs.OpGreaterThan: v > c.Value, specs.OpGreaterEqual: v >= c.Value, specs.OpLessThan: v < c.Value, specs.OpLessEqual: v <= c.Value,
		}[c.Op]
		all, some = all && ok, some || ok
		indexes[c.Index] = true
	}
	if len(indexes) < len(conditions) {
		return some
	}
	return all
}

func actionOf(r uint32) specs.LinuxSeccompAction {
	switch r & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW:
		return specs.ActAllow
	case unix.SECCOMP_RET_ERRNO:
		return specs.ActErrno
	}
	return specs.ActKillProcess
}

// Any profile decides about any call as it reads.
func TestProgramsMeanTheirProfiles(t *testing.T) {
	names := []string{"read", "write", "clone", "socket", "personality", "statx", "futex", "mount", "openat2"}
	operators := []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpLessThan, specs.OpLessEqual,
	}
	// Values near one another in both halves, so that conditions meet.
	value := rapid.Custom(func(t *rapid.T) uint64 {
		return rapid.Uint64Range(0, 3).Draw(t, "high")<<32 | rapid.Uint64Range(0, 3).Draw(t, "low")
	})
	condition := rapid.Custom(func(t *rapid.T) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{
			Index: rapid.UintRange(0, 5).Draw(t, "index"), Value: value.Draw(t, "value"),
			ValueTwo: value.Draw(t, "second"), Op: rapid.SampledFrom(operators).Draw(t, "operator"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		actions := rapid.SampledFrom([]specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKillProcess})
		p := &specs.LinuxSeccomp{DefaultAction: actions.Draw(t, "default"), Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchAARCH64}}
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
				Names: rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "names"), Action: actions.Draw(t, "action"),
				Args: rapid.SliceOfN(condition, 0, 3).Draw(t, "args"),
			})
		}
		// A call that is newer than all is answered by ENOSYS: leave none.
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"mseal", "openat2"}, Action: specs.ActErrno})
		prog, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			a := abis[rapid.SampledFrom(p.Architectures).Draw(t, "arch")]
			name := rapid.SampledFrom(names).Draw(t, "call")
			number, ok := a.numbers()[name]
			if !ok {
				continue // 32-bit x86 has no such call
			}
			args := [6]uint64(rapid.SliceOfN(value, 6, 6).Draw(t, "arguments"))
			got := eval(t, prog, data{number: number, arch: a.audit, args: args})
			if want := meant(p, name, args); actionOf(got) != want {
				t.Fatalf("%s%v: %#x, want %s", name, args, got, want)
			}
		}
	})
}

// The profile that containers have, as far as it is told in Docker's
// documentation ("Significant syscalls blocked by the default profile").
func TestDefaultProfile(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("the numbers below are those of amd64")
		return
	}
	p := seccomp.DefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	p.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86}
	prog, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	errno := func(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }
	const allow, kill = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_KILL_PROCESS
	for name, c := range map[string]struct {
		data
		want uint32
	}{
		"read":                   {data{number: unix.SYS_READ}, allow},
		"mount":                  {data{number: unix.SYS_MOUNT}, errno(unix.EPERM)},
		"setns":                  {data{number: unix.SYS_SETNS}, errno(unix.EPERM)},
		"keyctl":                 {data{number: unix.SYS_KEYCTL}, errno(unix.EPERM)},
		"bpf":                    {data{number: unix.SYS_BPF}, errno(unix.EPERM)},
		"a thread":               {data{number: unix.SYS_CLONE, args: [6]uint64{unix.CLONE_THREAD | unix.CLONE_VM}}, allow},
		"a user namespace":       {data{number: unix.SYS_CLONE, args: [6]uint64{unix.CLONE_NEWUSER}}, errno(unix.EPERM)},
		"clone3":                 {data{number: unix.SYS_CLONE3}, errno(unix.ENOSYS)},
		"an Internet socket":     {data{number: unix.SYS_SOCKET, args: [6]uint64{unix.AF_INET}}, allow},
		"a socket to the host":   {data{number: unix.SYS_SOCKET, args: [6]uint64{unix.AF_VSOCK}}, errno(unix.EPERM)},
		"a call from the future": {data{number: 5000}, errno(unix.ENOSYS)},
		"x32":                    {data{number: x32 | unix.SYS_READ}, errno(unix.ENOSYS)},
		"read of 32 bits":        {data{number: 3, arch: unix.AUDIT_ARCH_I386}, allow},
		"mount of 32 bits":       {data{number: 21, arch: unix.AUDIT_ARCH_I386}, errno(unix.EPERM)},
		"another machine":        {data{arch: unix.AUDIT_ARCH_S390}, kill},
	} {
		if c.arch == 0 {
			c.arch = unix.AUDIT_ARCH_X86_64
		}
		if got := eval(t, prog, c.data); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}
