package appmesh

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// checker collects what is wrong with a spec beyond what the API's model says
// of each member alone, so that one answer names it all.
type checker struct{ found []string }

func (c *checker) refuse(path, format string, args ...any) {
	c.found = append(c.found, path+" "+fmt.Sprintf(format, args...))
}

// err is a BadRequestException that names everything found, or nil.
func (c *checker) err() error {
	if len(c.found) == 0 {
		return nil
	}
	return invalid("%s", strings.Join(c.found, "; "))
}

// choices are the members of a union, and which of them are given.
type choices map[string]bool

func (ch choices) given() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(ch)) {
		if ch[name] {
			names = append(names, name)
		}
	}
	return names
}

// exactly holds a union to one member.
func (c *checker) exactly(path string, ch choices) {
	if n := len(ch.given()); n != 1 {
		c.refuse(path, "must have exactly one of %s, not %d", strings.Join(slices.Sorted(maps.Keys(ch)), ", "), n)
	}
}

// most holds optional members that exclude each other.
func (c *checker) most(path string, ch choices) {
	if g := ch.given(); len(g) > 1 {
		c.refuse(path, "cannot have %s together", strings.Join(g, " and "))
	}
}

// duration wants a time to have both its parts.
func (c *checker) duration(path string, d *api.Duration) {
	if d != nil && (d.Unit == "" || d.Value == nil) {
		c.refuse(path, "must have a unit and a value")
	}
}

// regex wants a regular expression of RE2, which proxies match with.
func (c *checker) regex(path string, re *string) {
	if re == nil {
		return
	}
	if _, err := regexp.Compile(*re); err != nil {
		c.refuse(path, "is not a regular expression: %v", err)
	}
}

// at is the path of a list's element.
func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// portSet tells listeners apart.
type portSet map[int32]bool

func (p portSet) add(c *checker, path string, port int32) {
	if p[port] {
		c.refuse(path+".portMapping.port", "is %d, as that of another listener is", port)
	}
	p[port] = true
}
