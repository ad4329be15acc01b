// Package seccomp turns the seccomp profile of an OCI specification into the
// program that the kernel runs at each system call of a container
// (seccomp(2), "filter" mode).
//
// For a call that the profile does not name the program answers as the profile
// says, but with ENOSYS when the call is newer than all that the profile
// knows, so that libraries fall back to the older one; runc does the same.
package seccomp

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:generate go run ./numbers

// abi is one way to make system calls.
type abi struct {
	audit   uint32 // as the kernel names it to filters (linux/audit.h)
	numbers func() map[string]uint32
}

var abis = map[specs.Arch]abi{
	specs.ArchX86_64:  {unix.AUDIT_ARCH_X86_64, sync.OnceValue(func() map[string]uint32 { return parse(numbersAMD64) })},
	specs.ArchX86:     {unix.AUDIT_ARCH_I386, sync.OnceValue(func() map[string]uint32 { return parse(numbers386) })},
	specs.ArchAARCH64: {unix.AUDIT_ARCH_AARCH64, sync.OnceValue(func() map[string]uint32 { return parse(numbersARM64) })},
	specs.ArchARM:     {unix.AUDIT_ARCH_ARM, sync.OnceValue(func() map[string]uint32 { return parse(numbersARM + privateARM) })},
}

// privateARM are calls of 32-bit ARM outside the common numbers, which begin
// at private (arch/arm/include/uapi/asm/unistd.h).
const (
	privateARM = " breakpoint=983041 cacheflush=983042 set_tls=983045 "
	private    = 0x0f0000
)

func parse(text string) map[string]uint32 {
	out := map[string]uint32{}
	for entry := range strings.FieldsSeq(text) {
		name, number, _ := strings.Cut(entry, "=")
		if n, err := strconv.ParseUint(number, 10, 32); err == nil {
			out[name] = uint32(n)
		}
	}
	return out
}

// ErrUnsupported marks profiles and machines that Compile knows nothing of.
var ErrUnsupported = errors.New("seccomp profile cannot be compiled")

// x32 is the bit in the number of calls of the x32 ABI, which shares its audit
// name with x86-64.
const x32 = 0x40000000

// Compile makes the program of a profile. Errors: ErrUnsupported.
func Compile(p *specs.LinuxSeccomp) ([]unix.SockFilter, error) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return nil, fmt.Errorf("%w on %s", ErrUnsupported, runtime.GOARCH)
	}
	fallback, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	prog := []unix.SockFilter{load(offArch)}
	for _, name := range p.Architectures {
		a, ok := abis[name]
		if !ok {
			return nil, fmt.Errorf("%w: architecture %s", ErrUnsupported, name)
		}
		part, err := compileABI(p, a, fallback)
		if err != nil {
			return nil, err
		}
		// Parts are longer than a conditional jump reaches.
		prog = append(prog, jump(unix.BPF_JEQ, a.audit, 1, 0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(part))})
		prog = append(prog, part...)
	}
	prog = append(prog, ret(unix.SECCOMP_RET_KILL_PROCESS))
	if len(prog) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("%w: %d instructions", ErrUnsupported, len(prog))
	}
	return prog, nil
}

// compileABI decides about the calls of one ABI.
func compileABI(p *specs.LinuxSeccomp, a abi, fallback uint32) ([]unix.SockFilter, error) {
	rules := map[uint32][]rule{}
	newest := uint32(0)
	for _, s := range p.Syscalls {
		act, err := action(s.Action, s.ErrnoRet)
		if err != nil {
			return nil, err
		}
		for _, name := range s.Names {
			n, ok := a.numbers()[name]
			if !ok {
				continue // not a call of this ABI
			}
			if n < private {
				newest = max(newest, n)
			}
			rules[n] = append(rules[n], alternatives(act, s.Args)...)
		}
	}
	ranges, err := compileRanges(rules, newest, fallback)
	if err != nil {
		return nil, err
	}
	prog := []unix.SockFilter{load(offNumber)}
	if a.audit == unix.AUDIT_ARCH_X86_64 {
		prog = append(prog, jump(unix.BPF_JGE, x32, 0, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)))
	}
	return append(prog, search(ranges)...), nil
}

// span are calls from a number on that are decided alike.
type span struct {
	from uint32
	prog []unix.SockFilter
}

// compileRanges covers all numbers with spans.
func compileRanges(rules map[uint32][]rule, newest, fallback uint32) ([]span, error) {
	unnamed := []unix.SockFilter{ret(fallback)}
	out := []span{{0, unnamed}}
	add := func(from uint32, prog []unix.SockFilter) {
		last := &out[len(out)-1]
		switch {
		case last.from == from:
			last.prog = prog
		case !slices.Equal(last.prog, prog):
			out = append(out, span{from, prog})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(rules)) {
		prog, err := compileRules(rules[n], fallback)
		if err != nil {
			return nil, err
		}
		add(n, prog)
		if n >= newest {
			unnamed = []unix.SockFilter{ret(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))}
		}
		add(n+1, unnamed)
	}
	return out, nil
}

// search finds the span of the call by halving.
func search(spans []span) []unix.SockFilter {
	if len(spans) == 1 {
		return spans[0].prog
	}
	half := len(spans) / 2
	low, high := search(spans[:half]), search(spans[half:])
	var prog []unix.SockFilter
	if at := spans[half].from; len(low) <= math.MaxUint8 {
		prog = append(prog, jump(unix.BPF_JGE, at, uint8(len(low)), 0))
	} else {
		prog = append(prog, jump(unix.BPF_JGE, at, 0, 1), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(low))})
	}
	return append(append(prog, low...), high...)
}

// action is what the filter returns.
func action(a specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno) & unix.SECCOMP_RET_DATA
	}
	switch a {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	}
	return 0, fmt.Errorf("%w: action %s", ErrUnsupported, a)
}
