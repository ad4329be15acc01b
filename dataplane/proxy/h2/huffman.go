package h2

import "errors"

// huffmanLengths is the number of bits of each byte's code (RFC 7541,
// appendix B). The code is canonical: all else follows from the lengths.
var huffmanLengths = [256]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
}

const longestCode = 30

// huffman decodes: codes of up to eight bits by a table, longer ones by the
// first code of each length.
var huffman = func() (t struct {
	short [256]struct{ sym, bits uint8 }
	first [longestCode + 2]uint32 // code, of each length
	index [longestCode + 2]int    // of that code's symbol in order
	order []uint8                 // symbols by length, then value
},
) {
	for n := uint8(1); n <= longestCode; n++ {
		for sym, l := range huffmanLengths {
			if l == n {
				t.order = append(t.order, uint8(sym))
			}
		}
	}
	code, at := uint32(0), 0
	for n := uint8(1); n <= longestCode; n++ {
		t.first[n], t.index[n] = code, at
		for at < len(t.order) && huffmanLengths[t.order[at]] == n {
			if n <= 8 {
				for i := range uint32(1) << (8 - n) {
					t.short[code<<(8-n)|i] = struct{ sym, bits uint8 }{t.order[at], n}
				}
			}
			code++
			at++
		}
		code <<= 1
	}
	t.index[longestCode+1] = at
	return t
}()

var errHuffman = errors.New("invalid Huffman code")

// appendHuffman decodes b. Codes that are none, EOS among them, and padding
// other than up to seven ones are errors.
func appendHuffman(out, b []byte) ([]byte, error) {
	var acc uint64 // the bits not decoded yet, at the low end
	have := uint8(0)
	for {
		for have <= 56 && len(b) > 0 {
			acc = acc<<8 | uint64(b[0])
			have += 8
			b = b[1:]
		}
		if have >= 8 {
			if e := huffman.short[uint8(acc>>(have-8))]; e.bits > 0 {
				out = append(out, e.sym)
				have -= e.bits
				continue
			}
		} else if len(b) == 0 {
			// What is left may still be a short code, or padding.
			rest := uint8(acc<<(8-have)) | (uint8(1)<<(8-have) - 1)
			if e := huffman.short[rest]; have > 0 && e.bits > 0 && e.bits <= have {
				out = append(out, e.sym)
				have -= e.bits
				continue
			}
			if ones := uint8(1)<<have - 1; uint8(acc)&ones != ones {
				return out, errHuffman
			}
			return out, nil
		}
		sym, bits, ok := longCode(acc, have)
		if !ok {
			return out, errHuffman
		}
		out = append(out, sym)
		have -= bits
	}
}

// longCode decodes a code of more than eight bits at the high end of have bits.
func longCode(acc uint64, have uint8) (sym, bits uint8, ok bool) {
	for n := uint8(9); n <= longestCode && n <= have; n++ {
		code := uint32(acc>>(have-n)) & (1<<n - 1)
		if i := huffman.index[n] + int(code-huffman.first[n]); code >= huffman.first[n] && i < huffman.index[n+1] {
			return huffman.order[i], n, true
		}
	}
	return 0, 0, false
}
