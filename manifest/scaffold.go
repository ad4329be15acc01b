package manifest

import (
	_ "embed"
	"strings"
)

//go:embed scaffold.yaml
var scaffold string

// Scaffold is a first manifest for a platform: one service, with the choices one makes first in comments. name is made to fit, so the
// folder's name will do.
func Scaffold(name string) string {
	return strings.NewReplacer("SCHEMA", SchemaURL, "NAME", fit(name)).Replace(scaffold)
}

// fit turns any text into a platform's name.
func fit(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.TrimRight(b.String()[:min(b.Len(), 20)], "-")
	if len(name) < 2 || strings.HasPrefix(name, "internal-") {
		return "platform"
	}
	return name
}
