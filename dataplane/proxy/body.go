package proxy

import (
	"bytes"
	"errors"
	"io"
)

// body decodes a message body out of a source's buffer, never past its end.
type body struct {
	left  int64 // of the content, or of the current chunk
	mode  int8
	state int8
}

const (
	plainBody int8 = iota // a count of bytes
	chunkBody
	openBody // until the connection ends
)

const (
	chunkSize int8 = iota
	chunkData
	chunkEnd
	chunkTrailer
)

func newBody(length int64) body {
	switch length {
	case chunked:
		return body{mode: chunkBody}
	case untilClose:
		return body{mode: openBody}
	}
	return body{left: length}
}

type progress int8

const (
	have progress = iota // data was returned
	dry                  // more input is needed
	done                 // the body has ended
)

// maxTrailer bounds a trailer section, and maxChunkLine a chunk-size line
// with its extensions.
const (
	maxTrailer   = 16 << 10
	maxChunkLine = 1 << 10
)

// next takes the next piece of content out of s. With done, trailer holds the
// raw trailer section of a chunked body, its empty line included.
func (b *body) next(s *source) (data, trailer []byte, p progress, f *fault) {
	for {
		in := s.buffered()
		switch {
		case b.mode == openBody:
			if len(in) == 0 {
				return nil, nil, dry, nil
			}
			s.r = s.w
			return in, nil, have, nil
		case b.mode == plainBody && b.left == 0:
			return nil, nil, done, nil
		case b.mode == plainBody || b.state == chunkData:
			if len(in) == 0 {
				return nil, nil, dry, nil
			}
			if int64(len(in)) > b.left {
				in = in[:b.left]
			}
			s.r += len(in)
			if b.left -= int64(len(in)); b.left == 0 && b.mode == chunkBody {
				b.state = chunkEnd
			}
			return in, nil, have, nil
		case b.state == chunkEnd:
			if len(in) < 2 {
				if len(in) == 1 && in[0] != '\r' {
					return nil, nil, 0, errChunk
				}
				return nil, nil, dry, nil
			}
			if in[0] != '\r' || in[1] != '\n' {
				return nil, nil, 0, errChunk
			}
			s.r += 2
			b.state = chunkSize
		case b.state == chunkSize:
			n, size, f := chunkLine(in)
			if f != nil || n == 0 {
				return nil, nil, dry, f
			}
			s.r += n
			b.left, b.state = size, chunkData
			if size == 0 {
				b.state = chunkTrailer
			}
		default:
			var end int
			if bytes.HasPrefix(in, []byte("\r\n")) {
				end = 2
			} else if end, _ = headEnd(in, 0); end < 0 {
				if len(in) > maxTrailer {
					return nil, nil, 0, errTrailer
				}
				return nil, nil, dry, nil
			}
			s.r += end
			return nil, in[:end], done, nil
		}
	}
}

// chunkLine reads a chunk-size line: 1 to 15 hexadecimal digits, optional
// extensions (which are not passed on), CR LF. n = 0 means not complete yet.
func chunkLine(in []byte) (n int, size int64, f *fault) {
	i := 0
	for i < len(in) {
		c := in[i]
		switch {
		case '0' <= c && c <= '9':
			size = size<<4 | int64(c-'0')
		case 'a' <= lower(c) && lower(c) <= 'f':
			size = size<<4 | int64(lower(c)-'a'+10)
		default:
			goto digits
		}
		if i++; i > 15 {
			return 0, 0, errChunk
		}
	}
digits:
	if i == len(in) {
		return 0, 0, nil
	}
	j := i
	if i == 0 || in[i] != '\r' && in[i] != ';' && in[i] != ' ' && in[i] != '\t' {
		return 0, 0, errChunk
	}
	for j < len(in) && class[in[j]]&isValue != 0 {
		j++
	}
	if j > maxChunkLine {
		return 0, 0, errChunk
	}
	if ext := trim(in[i:j]); len(ext) > 0 && ext[0] != ';' || len(ext) == 0 && j > i {
		return 0, 0, errChunk
	}
	switch {
	case j == len(in) || j+1 == len(in) && in[j] == '\r':
		return 0, 0, nil
	case in[j] != '\r' || in[j+1] != '\n':
		return 0, 0, errChunk
	}
	return j + 2, size, nil
}

// pump carries one body from a source to a sink.
type pump struct {
	body body
	src  *source
	dst  *sink
	wrap bool // write chunks
	got  int64
	// moved is told of the bytes that have come; nil: nobody.
	moved func(n int64)
	tape  *replay // of what is sent; nil: none
	whole func()  // called when all was read, before the last is sent; nil: nobody
}

// errSource and errSink tell which side of a copy broke.
type (
	errSource struct{ error }
	errSink   struct{ error }
)

func (e errSource) Unwrap() error { return e.error }
func (e errSink) Unwrap() error   { return e.error }

// run copies until the end of the body. What is pending is sent before every
// wait for input, so that streams flow. The error is an errSource (also for
// malformed chunks) or an errSink.
func (p *pump) run() error {
	if p.tape != nil && len(p.tape.kept) > 0 {
		if err := p.emit(p.tape.kept); err != nil {
			return errSink{err}
		}
	}
	if p.tape != nil && p.tape.done {
		return p.finish(p.tape.trailer)
	}
	for {
		data, trailer, st, f := p.body.next(p.src)
		switch {
		case f != nil:
			return errSource{f}
		case st == have:
			p.got += int64(len(data))
			if p.moved != nil {
				p.moved(int64(len(data)))
			}
			if p.tape != nil {
				p.tape.add(data)
			}
			if err := p.emit(data); err != nil {
				return errSink{err}
			}
		case st == done:
			if p.tape != nil {
				p.tape.done, p.tape.trailer = true, bytes.Clone(trailer)
			}
			return p.finish(trailer)
		default:
			if err := p.dst.flush(); err != nil {
				return errSink{err}
			}
			if err := p.src.fill(maxRequestHead); err != nil {
				if errors.Is(err, io.EOF) && p.body.mode == openBody {
					trailer := p.src.trailers()
					if p.tape != nil {
						p.tape.done, p.tape.trailer = true, trailer
					}
					return p.finish(trailer)
				}
				return errSource{noEOF(err)}
			}
			if p.src.active != nil {
				p.src.active.last.Store(nanos())
			}
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *pump) emit(data []byte) error {
	if !p.wrap {
		return p.dst.data(data)
	}
	p.dst.out = appendHex(p.dst.out, uint64(len(data)))
	p.dst.out = append(p.dst.out, '\r', '\n')
	if err := p.dst.data(data); err != nil {
		return err
	}
	p.dst.out = append(p.dst.out, '\r', '\n')
	return nil
}

// finish ends the body, passing trailer fields on but none that could be
// taken for framing or routing.
func (p *pump) finish(trailer []byte) error {
	var passed []byte
	if len(trailer) > 2 && (p.wrap || p.dst.st != nil) {
		fields, f := parseFields(trailer, nil)
		if f != nil {
			return errSource{errTrailer}
		}
		for _, f := range fields {
			if f.kind == other {
				passed = appendField(passed, f.name, f.value)
			}
		}
	}
	if p.wrap {
		p.dst.out = append(p.dst.out, "0\r\n"...)
		p.dst.out = append(append(p.dst.out, passed...), '\r', '\n')
	}
	if p.whole != nil {
		p.whole()
	}
	if err := p.dst.end(passed); err != nil {
		return errSink{err}
	}
	return nil
}

// trailers are those of a stream that has ended, as a chunked body has them.
func (s *source) trailers() (out []byte) {
	if s.st == nil {
		return nil
	}
	if h := s.st.Trailers(); h != nil {
		for _, f := range h.Fields {
			out = appendField(out, f.Name, f.Value)
		}
		out = append(out, '\r', '\n')
	}
	return out
}

func appendField(out, name, value []byte) []byte {
	out = append(out, name...)
	out = append(out, ':', ' ')
	out = append(out, value...)
	return append(out, '\r', '\n')
}

func appendHex(out []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	i := 60
	for i > 0 && n>>i == 0 {
		i -= 4
	}
	for ; i >= 0; i -= 4 {
		out = append(out, digits[n>>i&15])
	}
	return out
}
