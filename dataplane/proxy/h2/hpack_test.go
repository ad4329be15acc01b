package h2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"
)

// Every string that the Huffman code of another implementation makes is read
// as that implementation reads it.
func TestHuffman(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOf(rapid.Byte()).Draw(t, "s")
		got, err := appendHuffman(nil, hpack.AppendHuffmanString(nil, string(s)))
		if err != nil || !bytes.Equal(got, s) {
			t.Fatalf("%q became %q: %v", s, got, err)
		}
	})
}

func FuzzHuffman(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x1f})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := appendHuffman(nil, in)
		want, errTheirs := hpack.HuffmanDecodeToString(in)
		if (err == nil) != (errTheirs == nil) || err == nil && string(got) != want {
			t.Fatalf("%x: %q, %v; theirs %q, %v", in, got, err, want, errTheirs)
		}
	})
}

// A sequence of blocks by another encoder is decoded as it was meant.
func TestDecodingOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buf bytes.Buffer
		enc := hpack.NewEncoder(&buf)
		d := &decoder{table: table{limit: tableSize}}
		for range rapid.IntRange(1, 8).Draw(t, "blocks") {
			buf.Reset()
			if rapid.IntRange(0, 5).Draw(t, "resize") == 0 {
				enc.SetMaxDynamicTableSize(rapid.Uint32Range(0, tableSize).Draw(t, "size"))
			}
			want := rapid.SliceOfN(drawField(), 0, 12).Draw(t, "fields")
			for _, f := range want {
				_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: f[2] != ""})
			}
			h := &Head{}
			h.reset()
			if err := d.block(buf.Bytes(), h); err != nil {
				t.Fatal(err)
			}
			check(t, h, want)
		}
	})
}

// And what this encoder writes is read as meant by another decoder and by
// this one.
func TestEncodingForOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &encoder{table: table{limit: tableSize}}
		d := &decoder{table: table{limit: tableSize}}
		theirs := hpack.NewDecoder(tableSize, nil)
		for range rapid.IntRange(1, 12).Draw(t, "blocks") {
			if rapid.IntRange(0, 5).Draw(t, "resize") == 0 {
				e.resize(rapid.Uint32Range(0, 2*tableSize).Draw(t, "size"))
			}
			want := rapid.SliceOfN(drawField(), 0, 12).Draw(t, "fields")
			var lines []byte
			for _, f := range want {
				lines = fmt.Appendf(lines, "%s: %s\r\n", strings.ToUpper(f[0]), f[1])
			}
			block := e.response(nil, 200, append(lines, "Connection: close\r\nTransfer-Encoding: chunked\r\nHost: a\r\n"...))
			h := &Head{}
			h.reset()
			if err := d.block(block, h); err != nil {
				t.Fatal(err)
			}
			check(t, h, want)
			fields, err := theirs.DecodeFull(block)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range fields[1:] {
				if f.Name != want[i][0] || f.Value != want[i][1] {
					t.Fatalf("%v, want %v", fields, want)
				}
			}
		}
	})
}

// drawField draws from few names and values, so that tables get used.
func drawField() *rapid.Generator[[3]string] {
	return rapid.Custom(func(t *rapid.T) [3]string {
		name := rapid.SampledFrom([]string{"accept", "x-a", "x-b", "etag", "cookie", "user-agent", "x-" + strings.Repeat("long", 30)}).Draw(t, "name")
		value := rapid.SampledFrom([]string{"", "a", "bb", strings.Repeat("0123456789", 50), strings.Repeat("x", 800)}).Draw(t, "value")
		return [3]string{name, value, rapid.SampledFrom([]string{"", "secret"}).Draw(t, "secret")}
	})
}

func check(t *rapid.T, h *Head, want [][3]string) {
	if len(h.Fields) != len(want) || h.bad {
		t.Fatalf("%d fields, want %d", len(h.Fields), len(want))
	}
	for i, f := range h.Fields {
		if string(f.Name) != want[i][0] || string(f.Value) != want[i][1] {
			t.Fatalf("%s: %s, want %v", f.Name, f.Value, want[i])
		}
	}
}

// What this decoder accepts another accepts and understands alike; and no
// block makes it panic.
func FuzzDecode(f *testing.F) {
	e := &encoder{table: table{limit: tableSize}}
	f.Add(e.request(nil, &Request{Method: []byte("GET"), Authority: []byte("a"), Path: []byte("/x"), Fields: []byte("Accept: */*\r\nCookie: a\r\n")}))
	f.Add([]byte("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"))
	f.Add([]byte("\x3f\xe1\x1f\x40\x01a\x01b\xbe"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := &decoder{table: table{limit: tableSize}}
		h := &Head{}
		h.reset()
		if d.block(in, h) != nil {
			return
		}
		theirs, err := hpack.NewDecoder(tableSize, nil).DecodeFull(in)
		if err != nil {
			t.Fatalf("accepted what another decoder refuses: %v", err)
		}
		if h.bad {
			return
		}
		i := 0
		for _, f := range theirs {
			if strings.HasPrefix(f.Name, ":") {
				continue
			}
			if i >= len(h.Fields) || string(h.Fields[i].Name) != f.Name || string(h.Fields[i].Value) != f.Value {
				t.Fatalf("field %d: %+v against %v", i, h.Fields, theirs)
			}
			i++
		}
		if i != len(h.Fields) {
			t.Fatalf("%d fields against %d", len(h.Fields), i)
		}
	})
}

// The table stays within its size, and knows what it should.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 400).Draw(t, "limit")
		tb := &table{limit: limit}
		var all []string // newest first
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			if rapid.IntRange(0, 8).Draw(t, "resize") == 0 {
				limit = rapid.IntRange(0, 400).Draw(t, "limit")
				tb.resize(limit)
			} else {
				v := rapid.StringN(0, 100, 100).Draw(t, "value")
				tb.add(entry{value: []byte(v)})
				all = append([]string{v}, all...)
			}
			used := 0
			for i, v := range all {
				if used += len(v) + 32; used > limit {
					all = all[:i]
					break
				}
			}
			for i, v := range all {
				if e := tb.index(uint64(i)); e == nil || string(e.value) != v {
					t.Fatalf("entry %d is %v, want %q", i, e, v)
				}
			}
			if tb.count != len(all) {
				t.Fatalf("%d entries, want %d", tb.count, len(all))
			}
		}
	})
}
