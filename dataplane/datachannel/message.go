package datachannel

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Types of messages.
const (
	typeInput  = "input_stream_data"  // from the client, in sequence
	typeOutput = "output_stream_data" // from the agent, in sequence
	typeAck    = "acknowledge"
	typeClosed = "channel_closed"
)

// Kinds of payload of the two streams.
const (
	kindData              = 1  // bytes of the terminal
	kindSize              = 3  // JSON: cols, rows
	kindHandshakeRequest  = 5  // JSON
	kindHandshakeResponse = 6  // JSON
	kindHandshakeComplete = 7  // JSON
	kindFlag              = 10 // uint32
)

// flagTerminate is the payload of kindFlag that ends the session.
const flagTerminate = 2

// Offsets of the fields of a message; all numbers are big endian.
const (
	atType     = 4 // after the length of the header, a uint32
	atSchema   = 36
	atCreated  = 40
	atSequence = 48
	atFlags    = 56
	atID       = 64
	atDigest   = 80
	atKind     = 112
	atLength   = 116
	atPayload  = 120
)

// message is one message of a data channel.
type message struct {
	Type     string
	Created  time.Time // to the millisecond
	Sequence int64
	Flags    uint64
	ID       [16]byte // a UUID
	Kind     uint32
	Payload  []byte
}

// newMessage is one with an id of its own.
func newMessage(kind string, payloadKind uint32, sequence int64, payload []byte) message {
	m := message{Type: kind, Created: time.Now(), Sequence: sequence, Kind: payloadKind, Payload: payload}
	_, _ = rand.Read(m.ID[:]) // never fails
	m.ID[6], m.ID[8] = m.ID[6]&0x0f|0x40, m.ID[8]&0x3f|0x80
	return m
}

// id is the message's UUID as text.
func (m message) id() string {
	h := hex.EncodeToString(m.ID[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// encode is the message as it goes over the wire.
func (m message) encode() []byte {
	b := make([]byte, atPayload, atPayload+len(m.Payload))
	binary.BigEndian.PutUint32(b, atLength)
	copy(b[atType:atSchema], fmt.Sprintf("%-32s", m.Type))
	binary.BigEndian.PutUint32(b[atSchema:], 1)
	binary.BigEndian.PutUint64(b[atCreated:], uint64(m.Created.UnixMilli()))
	binary.BigEndian.PutUint64(b[atSequence:], uint64(m.Sequence))
	binary.BigEndian.PutUint64(b[atFlags:], m.Flags)
	copy(b[atID:], m.ID[8:]) // the second half comes first
	copy(b[atID+8:], m.ID[:8])
	digest := sha256.Sum256(m.Payload)
	copy(b[atDigest:], digest[:])
	binary.BigEndian.PutUint32(b[atKind:], m.Kind)
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(m.Payload)))
	return append(b, m.Payload...)
}

// decode reads a message; its payload shares b's memory. Any bytes give a message or an
// error.
func decode(b []byte) (m message, err error) {
	if len(b) < atPayload {
		return m, fmt.Errorf("message of %d bytes is shorter than a header", len(b))
	}
	header, length := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[atLength:])
	if header != atLength || uint64(length) != uint64(len(b)-atPayload) {
		return m, fmt.Errorf("message of %d bytes tells of a header of %d and a payload of %d", len(b), header, length)
	}
	m.Type = string(bytes.Trim(b[atType:atSchema], "\x00 "))
	m.Created = time.UnixMilli(int64(binary.BigEndian.Uint64(b[atCreated:])))
	m.Sequence = int64(binary.BigEndian.Uint64(b[atSequence:]))
	m.Flags = binary.BigEndian.Uint64(b[atFlags:])
	copy(m.ID[8:], b[atID:atID+8])
	copy(m.ID[:8], b[atID+8:atDigest])
	m.Kind = binary.BigEndian.Uint32(b[atKind:])
	m.Payload = b[atPayload:]
	if digest := sha256.Sum256(m.Payload); length > 0 && !bytes.Equal(digest[:], b[atDigest:atKind]) {
		return m, fmt.Errorf("payload of %s does not have its digest", m.id())
	}
	return m, nil
}
