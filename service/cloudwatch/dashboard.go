package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// dashboardKey is the key of a dashboard: they belong to the account, not to
// a region.
func dashboardKey(scope arn.Scope, name string) string {
	return arn.Scope{Account: scope.Account}.Key(name)
}

// PutDashboard makes or replaces a dashboard.
func (s *Service) PutDashboard(ctx context.Context, in *cloudwatchapi.PutDashboardInput) (*cloudwatchapi.PutDashboardOutput, error) {
	name, body := val(in.DashboardName), val(in.DashboardBody)
	if !dashboardName.MatchString(name) {
		return nil, errDashboard([]problem{{"", fmt.Sprintf("The value %s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).", name)}})
	}
	fatal, warnings := checkDashboard(body)
	if len(fatal) > 0 {
		return nil, errDashboard(fatal)
	}
	tags := tagset.Of(in.Tags)
	if len(tags) > maxTags {
		return nil, errTags
	}
	d := Dashboard{Scope: arn.Scope{Account: scopeOf(ctx).Account}, Name: name, Body: body, Modified: s.Now(), Tags: tags}
	err := s.store.Update(func(tx *store.Tx) error {
		next := d
		if old, err := Dashboards.Get(tx, Dashboards.Key(d)); err == nil {
			next.Tags = old.Tags
		}
		Dashboards.Put(tx, next)
		return nil
	})
	out := &cloudwatchapi.PutDashboardOutput{DashboardValidationMessages: []cloudwatchapi.DashboardValidationMessage{}}
	for _, w := range warnings {
		out.DashboardValidationMessages = append(out.DashboardValidationMessages, cloudwatchapi.DashboardValidationMessage{DataPath: new(w.DataPath), Message: new(w.Message)})
	}
	return out, err
}

// problem is something wrong with a dashboard's body.
type problem struct{ DataPath, Message string }

func errDashboard(found []problem) error {
	e := awsapi.Errorf("DashboardInvalidInputError", 400, "The field DashboardBody must be a valid JSON object")
	if len(found) > 0 {
		e.Message = found[0].Message
	}
	e.Fields = map[string]any{"dashboardValidationMessages": found}
	return e
}

var widgetTypes = []string{"alarm", "custom", "explorer", "log", "metric", "text"}

// checkDashboard tells what keeps a body from being kept, and what is merely
// odd (CloudWatch API reference, "Dashboard body structure and syntax").
func checkDashboard(body string) (fatal, warnings []problem) {
	var doc map[string]json.RawMessage
	dec := json.NewDecoder(strings.NewReader(body))
	if err := dec.Decode(&doc); err != nil || doc == nil {
		return []problem{{"", "The dashboard body is invalid, it must be a valid JSON object"}}, nil
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return []problem{{"", "The dashboard body is invalid, there is something after the JSON object"}}, nil
	}
	for k := range doc {
		if !slices.Contains([]string{"widgets", "start", "end", "periodOverride", "variables"}, k) {
			warnings = append(warnings, problem{"/" + k, "The property is not known, has it been misspelled?"})
		}
	}
	var widgets []map[string]json.RawMessage
	if raw, ok := doc["widgets"]; !ok {
		return []problem{{"", "Should have required property 'widgets'"}}, warnings
	} else if err := json.Unmarshal(raw, &widgets); err != nil {
		return []problem{{"/widgets", "Should be an array of objects"}}, warnings
	}
	if len(widgets) > 500 {
		return []problem{{"/widgets", "Should NOT have more than 500 items"}}, warnings
	}
	for i, w := range widgets {
		fatal = append(fatal, checkWidget(w, fmt.Sprintf("/widgets/%d", i))...)
	}
	return fatal, warnings
}

func checkWidget(w map[string]json.RawMessage, path string) (found []problem) {
	var kind string
	switch raw, ok := w["type"]; {
	case !ok:
		found = append(found, problem{path, "Should have required property 'type'"})
	case json.Unmarshal(raw, &kind) != nil || !slices.Contains(widgetTypes, kind):
		found = append(found, problem{path + "/type", "Should be equal to one of the allowed values: " + strings.Join(widgetTypes, ", ")})
	}
	var properties map[string]json.RawMessage
	if raw, ok := w["properties"]; !ok {
		found = append(found, problem{path, "Should have required property 'properties'"})
	} else if json.Unmarshal(raw, &properties) != nil || properties == nil {
		found = append(found, problem{path + "/properties", "Should be object"})
	}
	required := map[string]string{"text": "markdown", "alarm": "alarms", "custom": "endpoint", "log": "query"}[kind]
	if _, ok := properties[required]; required != "" && properties != nil && !ok {
		found = append(found, problem{path + "/properties", "Should have required property '" + required + "'"})
	}
	for name, least := range map[string]int{"width": 1, "height": 1, "x": 0, "y": 0} {
		raw, ok := w[name]
		var n int
		if ok && (json.Unmarshal(raw, &n) != nil || n < least || name == "width" && n > 24) {
			found = append(found, problem{path + "/" + name, "Should be an integer in the grid"})
		}
	}
	return found
}

// GetDashboard gives a dashboard.
func (s *Service) GetDashboard(ctx context.Context, in *cloudwatchapi.GetDashboardInput) (*cloudwatchapi.GetDashboardOutput, error) {
	d, err := Dashboards.Get(s.store.Snapshot(), dashboardKey(scopeOf(ctx), val(in.DashboardName)))
	if err != nil {
		return nil, errNoDashboard(val(in.DashboardName))
	}
	return &cloudwatchapi.GetDashboardOutput{DashboardArn: new(d.ARN()), DashboardBody: new(d.Body), DashboardName: new(d.Name)}, nil
}

// ListDashboards lists dashboards by name.
func (s *Service) ListDashboards(ctx context.Context, in *cloudwatchapi.ListDashboardsInput) (*cloudwatchapi.ListDashboardsOutput, error) {
	found := slices.Collect(Dashboards.List(s.store.Snapshot(), dashboardKey(scopeOf(ctx), val(in.DashboardNamePrefix))))
	page, next, err := awsapi.Page(found, Dashboards.Key, in.NextToken, 0, 1000)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.ListDashboardsOutput{DashboardEntries: []cloudwatchapi.DashboardEntry{}, NextToken: next}
	for _, d := range page {
		out.DashboardEntries = append(out.DashboardEntries, cloudwatchapi.DashboardEntry{
			DashboardName: new(d.Name), DashboardArn: new(d.ARN()), LastModified: new(d.Modified), Size: new(int64(len(d.Body))),
		})
	}
	return out, nil
}

// DeleteDashboards deletes dashboards: all of those named, or none when one
// does not exist.
func (s *Service) DeleteDashboards(ctx context.Context, in *cloudwatchapi.DeleteDashboardsInput) (*cloudwatchapi.DeleteDashboardsOutput, error) {
	err := s.store.Update(func(tx *store.Tx) error {
		for _, name := range in.DashboardNames {
			if !Dashboards.Delete(tx, dashboardKey(scopeOf(ctx), name)) {
				return errNoDashboard(name)
			}
		}
		return nil
	})
	return &cloudwatchapi.DeleteDashboardsOutput{}, err
}
