package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // an ETag is one
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
	"github.com/slipway-dev/slipway/service/s3/blob"
)

// maxPut is the most that one request may bring: 5 GiB.
const maxPut = 5 << 30

// received is a body on disk that no row names yet. Whoever has it calls
// release, or abort when no row was written.
type received struct {
	piece    Piece // the zero value when the body was empty
	etag     string
	size     int64
	checksum Checksum
	writer   *blob.Writer // nil when the body was empty
}

func (r *received) pieces() []Piece {
	if r.size == 0 {
		return nil
	}
	return []Piece{r.piece}
}

func (r *received) release() {
	if r.writer != nil {
		r.writer.Release()
	}
}

func (r *received) abort() {
	if r.writer != nil {
		r.writer.Abort()
	}
}

// expected are the digests that a request says its body has.
type expected struct {
	md5      string // base64, or empty
	checksum Checksum
	// trailer says that the checksum's value follows the body.
	trailer bool
}

// expect reads what a request with a body says of it. fallback is the checksum
// that is computed when it asks for none.
func expect(ctx context.Context, in any, fallback string) (expected, error) {
	e := expected{md5: member(in, "ContentMD5")}
	if e.md5 != "" && !checksum.Valid("MD5", e.md5) {
		return e, fault(400, "InvalidDigest", "The Content-MD5 you specified was invalid.", "Content-MD5", e.md5)
	}
	given, several := givenChecksum(in)
	if several {
		return e, errRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	asked := member(in, "ChecksumAlgorithm")
	if _, ok := checksum.New(asked); asked != "" && !ok {
		return e, errLater("the checksum algorithm " + asked)
	}
	trailer, ok := checksum.OfHeader(awsapi.Header(ctx, "X-Amz-Trailer"))
	e.trailer = ok && given.Algorithm == ""
	switch {
	case given.Algorithm != "":
		if !checksum.Valid(given.Algorithm, given.Value) {
			return e, errRequest("Value for x-amz-checksum-" + strings.ToLower(given.Algorithm) + " header is invalid.")
		}
		e.checksum = given
	case e.trailer:
		e.checksum.Algorithm = trailer
	case asked != "":
		e.checksum.Algorithm = asked
	default:
		e.checksum.Algorithm = fallback
	}
	e.checksum.Type = "FULL_OBJECT"
	return e, nil
}

// chunk is how much of a body is read at once.
const chunk = 1 << 20

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// receive reads a body to its end, checks it and puts it on disk. A body is
// never in memory as a whole.
func (s *Service) receive(body io.Reader, length *int64, want expected) (*received, error) {
	if length == nil && body != nil {
		return nil, fault(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if val(length) > maxPut {
		return nil, tooLarge(*length)
	}
	sum, ok := checksum.New(want.checksum.Algorithm)
	if !ok {
		return nil, errLater("the checksum algorithm " + want.checksum.Algorithm)
	}
	r := &received{}
	digest := md5.New() //nolint:gosec // an ETag is one
	if err := s.copy(r, body, digest, sum); err != nil {
		r.abort()
		return nil, err
	}
	r.etag = hex.EncodeToString(digest.Sum(nil))
	r.checksum = Checksum{want.checksum.Algorithm, checksum.Value(sum), want.checksum.Type}
	err := check(r, body, val(length), digest, want)
	if err == nil && r.writer != nil {
		r.piece = Piece{Blob: r.writer.ID, BlobSize: r.size, Size: r.size}
		err = r.writer.Commit() // which aborts when it fails
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		r.abort()
		return nil, err
	}
	return r, nil
}

func tooLarge(size int64) error {
	return fault(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", "ProposedSize", decimal(size), "MaxSizeAllowed", decimal(maxPut))
}

// copy moves the body to disk. MD5, which takes longest, is computed beside the
// rest.
func (s *Service) copy(r *received, body io.Reader, digest, sum hash.Hash) error {
	if body == nil {
		return nil
	}
	buffer := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buffer)
	for {
		n, err := io.ReadFull(body, buffer[:])
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && !answered(err)
		if err != nil && !ended {
			return unread(err)
		}
		if r.size += int64(n); r.size > maxPut {
			return tooLarge(r.size)
		}
		if n > 0 {
			if err := s.keep(r, buffer[:n], digest, sum); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

func (s *Service) keep(r *received, p []byte, digest, sum hash.Hash) (err error) {
	var beside sync.WaitGroup
	beside.Go(func() { digest.Write(p) })
	defer beside.Wait()
	sum.Write(p)
	if r.writer == nil {
		if r.writer, err = s.blobs.Create(); err != nil {
			return err
		}
	}
	_, err = r.writer.Write(p)
	return err
}

func answered(err error) bool {
	_, ok := errors.AsType[*awsapi.Error](err)
	return ok
}

// unread words an error of the connection that the body came on.
func unread(err error) error {
	if answered(err) {
		return err
	}
	return fault(400, "IncompleteBody", "The request body terminated unexpectedly")
}

// check compares a body with what was said of it.
func check(r *received, body io.Reader, length int64, digest hash.Hash, want expected) error {
	if r.size != length {
		return fault(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	if got := base64.StdEncoding.EncodeToString(digest.Sum(nil)); want.md5 != "" && got != want.md5 {
		return fault(400, "BadDigest", "The Content-MD5 you specified did not match what we received.", "ExpectedDigest", want.md5, "CalculatedDigest", got)
	}
	given := want.checksum.Value
	if want.trailer {
		given = awsapi.Trailer(body).Get(checksum.Header(want.checksum.Algorithm))
		if given == "" {
			return fault(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
		}
	}
	if given != "" && given != r.checksum.Value {
		return fault(400, "BadDigest", "The "+want.checksum.Algorithm+" you specified did not match the calculated checksum.")
	}
	return nil
}
