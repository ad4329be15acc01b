package template

import (
	"math/big"
	"net/netip"
	"strconv"
)

// cidrs is Fn::Cidr [block, count, bits]: count sub-blocks of block, each with bits host bits (default 8).
func cidrs(n *Node, v any) (any, error) {
	args, ok := v.([]any)
	if !ok || len(args) < 2 || len(args) > 3 {
		return nil, fail(n, cidrShape)
	}
	block, ok := Text(args[0])
	if !ok {
		return nil, fail(n, cidrShape)
	}
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return nil, fail(n, "Template error: Fn::Cidr has an address block that is not valid: %s", block)
	}
	count, err := cidrNumber(args[1])
	if err != nil || count < 1 || count > 256 {
		return nil, fail(n, "Template error: Fn::Cidr requires a count between 1 and 256")
	}
	bits := 8
	if len(args) == 3 {
		if bits, err = cidrNumber(args[2]); err != nil {
			return nil, fail(n, cidrShape)
		}
	}
	prefix = prefix.Masked()
	size := prefix.Addr().BitLen()
	if bits < 1 || size-bits < prefix.Bits() || size-bits > size {
		return nil, fail(n, "Template error: Fn::Cidr cannot make blocks with %d host bits out of %s", bits, block)
	}
	room := new(big.Int).Lsh(big.NewInt(1), uint(size-bits-prefix.Bits()))
	if room.Cmp(big.NewInt(int64(count))) < 0 {
		return nil, fail(n, "Template error: Fn::Cidr cannot make %d blocks with %d host bits out of %s", count, bits, block)
	}
	out := make([]any, count)
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	at := new(big.Int).SetBytes(prefix.Addr().AsSlice())
	for i := range out {
		addr, _ := netip.AddrFromSlice(at.FillBytes(make([]byte, size/8)))
		out[i] = netip.PrefixFrom(addr, size-bits).String()
		at.Add(at, step)
	}
	return out, nil
}

func cidrNumber(v any) (int, error) {
	text, _ := Text(v)
	return strconv.Atoi(text)
}
