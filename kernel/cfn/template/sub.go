package template

import "strings"

// piece is a part of a Fn::Sub text: either literal text or the name of a variable.
type piece struct {
	literal  string
	variable string
}

// subPieces takes a Fn::Sub text apart. "${!x}" is the literal "${x}"; a "$" or "${" that opens no variable is literal too.
func subPieces(text string) ([]piece, bool) {
	var out []piece
	var lit strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			break
		}
		name := text[i+2 : i+end]
		lit.WriteString(text[:i])
		text = text[i+end+1:]
		if bang, ok := strings.CutPrefix(name, "!"); ok {
			lit.WriteString("${" + bang + "}")
			continue
		}
		name = strings.TrimSpace(name)
		if name == "" || strings.Trim(name, subAlphabet) != "" {
			return nil, false
		}
		if lit.Len() > 0 {
			out = append(out, piece{literal: lit.String()})
			lit.Reset()
		}
		out = append(out, piece{variable: name})
	}
	lit.WriteString(text)
	if lit.Len() > 0 {
		out = append(out, piece{literal: lit.String()})
	}
	return out, true
}

const subAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:"

const subShape = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, " +
	"and an optional second argument to specify a mapping of values to replace in the string"

const subNames = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"

// subParts reads both forms of Fn::Sub: a string, or a list of a string and a map.
func subParts(arg *Node) ([]piece, *Node, error) {
	format, vars := arg, (*Node)(nil)
	if arg.Kind == List {
		if len(arg.Items) != 2 || arg.Items[1].Kind != Map {
			return nil, nil, fail(arg, "%s", subShape)
		}
		format, vars = arg.Items[0], arg.Items[1]
	}
	if format.Kind != String {
		return nil, nil, fail(arg, "%s", subShape)
	}
	pieces, ok := subPieces(format.Text)
	if !ok {
		return nil, nil, fail(arg, "%s", subNames)
	}
	return pieces, vars, nil
}
