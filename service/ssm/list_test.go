package ssm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/ssmapi"
)

func by(key, option string, values ...string) []api.ParameterStringFilter {
	return []api.ParameterStringFilter{{Key: &key, Option: opt(option), Values: values}}
}

func describe(w *world, filters []api.ParameterStringFilter, code string) string {
	w.Helper()
	var names []string
	in := &api.DescribeParametersInput{ParameterFilters: filters, MaxResults: new(int32(2))}
	for {
		out := call[api.DescribeParametersOutput](w, "DescribeParameters", in, code)
		if out == nil {
			return ""
		}
		for _, p := range out.Parameters {
			names = append(names, *p.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return strings.Join(names, " ")
		}
	}
}

func byPathOf(w *world, path string, recursive bool, filters []api.ParameterStringFilter, code string) string {
	w.Helper()
	var found []string
	in := &api.GetParametersByPathInput{Path: &path, Recursive: &recursive, ParameterFilters: filters, MaxResults: new(int32(2))}
	for {
		out := call[api.GetParametersByPathOutput](w, "GetParametersByPath", in, code)
		if out == nil {
			return ""
		}
		for _, p := range out.Parameters {
			found = append(found, *p.Name+"="+*p.Value)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return strings.Join(found, " ")
		}
	}
}

func TestParametersAreFound(t *testing.T) {
	w := newWorld(t)
	put(w, "/shop/dev/url", "a", func(in *api.PutParameterInput) { in.Tags = []api.Tag{{Key: new("team"), Value: new("x")}} }, "")
	put(w, "/shop/dev/db/password", "secret", secure, "")
	put(w, "/shop/name", "b", nil, "")
	put(w, "/shopping", "c", nil, "")
	put(w, "plain", "d", nil, "")
	for _, c := range []struct {
		path string
		deep bool
		want string
	}{
		{"/shop", false, "/shop/name=b"},
		{"/shop/", false, "/shop/name=b"},
		{"/shop/dev", false, "/shop/dev/url=a"},
		{"/", false, "/shopping=c plain=d"},
		{"/none", true, ""},
	} {
		if got := byPathOf(w, c.path, c.deep, nil, ""); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.path, c.deep, got, c.want)
		}
	}
	if got := strings.Count(byPathOf(w, "/shop", true, nil, ""), "="); got < 3 {
		t.Errorf("%d below /shop", got)
	}
	byPathOf(w, "shop", false, nil, "ValidationException")
	byPathOf(w, "/shop", false, by("Name", "", "x"), "InvalidFilterKey")
	if got := byPathOf(w, "/shop", true, by("Type", "", "String"), ""); got != "/shop/dev/url=a /shop/name=b" {
		t.Error(got)
	}
	for _, c := range []struct {
		filters    []api.ParameterStringFilter
		want, code string
	}{
		{nil, "/shop/dev/db/password /shop/dev/url /shop/name /shopping plain", ""},
		{by("Name", "", "/plain"), "plain", ""},
		{by("Name", "BeginsWith", "shop"), "/shop/dev/db/password /shop/dev/url /shop/name /shopping", ""},
		{by("Name", "Contains", "/d"), "/shop/dev/db/password /shop/dev/url", ""},
		{by("Path", "", "/shop"), "/shop/name", ""},
		{by("Path", "Recursive", "/shop"), "/shop/dev/db/password /shop/dev/url /shop/name", ""},
		{by("Type", "", "SecureString"), "/shop/dev/db/password", ""},
		{by("KeyId", "", "alias/aws/ssm"), "/shop/dev/db/password", ""},
		{by("tag:team", "", "x"), "/shop/dev/url", ""},
		{by("tag:team", ""), "/shop/dev/url", ""},
		{by("tag:team", "", "y"), "", ""},
		{by("Tier", "", "Advanced"), "", ""},
		{slices.Concat(by("Name", "Contains", "d"), by("Type", "", "String")), "/shop/dev/url", ""},
		{by("Type", "", "Float"), "", "InvalidFilterValue"},
		{by("Path", "Equals", "/shop"), "", "InvalidFilterOption"},
		{by("Name", "Recursive", "/shop"), "", "InvalidFilterOption"},
		{by("Label", "", "prod"), "", "InvalidFilterKey"},
		{slices.Concat(by("Name", "", "d"), by("Name", "", "e")), "", "InvalidFilterKey"},
	} {
		if got := describe(w, c.filters, c.code); got != c.want {
			t.Errorf("%+v: %q, want %q", c.filters, got, c.want)
		}
	}
}

func TestVersionsAreKeptAndLabelled(t *testing.T) {
	w := newWorld(t)
	label := func(version int64, code string, labels ...string) []string {
		w.Helper()
		out := call[api.LabelParameterVersionOutput](w, "LabelParameterVersion", &api.LabelParameterVersionInput{Name: new("/v"), ParameterVersion: opt(version), Labels: labels}, code)
		if out == nil {
			return nil
		}
		return out.InvalidLabels
	}
	put(w, "/v", "1", nil, "")
	for n := 2; n <= 100; n++ {
		put(w, "/v", fmt.Sprint(n), overwrite, "")
	}
	if bad := label(1, "", "prod", "aws-x", "1st", "ok_1"); fmt.Sprint(bad) != "[aws-x 1st]" {
		t.Error(bad)
	}
	if p := get(w, "/v:prod", false, ""); *p.Value != "1" || *p.Selector != ":prod" {
		t.Errorf("%s %s", *p.Value, *p.Selector)
	}
	put(w, "/v", "101", overwrite, "ParameterMaxVersionLimitExceeded")
	label(0, "", "prod") // moves to the newest
	out := call[api.UnlabelParameterVersionOutput](w, "UnlabelParameterVersion", &api.UnlabelParameterVersionInput{Name: new("/v"), ParameterVersion: new(int64(1)), Labels: []string{"prod", "ok_1"}}, "")
	if fmt.Sprint(out.RemovedLabels, out.InvalidLabels) != "[ok_1] [prod]" {
		t.Errorf("%+v", out)
	}
	put(w, "/v", "101", overwrite, "")
	get(w, "/v:1", false, "ParameterVersionNotFound")
	if got := byPathOf(w, "/", false, by("Label", "", "prod"), ""); got != "/v=100" {
		t.Error(got)
	}
	label(7, "", strings.Split("a b c d e f g h i j", " ")...)
	label(7, "ParameterVersionLabelLimitExceeded", "k")
	label(500, "ParameterVersionNotFound", "k")
	history := call[api.GetParameterHistoryOutput](w, "GetParameterHistory", &api.GetParameterHistoryInput{Name: new("/v")}, "")
	if len(history.Parameters) != 50 || *history.Parameters[0].Version != 2 || history.NextToken == nil {
		t.Errorf("%d versions", len(history.Parameters))
	}
}

func TestTagsOfAParameter(t *testing.T) {
	w := newWorld(t)
	put(w, "/t", "1", nil, "")
	call[api.AddTagsToResourceOutput](w, "AddTagsToResource", &api.AddTagsToResourceInput{
		ResourceType: "Parameter", ResourceId: new("/t"), Tags: []api.Tag{{Key: new("a"), Value: new("1")}, {Key: new("b"), Value: new("2")}},
	}, "")
	call[api.RemoveTagsFromResourceOutput](w, "RemoveTagsFromResource", &api.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: new("/t"), TagKeys: []string{"a"}}, "")
	out := call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: new("/t")}, "")
	if len(out.TagList) != 1 || *out.TagList[0].Key != "b" {
		t.Errorf("%+v", out.TagList)
	}
	call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: new("/u")}, "InvalidResourceId")
	call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "Document", ResourceId: new("d")}, "InvalidResourceType")
}

func TestParametersOfAWS(t *testing.T) {
	w := newWorld(t)
	for name, prefix := range map[string]string{
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64":              "ami-",
		"/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended":                       `{"image_id":"ami-`,
		"/aws/service/global-infrastructure/regions/us-east-1/longName":                      "US East (N. Virginia)",
		"arn:aws:ssm:eu-central-1::parameter/aws/service/global-infrastructure/services/ecs": "ecs",
	} {
		p := get(w, name, false, "")
		if !strings.HasPrefix(*p.Value, prefix) || !strings.HasPrefix(*p.ARN, "arn:aws:ssm:eu-central-1::parameter/aws/service/") {
			t.Errorf("%s: %s %s", name, *p.Value, *p.ARN)
		}
	}
	get(w, "/aws/service/none", false, "ParameterNotFound")
	if n := strings.Count(byPathOf(w, "/aws/service/global-infrastructure/regions", false, nil, ""), "="); n != len(regions) {
		t.Errorf("%d regions", n)
	}
	if got := byPathOf(w, "/", false, nil, ""); got != "" {
		t.Errorf("below the root: %s", got)
	}
}
