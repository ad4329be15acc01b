package synth

// The intrinsic functions the templates use. Source: "Intrinsic function reference" of the CloudFormation user guide.

func ref(id string) Object   { return Object{{"Ref", id}} }
func sub(text string) Object { return Object{{"Fn::Sub", text}} }

// attribute is what Fn::GetAtt would say in three times the lines, once the CDK has made YAML of it (see MaxInline).
func attribute(id, name string) Object { return sub("${" + id + "." + name + "}") }

// zone is the n-th availability zone of the region, counted from 0.
func zone(n int) Object { return Object{{"Fn::Select", []any{n, Object{{"Fn::GetAZs", ""}}}}} }

func refs(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = ref(id)
	}
	return out
}
