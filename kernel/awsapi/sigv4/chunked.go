package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// ErrChunkSignature says that a chunk of an aws-chunked body was not signed
// with the key, or not in this place.
var ErrChunkSignature = errors.New("chunk signature does not match")

// maxChunk bounds one chunk, which is held in memory until its signature is
// checked. SDKs send 64 KiB to 1 MiB.
const maxChunk = 16 << 20

// ChunkReader decodes an aws-chunked body. Data of a signed chunk is given out
// only after its signature held.
type ChunkReader struct {
	src      *bufio.Reader
	auth     Auth
	secret   string
	signed   bool
	previous string // signature of the chunk before
	chunk    []byte // what is left of the current chunk
	err      error

	// Trailer holds the trailing headers once Read returned io.EOF, such as
	// x-amz-checksum-crc32.
	Trailer http.Header
}

// NewChunkReader reads body, whose X-Amz-Content-Sha256 is payload.
func NewChunkReader(body io.Reader, a Auth, secret, payload string) *ChunkReader {
	return &ChunkReader{
		src: bufio.NewReader(body), auth: a, secret: secret, previous: a.Signature,
		signed: payload == StreamingSigned || payload == StreamingSignedTrailer, Trailer: http.Header{},
	}
}

// Read gives the decoded data.
func (c *ChunkReader) Read(p []byte) (int, error) {
	for len(c.chunk) == 0 && c.err == nil {
		c.err = c.next()
	}
	if len(c.chunk) == 0 {
		return 0, c.err
	}
	n := copy(p, c.chunk)
	c.chunk = c.chunk[n:]
	return n, nil
}

// next reads one chunk: "size;chunk-signature=...\r\n" data "\r\n". The one of
// size 0 ends the body and trailers may follow.
func (c *ChunkReader) next() error {
	head, err := c.line()
	if err != nil {
		return err
	}
	sizeText, extension, _ := strings.Cut(head, ";")
	size, err := strconv.ParseUint(strings.TrimSpace(sizeText), 16, 32)
	if err != nil || size > maxChunk {
		return fmt.Errorf("aws-chunked: bad chunk size %q", sizeText)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(c.src, data); err != nil {
		return fmt.Errorf("aws-chunked: %w", io.ErrUnexpectedEOF)
	}
	if c.signed {
		signature, _ := strings.CutPrefix(strings.TrimSpace(extension), "chunk-signature=")
		sum := sha256.Sum256(data)
		if !c.verify("AWS4-HMAC-SHA256-PAYLOAD", emptyHash+"\n"+hex.EncodeToString(sum[:]), signature) {
			return ErrChunkSignature
		}
	}
	if size == 0 {
		return c.trailer()
	}
	if end, err := c.line(); err != nil || end != "" {
		return errors.New("aws-chunked: no line end after a chunk")
	}
	c.chunk = data
	return nil
}

// verify checks a signature that continues the chain, and advances the chain.
func (c *ChunkReader) verify(kind, hashes, signature string) bool {
	message := kind + "\n" + c.auth.Time.Format(longDate) + "\n" + c.auth.scope() + "\n" + c.previous + "\n" + hashes
	want := c.auth.mac(c.secret, []byte(message))
	c.previous = want
	return subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1
}

// trailer reads the headers after the last chunk, and their signature.
func (c *ChunkReader) trailer() error {
	var signature string
	var lines []string
	for range 64 {
		line, err := c.line()
		if line == "" || errors.Is(err, io.ErrUnexpectedEOF) {
			return c.endTrailer(lines, signature)
		}
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		lines = append(lines, name+":"+value+"\n")
		c.Trailer.Add(name, value)
	}
	return errors.New("aws-chunked: too many trailers")
}

func (c *ChunkReader) endTrailer(lines []string, signature string) error {
	if c.signed && len(lines) > 0 {
		slices.Sort(lines)
		if !c.verify("AWS4-HMAC-SHA256-TRAILER", Hash([]byte(strings.Join(lines, ""))), signature) {
			return ErrChunkSignature
		}
	}
	return io.EOF
}

// line reads up to a line end; a line is never longer than the read buffer.
func (c *ChunkReader) line() (string, error) {
	b, err := c.src.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return "", fmt.Errorf("aws-chunked: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return "", fmt.Errorf("aws-chunked: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
