package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rule decides about a call whose arguments are as it says.
type rule struct {
	action uint32
	args   []specs.LinuxSeccompArg // all of them
}

// alternatives are the rules of one entry of a profile: conditions on
// different arguments hold together, several on the same one are each enough
// (as runc reads a profile).
func alternatives(action uint32, args []specs.LinuxSeccompArg) []rule {
	seen := map[uint]bool{}
	for _, a := range args {
		if seen[a.Index] {
			var out []rule
			for _, a := range args {
				out = append(out, rule{action, []specs.LinuxSeccompArg{a}})
			}
			return out
		}
		seen[a.Index] = true
	}
	return []rule{{action, args}}
}

// compileRules makes the program of one call: the first rule that fits decides.
func compileRules(rules []rule, fallback uint32) ([]unix.SockFilter, error) {
	var prog []unix.SockFilter
	for _, r := range rules {
		var body []unix.SockFilter
		for _, a := range r.args {
			c, err := condition(a)
			if err != nil {
				return nil, err
			}
			body = append(body, c...)
		}
		body = append(body, ret(r.action))
		for i := range body { // who fails goes on behind the rule
			end := uint8(len(body) - i - 1)
			if body[i].Code&0x07 != unix.BPF_JMP {
				continue
			}
			if body[i].Jt == fail {
				body[i].Jt = end
			}
			if body[i].Jf == fail {
				body[i].Jf = end
			}
		}
		prog = append(prog, body...)
		if len(r.args) == 0 {
			return prog, nil
		}
	}
	return append(prog, ret(fallback)), nil
}

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// fail stands for a jump to the end of the rule until its length is known.
const fail = 0xff

// condition goes on when one argument is as it should be, or else to fail. Arguments have 64
// bits, the machine 32: both halves are looked at, the high one first.
func condition(a specs.LinuxSeccompArg) ([]unix.SockFilter, error) {
	if a.Index > 5 {
		return nil, fmt.Errorf("%w: argument %d", ErrUnsupported, a.Index)
	}
	low := load(uint32(offArgs + 8*a.Index)) // of little-endian machines
	high := load(uint32(offArgs + 8*a.Index + 4))
	vh, vl := uint32(a.Value>>32), uint32(a.Value)
	switch a.Op {
	case specs.OpEqualTo:
		return []unix.SockFilter{high, jump(unix.BPF_JEQ, vh, 0, fail), low, jump(unix.BPF_JEQ, vl, 0, fail)}, nil
	case specs.OpNotEqual:
		return []unix.SockFilter{high, jump(unix.BPF_JEQ, vh, 0, 2), low, jump(unix.BPF_JEQ, vl, fail, 0)}, nil
	case specs.OpMaskedEqual:
		and := func(k uint32) unix.SockFilter {
			return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: k}
		}
		wh, wl := uint32(a.ValueTwo>>32), uint32(a.ValueTwo)
		return []unix.SockFilter{high, and(vh), jump(unix.BPF_JEQ, wh, 0, fail), low, and(vl), jump(unix.BPF_JEQ, wl, 0, fail)}, nil
	case specs.OpGreaterThan:
		return []unix.SockFilter{high, jump(unix.BPF_JGT, vh, 3, 0), jump(unix.BPF_JEQ, vh, 0, fail), low, jump(unix.BPF_JGT, vl, 0, fail)}, nil
	case specs.OpGreaterEqual:
		return []unix.SockFilter{high, jump(unix.BPF_JGT, vh, 3, 0), jump(unix.BPF_JEQ, vh, 0, fail), low, jump(unix.BPF_JGE, vl, 0, fail)}, nil
	case specs.OpLessThan:
		return []unix.SockFilter{high, jump(unix.BPF_JGT, vh, fail, 0), jump(unix.BPF_JEQ, vh, 0, 2), low, jump(unix.BPF_JGE, vl, fail, 0)}, nil
	case specs.OpLessEqual:
		return []unix.SockFilter{high, jump(unix.BPF_JGT, vh, fail, 0), jump(unix.BPF_JEQ, vh, 0, 2), low, jump(unix.BPF_JGT, vl, fail, 0)}, nil
	}
	return nil, fmt.Errorf("%w: operator %s", ErrUnsupported, a.Op)
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

func ret(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
