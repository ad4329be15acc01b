package codec

import (
	"regexp"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/api/model"
)

var (
	unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	wideRepeat    = regexp.MustCompile(`\{(\d+),\d{4,}\}`) // RE2 counts to 1000; the length has its own check
)

// patternOf compiles a shape's pattern on first use. AWS matches the whole
// value, and writes Java's syntax: \uXXXX and \p{IsAlpha} have other spellings
// here. A pattern with what RE2 lacks (look-ahead, large repetition) is not
// checked; services check such values by hand.
func patternOf(s *model.Shape) func() *regexp.Regexp {
	if s.Pattern == "" || s.Pattern == ".*" || s.Pattern == `[\s\S]*` {
		return nil
	}
	source := translate(s.Pattern)
	if strings.Contains(source, "(?!") || strings.Contains(source, "(?=") || strings.Contains(source, "(?<") {
		return nil
	}
	return sync.OnceValue(func() *regexp.Regexp {
		re, err := regexp.Compile(source)
		if err != nil {
			return nil
		}
		return re
	})
}

func translate(pattern string) string {
	pattern = strings.ReplaceAll(pattern, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`) // UTF-16 for the rest of Unicode
	pattern = unicodeEscape.ReplaceAllString(pattern, `\x{$1}`)
	pattern = wideRepeat.ReplaceAllString(pattern, `{$1,}`)
	for old, now := range map[string]string{
		`\p{IsAlphabetic}`: `\p{L}`, `\p{IsLetter}`: `\p{L}`, `\p{IsDigit}`: `\p{Nd}`,
		`\p{Alpha}`: `[A-Za-z]`, `\p{Alnum}`: `[A-Za-z0-9]`, `\p{ASCII}`: `[\x00-\x7F]`,
		`\p{Print}`: `[\x20-\x7E]`, `\p{Graph}`: `[\x21-\x7E]`, `\p{XDigit}`: `[0-9A-Fa-f]`,
		`\Z`: `\z`,
	} {
		pattern = strings.ReplaceAll(pattern, old, now)
	}
	return `\A(?:` + pattern + `)\z`
}

// Untested lists the patterns of a model that are not checked because RE2
// cannot express them.
func Untested(m *model.Service) []string {
	var list []string
	for _, s := range m.Shapes {
		if s.Pattern == "" || s.Pattern == ".*" || s.Pattern == `[\s\S]*` {
			continue
		}
		if match := patternOf(s); match == nil || match() == nil {
			list = append(list, s.Name+": "+s.Pattern)
		}
	}
	return list
}
