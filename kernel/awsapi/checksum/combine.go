package checksum

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// Combine is the checksum of a text in two parts, out of those of the parts and
// the length of the second in bytes. It works for the CRCs alone; false for
// other algorithms and for what is no value.
func Combine(name, first, second string, length int64) (string, bool) {
	var poly uint64
	size := 4
	switch name {
	case "CRC32":
		poly = crc32.IEEE
	case "CRC32C":
		poly = crc32.Castagnoli
	case "CRC64NVME":
		poly, size = nvme, 8
	default:
		return "", false
	}
	if !Valid(name, first) || !Valid(name, second) || length < 0 {
		return "", false
	}
	sum := number(first) // Valid: both have the right length
	if length > 0 {
		sum = shift(poly, size*8, sum, length) ^ number(second)
	}
	raw := make([]byte, 8)
	binary.BigEndian.PutUint64(raw, sum)
	return base64.StdEncoding.EncodeToString(raw[8-size:]), true
}

func number(value string) uint64 {
	raw, _ := base64.StdEncoding.DecodeString(value)
	var n uint64
	for _, b := range raw {
		n = n<<8 | uint64(b)
	}
	return n
}

// matrix is a linear map over bits: column i is what bit i becomes.
type matrix [64]uint64

func (m *matrix) times(v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) squared() (s matrix) {
	for i := range m {
		s[i] = m.times(m[i])
	}
	return s
}

// shift is the CRC after length zero bytes more, by squaring: the register's
// step for one zero bit is a matrix.
func shift(poly uint64, bits int, crc uint64, length int64) uint64 {
	var step matrix // of one zero bit
	step[0] = poly
	for i := 1; i < bits; i++ {
		step[i] = 1 << (i - 1)
	}
	for range 3 { // of a byte
		step = step.squared()
	}
	for ; length > 0; length >>= 1 {
		if length&1 != 0 {
			crc = step.times(crc)
		}
		step = step.squared()
	}
	return crc
}
