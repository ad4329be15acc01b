package vpc

import (
	"net"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Registers: 1 is the first 16 bytes, word4 the four bytes after them.
const (
	reg1  = 1
	reg2  = 2
	word4 = 12
)

// Offsets in the IPv4 header.
const (
	sourceAddr      = 12
	destinationAddr = 16
)

// exprs translates a rule for the kernel.
func (m Match) exprs() []expr.Any {
	var e []expr.Any
	if m.Loopback {
		e = append(e, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1}, equal(ifname("lo")))
	}
	if m.Forged {
		e = append(e,
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1},
			address(sourceAddr, word4),
			&expr.Lookup{SourceRegister: reg1, SetName: bindingsSet, Invert: true})
	}
	switch m.State {
	case Established:
		e = append(e, state(expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)...)
	case Invalid:
		e = append(e, state(expr.CtStateBitINVALID)...)
	}
	e = append(e, m.Owner.exprs()...)
	e = append(e, m.Src.exprs(sourceAddr)...)
	e = append(e, m.Dst.exprs(destinationAddr)...)
	e = append(e, traffic(m)...)
	return append(e, verdict(m)...)
}

func verdict(m Match) []expr.Any {
	switch m.Do {
	case Accept:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
	case Return:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}
	case Jump:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: m.Chain}}
	case Goto:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: m.Chain}}
	case DNAT:
		return []expr.Any{
			&expr.Immediate{Register: reg1, Data: m.To.Addr().AsSlice()},
			&expr.Immediate{Register: reg2, Data: binaryutil.BigEndian.PutUint16(m.To.Port())},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegProtoMin: reg2},
		}
	case Reset:
		return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}
	default:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	}
}

func (o Owner) exprs() []expr.Any {
	key := expr.MetaKeySKUID
	switch o.Of {
	case AnyOwner:
		return nil
	case ByGroup:
		key = expr.MetaKeySKGID
	}
	return []expr.Any{&expr.Meta{Key: key, Register: reg1}, equal(binaryutil.NativeEndian.PutUint32(o.ID))}
}

// exprs matches an address of the packet.
func (p Peer) exprs(offset uint32) []expr.Any {
	if p.Set != "" {
		return []expr.Any{address(offset, reg1), &expr.Lookup{SourceRegister: reg1, SetName: p.Set, Invert: p.Not}}
	}
	if !p.CIDR.IsValid() || p.CIDR.Bits() == 0 {
		return nil
	}
	e := []expr.Any{address(offset, reg1)}
	if bits := p.CIDR.Bits(); bits < 32 {
		e = append(e, &expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: net.CIDRMask(bits, 32), Xor: make([]byte, 4)})
	}
	op := expr.CmpOpEq
	if p.Not {
		op = expr.CmpOpNeq
	}
	return append(e, &expr.Cmp{Op: op, Register: reg1, Data: p.CIDR.Addr().AsSlice()})
}

// traffic matches protocol, ports, ICMP type and code.
func traffic(m Match) []expr.Any {
	if m.Protocol == 0 {
		return nil
	}
	e := []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1}, equal([]byte{m.Protocol})}
	field := func(offset, size uint32) expr.Any {
		return &expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: size}
	}
	switch {
	case m.Protocol == ICMP:
		if m.Type >= 0 {
			e = append(e, field(0, 1), equal([]byte{byte(m.Type)}))
		}
		if m.Code >= 0 {
			e = append(e, field(1, 1), equal([]byte{byte(m.Code)}))
		}
	case m.Low == 0 && m.High == 0:
	case m.Low == m.High:
		e = append(e, field(2, 2), equal(binaryutil.BigEndian.PutUint16(m.Low)))
	default:
		e = append(e, field(2, 2), &expr.Range{
			Op: expr.CmpOpEq, Register: reg1,
			FromData: binaryutil.BigEndian.PutUint16(m.Low), ToData: binaryutil.BigEndian.PutUint16(m.High),
		})
	}
	return e
}

func state(bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: reg1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: make([]byte, 4)},
	}
}

func address(offset, register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}
}

func equal(b []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: b} }

func ifname(name string) []byte {
	b := make([]byte, 16)
	copy(b, name)
	return b
}
