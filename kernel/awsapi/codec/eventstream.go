package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Event is one message of an event stream
// (application/vnd.amazon.eventstream). Only text headers are kept.
type Event struct {
	Headers map[string]string
	Payload []byte
}

// maxEvent bounds one message; AWS allows 16 MiB of payload.
const maxEvent = 17 << 20

const headerString = 7

// AppendEvent appends the frame of a message: total and header length with
// their CRC, the headers, the payload, and the CRC of it all.
func AppendEvent(b []byte, payload []byte, headers ...string) []byte {
	start := len(b)
	var h []byte
	for i := 0; i+1 < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, headerString), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(16+len(h)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	b = append(append(b, h...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// ReadEvent reads one message; io.EOF after the last.
func ReadEvent(r io.Reader) (Event, error) {
	var prelude [12]byte
	if _, err := io.ReadFull(r, prelude[:]); err != nil {
		return Event{}, err
	}
	total, headers := binary.BigEndian.Uint32(prelude[:]), binary.BigEndian.Uint32(prelude[4:])
	if crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]) {
		return Event{}, errors.New("event stream: bad prelude checksum")
	}
	if total < 16 || total > maxEvent || headers > total-16 {
		return Event{}, fmt.Errorf("event stream: bad lengths %d and %d", total, headers)
	}
	frame := make([]byte, total)
	copy(frame, prelude[:])
	if _, err := io.ReadFull(r, frame[12:]); err != nil {
		return Event{}, fmt.Errorf("event stream: %w", err)
	}
	body := frame[:total-4]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(frame[total-4:]) {
		return Event{}, errors.New("event stream: bad message checksum")
	}
	h, err := eventHeaders(body[12 : 12+headers])
	return Event{Headers: h, Payload: body[12+headers:]}, err
}

// eventHeaders reads name, type and value of each header.
func eventHeaders(b []byte) (map[string]string, error) {
	bad := errors.New("event stream: malformed headers")
	h := map[string]string{}
	sizes := []int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: -1, 7: -1, 8: 8, 9: 16}
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < n+2 {
			return nil, bad
		}
		name, typ := string(b[1:1+n]), int(b[1+n])
		b = b[2+n:]
		if typ >= len(sizes) {
			return nil, bad
		}
		size := sizes[typ]
		if size < 0 {
			if len(b) < 2 {
				return nil, bad
			}
			size = int(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) < size {
			return nil, bad
		}
		if typ == headerString {
			h[name] = string(b[:size])
		}
		b = b[size:]
	}
	return h, nil
}
