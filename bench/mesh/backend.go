package main

import (
	"bytes"
	"context"
	"net"
	"strings"
)

// answerSize is how many bytes the backend's answers hold.
const answerSize = 1024

// backend answers every request head with the same 1 KB.
func backend(ctx context.Context, args []string) error {
	ln, err := net.Listen("tcp4", args[0])
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", answerSize))
	for ctx.Err() == nil {
		c, err := ln.Accept()
		if err != nil {
			continue
		}
		go answerAll(c, answer)
	}
	return nil
}

func answerAll(c net.Conn, answer []byte) {
	defer c.Close()
	buf := make([]byte, 8192)
	n := 0
	for {
		m, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		for {
			i := bytes.Index(buf[:n], []byte("\r\n\r\n"))
			if i < 0 {
				break
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
			n = copy(buf, buf[i+4:n])
		}
	}
}
