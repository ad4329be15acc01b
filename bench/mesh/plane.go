package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/mesh"
)

// change is something that becomes different in a fleet's mesh.
type change struct {
	Kind   string // weight, endpoint, rotate
	Which  int    // service, node
	Number int    // another one each time
}

// plane is a fleet's control plane.
type plane struct {
	fleet
	server *mesh.Server
	mesh   *mesh.Mesh
}

func newPlane(ctx context.Context, f fleet, dir, addr string) (*plane, error) {
	m := f.mesh()
	by, err := authority(dir, m)
	if err != nil {
		return nil, err
	}
	server, err := serve(ctx, addr, m, by)
	return &plane{f, server, m}, err
}

// make makes a change, and says when it was handed to the server.
func (p *plane) make(c change) (time.Time, error) {
	switch c.Kind {
	case "weight":
		p.mesh = p.shifted(p.mesh, c.Which, int32(c.Number%49+1))
		now := time.Now()
		p.server.Put(p.mesh)
		return now, nil
	case "endpoint": // a task is replaced by another one
		all := p.where(c.Which)
		all[0].IP = p.endpoint(c.Which, 100+c.Number%100)
		next := *p.mesh
		next.Endpoints = maps.Clone(p.mesh.Endpoints)
		next.Endpoints[nodeName(c.Which)] = all
		p.mesh = &next
		now := time.Now()
		p.server.Endpoints(p.mesh.ARN, map[string][]mesh.Endpoint{nodeName(c.Which): all})
		return now, nil
	case "rotate":
		now := time.Now()
		p.server.Rotate(p.mesh.ARN, "")
		return now, nil
	}
	return time.Time{}, fmt.Errorf("there is no change %q", c.Kind)
}

// planeRole is a control plane in a process of its own, so that it can be seen
// what it costs. It takes changes on its input, one a line, and answers each
// with the time at which it was made, in nanoseconds.
func planeRole(ctx context.Context, args []string) error {
	var f fleet
	if err := json.Unmarshal([]byte(args[0]), &f); err != nil {
		return err
	}
	p, err := newPlane(ctx, f, args[1], args[2])
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c change
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		at, err := p.make(c)
		if err != nil {
			return err
		}
		fmt.Println(at.UnixNano())
	}
	return lines.Err()
}

// remote is a plane in another process.
type remote struct {
	*process
	in  io.Writer
	out *bufio.Reader
}

// make makes a change there.
func (r *remote) make(c change) (time.Time, error) {
	line, err := json.Marshal(c)
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	if err != nil {
		return time.Time{}, err
	}
	text, err := r.out.ReadString('\n')
	if err != nil {
		return time.Time{}, fmt.Errorf("the control plane has ended: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return time.Unix(0, n), err
}
