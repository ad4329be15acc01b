package pattern

import (
	"regexp"
	"strings"
)

// regex is a compiled %...%.
type regex struct{ re *regexp.Regexp }

// compileRegex accepts what CloudWatch Logs does: letters, digits, the symbols
// : _ # = @ / ; , - and space, and the operators ^ $ ? [ ] { } | \ * + . ;
// no parentheses and no multi-byte characters. An escaped character may be
// any printable one.
func compileRegex(source string) (*regex, error) {
	if source == "" {
		return nil, syntax("Invalid filter pattern: empty regular expression")
	}
	escaped := false
	for _, r := range source {
		switch {
		case r > 126 || r < 32:
			return nil, syntax("Invalid character(s) in regular expression '%s'", source)
		case escaped:
			escaped = false
			continue
		case r == '\\':
			escaped = true
		case isName(r), strings.ContainsRune(`:_#=@/;,- ^$?[]{}|*+.`, r):
		default:
			return nil, syntax("Invalid character(s) in regular expression '%s'", source)
		}
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, syntax("Invalid regular expression '%s'", source)
	}
	return &regex{re}, nil
}

func (r *regex) match(s string) bool { return r.re.MatchString(s) }
