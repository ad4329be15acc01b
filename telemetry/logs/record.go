package logs

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A segment file is a header and records. A record is
//
//	length of the payload   uint32, little endian, never 0
//	CRC-32C of the payload  uint32
//	payload
//
// and a payload is either
//
//	'S' number, name                       a stream and its number in this segment
//	'E' number, ingestion, seq, count,     events of one stream with consecutive
//	    count x (time, length, message)    seqs; time is relative to ingestion
//
// with numbers as varints. A stream is defined before its first events.
const (
	header     = "slipway log 1\n"
	recordHead = 8
	// maxPayload is more than any record that Append writes.
	maxPayload = 4 << 20
	// cutPayload is where Append begins another record.
	cutPayload = 64 << 10
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errTorn    = errors.New("torn record")
)

// beginRecord and endRecord bracket the payload appended to buf.
func beginRecord(buf []byte) []byte { return append(buf, 0, 0, 0, 0, 0, 0, 0, 0) }

func endRecord(buf []byte, start int) {
	payload := buf[start+recordHead:]
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.Checksum(payload, castagnoli))
}

// nextRecord cuts the first record off data.
func nextRecord(data []byte) (payload, rest []byte, err error) {
	if len(data) < recordHead {
		return nil, nil, errTorn
	}
	n := binary.LittleEndian.Uint32(data)
	if n == 0 || n > maxPayload || int(n) > len(data)-recordHead {
		return nil, nil, errTorn
	}
	payload = data[recordHead : recordHead+n]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return nil, nil, errTorn
	}
	return payload, data[recordHead+n:], nil
}

func appendStream(buf []byte, number int, name string) []byte {
	start := len(buf)
	buf = append(beginRecord(buf), 'S')
	buf = binary.AppendUvarint(buf, uint64(number))
	buf = append(buf, name...)
	endRecord(buf, start)
	return buf
}

// appendEvents writes one record with as many of the events as fit, and
// returns how many those were.
func appendEvents(buf []byte, number int, events []Event) ([]byte, int) {
	n, size := 0, 0
	for n < len(events) && (n == 0 || size+len(events[n].Message) < cutPayload) &&
		(n == 0 || events[n].Ingestion == events[0].Ingestion && events[n].Seq == events[n-1].Seq+1) {
		size += len(events[n].Message) + 8
		n++
	}
	start := len(buf)
	buf = append(beginRecord(buf), 'E')
	buf = binary.AppendUvarint(buf, uint64(number))
	buf = binary.AppendVarint(buf, events[0].Ingestion)
	buf = binary.AppendUvarint(buf, events[0].Seq)
	buf = binary.AppendUvarint(buf, uint64(n))
	for _, e := range events[:n] {
		buf = binary.AppendVarint(buf, e.Timestamp-e.Ingestion)
		buf = binary.AppendUvarint(buf, uint64(len(e.Message)))
		buf = append(buf, e.Message...)
	}
	endRecord(buf, start)
	return buf, n
}

// reader takes varints off a payload; err is set once and stays.
type reader struct {
	p   []byte
	err error
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.err, r.p = errTorn, nil
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.p)
	if n <= 0 {
		r.err, r.p = errTorn, nil
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.p)) {
		r.err, r.p = errTorn, nil
		return nil
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

// eventHead is what stands before the events of an 'E' record.
type eventHead struct {
	number    int
	ingestion int64
	seq       uint64
	count     int
}

func (r *reader) eventHead() eventHead {
	h := eventHead{number: int(r.uvarint()), ingestion: r.varint(), seq: r.uvarint()}
	h.count = int(min(r.uvarint(), uint64(len(r.p))))
	return h
}
