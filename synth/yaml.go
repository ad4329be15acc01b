package synth

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// yamlLength is how many characters a value is in the YAML the CDK makes of a template: block style, two blanks a level, lines never folded. at is the level that
// the value's lines are indented by. Values are those of a decoded JSON document.
func yamlLength(v any, at int) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			n += at + scalarLength(k, at) + len(":") + entryLength(item, at)
		}
	case []any:
		for _, item := range v {
			n += at + len("- ")
			if nested(item) {
				n += yamlLength(item, at+2) - (at + 2) // the first line of it stands behind the dash
			} else {
				n += leafLength(item, at+2) + len("\n")
			}
		}
	}
	return n
}

// entryLength is what follows a key and its colon, to the end of the line or of what is below it.
func entryLength(item any, at int) int {
	if nested(item) {
		return len("\n") + yamlLength(item, at+2)
	}
	return len(" ") + leafLength(item, at+2) + len("\n")
}

// nested reports whether a value takes lines of its own.
func nested(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func leafLength(v any, at int) int {
	switch v := v.(type) {
	case map[string]any, []any:
		return len("{}")
	case string:
		return scalarLength(v, at)
	case bool:
		if v {
			return len("true")
		}
		return len("false")
	case nil:
		return len("null")
	case interface{ String() string }: // json.Number
		return len(v.String())
	}
	return 0
}

// quoted are the texts that YAML 1.1 would read as something else, or not at all.
var quoted = regexp.MustCompile(`^$|^[\s\-?:](?:\s|$)|^[,\[\]{}#&*!|>'"%@` + "`" + `]|: |:$| #|^\s|\s$|` +
	`^(?i:y|n|yes|no|on|off|true|false|null|~)$|^[-+]?(?:0x[0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?)$|` +
	`^[-+]?\.[0-9]|^\d{4}-\d\d?-\d\d?$`)

func scalarLength(text string, at int) int {
	n := utf8.RuneCountInString(text)
	switch {
	case strings.Contains(text, "\n"):
		return n + len("|-\n") + at*(strings.Count(text, "\n")+1)
	case quoted.MatchString(text):
		both := strings.Count(text, `"`) + strings.Count(text, `\`)
		if strings.Contains(text, `"`) && !strings.Contains(text, `'`) {
			both = 0 // within single quotes nothing is escaped
		}
		return n + len(`""`) + both
	}
	return n
}
