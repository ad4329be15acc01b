package h2

import "encoding/binary"

type kind uint8

// The types of frames (RFC 9113, 6).
const (
	kData kind = iota
	kHeaders
	kPriority
	kReset
	kSettings
	kPush
	kPing
	kGoAway
	kWindow
	kContinuation
)

const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// The settings (RFC 9113, 6.5.2).
const (
	setTableSize     = 1
	setPush          = 2
	setStreams       = 3
	setInitialWindow = 4
	setFrameSize     = 5
)

type frame struct {
	kind    kind
	flags   uint8
	stream  uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrame takes the first frame of b; n = 0 says that more is needed.
func parseFrame(b []byte) (f frame, n int, err error) {
	if len(b) < frameHeader {
		return f, 0, nil
	}
	length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if length > maxFrame {
		return f, 0, fatal(FrameSizeError, "frame above 16 K")
	}
	if len(b) < frameHeader+length {
		return f, 0, nil
	}
	f = frame{kind(b[3]), b[4], binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1), b[frameHeader : frameHeader+length]}
	return f, frameHeader + length, nil
}

// unpad takes the padding off the payload of DATA and HEADERS.
func (f *frame) unpad() error {
	if !f.has(flagPadded) {
		return nil
	}
	if len(f.payload) < 1 || int(f.payload[0]) >= len(f.payload) {
		return fatal(ProtocolError, "padding longer than its frame")
	}
	f.payload = f.payload[1 : len(f.payload)-int(f.payload[0])]
	return nil
}

// appendHeader begins a frame; its length may be set later.
func appendHeader(out []byte, length int, k kind, flags uint8, stream uint32) []byte {
	return append(out, byte(length>>16), byte(length>>8), byte(length), byte(k), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func appendUint32(out []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(out, v) }

func appendWindow(out []byte, stream uint32, n int) []byte {
	return appendUint32(appendHeader(out, 4, kWindow, 0, stream), uint32(n))
}

func appendReset(out []byte, stream uint32, code Code) []byte {
	return appendUint32(appendHeader(out, 4, kReset, 0, stream), uint32(code))
}

func appendGoAway(out []byte, last uint32, code Code) []byte {
	return appendUint32(appendUint32(appendHeader(out, 8, kGoAway, 0, 0), last), uint32(code))
}

func appendSetting(out []byte, id uint16, v uint32) []byte {
	return appendUint32(append(out, byte(id>>8), byte(id)), v)
}

// appendBlock writes a header block as HEADERS and, where it is long,
// CONTINUATION frames.
func appendBlock(out []byte, stream uint32, block []byte, end bool) []byte {
	k, flags := kHeaders, uint8(0)
	if end {
		flags = flagEndStream
	}
	for {
		part := block[:min(len(block), maxFrame)]
		if block = block[len(part):]; len(block) == 0 {
			flags |= flagEndHeaders
		}
		out = append(appendHeader(out, len(part), k, flags, stream), part...)
		if len(block) == 0 {
			return out
		}
		k, flags = kContinuation, 0
	}
}
