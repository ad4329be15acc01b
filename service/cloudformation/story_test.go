package cloudformation

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

var rewrite = flag.Bool("update", false, "rewrite the expected output of the stories")

var testScope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

func testContext() context.Context {
	return awsapi.WithCaller(context.Background(), awsapi.Caller{Scope: testScope, ARN: "arn:aws:iam::123456789012:root"})
}

// TestStories runs testdata/*.txtar: templates, and a script of commands whose output stands in the file "want".
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tell(t, file) })
		})
	}
}

func tell(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range ar.Files {
		files[f.Name] = string(f.Data)
	}
	s := newStory(t, files)
	for line := range strings.Lines(files["script"]) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			s.printf("> %s", line)
			s.do(line)
		}
	}
	s.stop()
	got := s.out.String()
	if *rewrite {
		i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
		if i < 0 {
			ar.Files = append(ar.Files, txtar.File{Name: "want"})
			i = len(ar.Files) - 1
		}
		ar.Files[i].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(ar), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != files["want"] {
		t.Errorf("%s: run with -update to accept\n--- got\n%s\n--- want\n%s", file, got, files["want"])
	}
}

// story is one service with its fake cloud, and what was said so far.
type story struct {
	t        *testing.T
	files    map[string]string
	store    *store.Store
	cloud    *cloud
	provider *provider
	svc      *Service
	ctx      context.Context
	out      strings.Builder
	seen     map[string]int64 // events shown, by stack
	stop     func()
}

func newStory(t *testing.T, files map[string]string) *story {
	db, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, files: files, store: db, cloud: newCloud(), ctx: testContext(), seen: map[string]int64{}}
	s.svc = New(Config{Store: db, Log: slog.New(slog.DiscardHandler), Types: s.cloud.types()})
	s.svc.Fetch = func(_ context.Context, url string) (string, error) {
		text, ok := files[strings.TrimPrefix(url, "s3://")]
		if !ok {
			return "", fmt.Errorf("%s does not exist", url)
		}
		return text, nil
	}
	s.provider = &provider{story: s, answers: map[string]string{}, urls: map[string]string{}}
	s.svc.Transport = s.provider
	s.stop = runLoops(s.svc)
	return s
}

// runLoops runs the service's loops until the function returned is called.
func runLoops(s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, l := range s.Loops() {
		wg.Go(func() { _ = l.Run(ctx, s.Store, slog.New(slog.DiscardHandler)) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (s *story) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *story) fail(err error) {
	if err != nil {
		s.printf("%s", s.clean(strings.TrimPrefix(err.Error(), "ValidationError: ")))
	}
}

var (
	signature = regexp.MustCompile(`Signature=[0-9a-f]{64}`)
	randomID  = regexp.MustCompile(`\b([a-z0-9]+)-[0-9a-f]{6}\b`)
	uuidText  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	generated = regexp.MustCompile(`-[A-Z2-9]{12}\b`)
)

// clean replaces what differs from run to run.
func (s *story) clean(text string) string {
	text = uuidText.ReplaceAllString(text, "UUID")
	text = signature.ReplaceAllString(text, "Signature=SIGNATURE")
	text = randomID.ReplaceAllString(text, "$1-ID")
	return generated.ReplaceAllString(text, "-RANDOM")
}

func (s *story) do(line string) {
	words := strings.Fields(line)
	cmd, args := words[0], words[1:]
	switch cmd {
	case "create":
		_, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{
			StackName: &args[0], TemplateBody: s.template(args[1]), Parameters: parameters(args[2:]), Tags: tags(args[2:]),
			OnFailure: api.OnFailure(option(args, "onfailure")), Capabilities: caps(args), TimeoutInMinutes: minutes(args), StackPolicyBody: s.optional(option(args, "policy")),
		})
		s.fail(err)
	case "update":
		in := &api.UpdateStackInput{StackName: &args[0], Parameters: parameters(args[2:]), Tags: tags(args[2:]), Capabilities: caps(args)}
		if args[1] == "previous" {
			in.UsePreviousTemplate = new(true)
		} else {
			in.TemplateBody = s.template(args[1])
		}
		in.StackPolicyBody, in.StackPolicyDuringUpdateBody = s.optional(option(args, "policy")), s.optional(option(args, "during"))
		if option(args, "rollback") == "no" {
			in.DisableRollback = new(true)
		}
		_, err := s.svc.UpdateStack(s.ctx, in)
		s.fail(err)
	case "delete":
		in := &api.DeleteStackInput{StackName: &args[0]}
		if keep := option(args, "retain"); keep != "" {
			in.RetainResources = strings.Split(keep, ",")
		}
		_, err := s.svc.DeleteStack(s.ctx, in)
		s.fail(err)
	case "cancel":
		_, err := s.svc.CancelUpdateStack(s.ctx, &api.CancelUpdateStackInput{StackName: &args[0]})
		s.fail(err)
	case "continue":
		in := &api.ContinueUpdateRollbackInput{StackName: &args[0]}
		if skip := option(args, "skip"); skip != "" {
			in.ResourcesToSkip = strings.Split(skip, ",")
		}
		_, err := s.svc.ContinueUpdateRollback(s.ctx, in)
		s.fail(err)
	case "rollback":
		_, err := s.svc.RollbackStack(s.ctx, &api.RollbackStackInput{StackName: &args[0]})
		s.fail(err)
	case "policy":
		_, err := s.svc.SetStackPolicy(s.ctx, &api.SetStackPolicyInput{StackName: &args[0], StackPolicyBody: s.template(args[1])})
		s.fail(err)
	case "protect":
		_, err := s.svc.UpdateTerminationProtection(s.ctx, &api.UpdateTerminationProtectionInput{StackName: &args[0], EnableTerminationProtection: new(args[1] == "on")})
		s.fail(err)
	case "changeset":
		s.changeSet(args)
	case "execute":
		_, err := s.svc.ExecuteChangeSet(s.ctx, &api.ExecuteChangeSetInput{StackName: &args[0], ChangeSetName: &args[1]})
		s.fail(err)
	case "restart":
		s.stop()
		s.stop = runLoops(s.svc)
	case "fail": // fail create A the message
		s.cloud.fails[args[0]+" "+args[1]] = strings.Join(args[2:], " ")
	case "alter": // alter A size=3 tag:team=blue: behind CloudFormation's back
		_, row := s.cloud.find(args[0])
		for _, a := range args[1:] {
			switch k, v, _ := strings.Cut(a, "="); {
			case k == "size":
				row.size = v
			case v == "":
				delete(row.tags, strings.TrimPrefix(k, "tag:"))
			default:
				row.tags[strings.TrimPrefix(k, "tag:")] = v
			}
		}
	case "vanish":
		id, _ := s.cloud.find(args[0])
		delete(s.cloud.things, id)
	case "mute": // mute A the message
		id, _ := s.cloud.find(args[0])
		s.cloud.fails["read "+id] = strings.Join(args[1:], " ")
	case "drift":
		s.drift(args)
	case "heal":
		clear(s.cloud.fails)
	case "slow":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.cloud.slow[args[0]] = d
	case "busy":
		s.cloud.busy[args[0]] = 3
	case "sleep":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d)
		synctest.Wait()
		s.events()
	case "wait":
		s.wait()
		s.events()
	case "stack":
		s.describe(args[0])
	case "resources":
		s.resources(args[0])
	case "exports":
		out, err := s.svc.ListExports(s.ctx, &api.ListExportsInput{})
		s.fail(err)
		for _, e := range out.Exports {
			s.printf("%s = %s", *e.Name, s.clean(*e.Value))
		}
	case "imports":
		out, err := s.svc.ListImports(s.ctx, &api.ListImportsInput{ExportName: &args[0]})
		s.fail(err)
		if err == nil {
			s.printf("%s", strings.Join(out.Imports, " "))
		}
	case "cloud":
		for _, l := range s.cloud.list() {
			s.printf("%s", s.clean(l))
		}
	default:
		if !s.ask(cmd, args) {
			s.t.Fatalf("unknown command %q", cmd)
		}
	}
}

// wait lets time pass until no operation runs.
func (s *story) wait() {
	for range 10_000 {
		synctest.Wait()
		running := 0
		for range Operations.List(s.store.Snapshot(), "") {
			running++
		}
		if running == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("operations do not end:\n%s", s.out.String())
}

func (s *story) template(name string) *string {
	body, ok := s.files[name]
	if !ok {
		s.t.Fatalf("no file %q", name)
	}
	return &body
}

// optional is the content of a file; nil when none is named.
func (s *story) optional(name string) *string {
	if name == "" {
		return nil
	}
	return s.template(name)
}

// events prints the events that have not been shown. Events of one moment that belong to parallel work are sorted.
func (s *story) events() {
	s.provider.tell()
	for st := range Stacks.List(s.store.Snapshot(), "") {
		var lines []string
		for e := range Events.List(s.store.Snapshot(), st.Key()+"/") {
			if e.Seq <= s.seen[st.Key()] {
				continue
			}
			s.seen[st.Key()] = e.Seq
			line := fmt.Sprintf("  %s %s %s", e.LogicalID, e.Status, e.PhysicalID)
			if e.PhysicalID == st.ID {
				line = fmt.Sprintf("%s %s", e.LogicalID, e.Status)
			}
			if e.Reason != "" {
				line += " | " + e.Reason
			}
			lines = append(lines, s.clean(line))
		}
		sortParallel(lines)
		for _, l := range lines {
			s.printf("%s", l)
		}
	}
}

// sortParallel sorts the events of resources between two events of the stack, by resource: parallel work has no order.
func sortParallel(lines []string) {
	first := 0
	for i := 0; i <= len(lines); i++ {
		if i == len(lines) || !strings.HasPrefix(lines[i], "  ") {
			slices.SortStableFunc(lines[first:i], func(a, b string) int { return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0]) })
			first = i + 1
		}
	}
}

func (s *story) describe(name string) {
	out, err := s.svc.DescribeStacks(s.ctx, &api.DescribeStacksInput{StackName: &name})
	if err != nil {
		s.fail(err)
		return
	}
	st := out.Stacks[0]
	s.printf("%s %s | %s", *st.StackName, st.StackStatus, deref(st.StackStatusReason))
	for _, p := range st.Parameters {
		s.printf("  parameter %s = %s", *p.ParameterKey, *p.ParameterValue)
	}
	for _, tag := range st.Tags {
		s.printf("  tag %s = %s", *tag.Key, *tag.Value)
	}
	for _, o := range st.Outputs {
		s.printf("  output %s = %s %s", *o.OutputKey, s.clean(*o.OutputValue), deref(o.ExportName))
	}
}

func (s *story) resources(name string) {
	out, err := s.svc.ListStackResources(s.ctx, &api.ListStackResourcesInput{StackName: &name})
	s.fail(err)
	for _, r := range out.StackResourceSummaries {
		s.printf("  %s %s %s %s", *r.LogicalResourceId, *r.ResourceType, r.ResourceStatus, s.clean(deref(r.PhysicalResourceId)))
	}
}

func (s *story) changeSet(args []string) {
	stack, name := args[0], args[1]
	if args[2] == "delete" {
		_, err := s.svc.DeleteChangeSet(s.ctx, &api.DeleteChangeSetInput{StackName: &stack, ChangeSetName: &name})
		s.fail(err)
		return
	}
	if args[2] != "show" {
		_, err := s.svc.CreateChangeSet(s.ctx, &api.CreateChangeSetInput{
			StackName: &stack, ChangeSetName: &name, TemplateBody: s.template(args[2]), Parameters: parameters(args[3:]), Tags: tags(args[3:]),
			ChangeSetType: api.ChangeSetType(option(args, "type")), Capabilities: caps(args),
		})
		if err != nil {
			s.fail(err)
			return
		}
	}
	out, err := s.svc.DescribeChangeSet(s.ctx, &api.DescribeChangeSetInput{StackName: &stack, ChangeSetName: &name, IncludePropertyValues: new(true)})
	if err != nil {
		s.fail(err)
		return
	}
	s.printf("%s %s %s | %s", *out.ChangeSetName, out.Status, out.ExecutionStatus, deref(out.StatusReason))
	for _, c := range out.Changes {
		r := c.ResourceChange
		s.printf("  %s %s %s replacement=%s scope=%v policy=%s", r.Action, *r.LogicalResourceId, s.clean(deref(r.PhysicalResourceId)), r.Replacement, r.Scope, r.PolicyAction)
		for _, d := range r.Details {
			s.printf("    %s %s recreation=%s %s %s %s: %s -> %s", d.Target.Attribute, deref(d.Target.Name), d.Target.RequiresRecreation, d.Evaluation,
				d.ChangeSource, deref(d.CausingEntity), s.clean(deref(d.Target.BeforeValue)), s.clean(deref(d.Target.AfterValue)))
		}
	}
}

func option(args []string, name string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, name+":"); ok {
			return v
		}
	}
	return ""
}

func parameters(args []string) []api.Parameter {
	var out []api.Parameter
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok && !strings.HasPrefix(a, "tag:") {
			p := api.Parameter{ParameterKey: &k, ParameterValue: &v}
			if v == "previous" {
				p = api.Parameter{ParameterKey: &k, UsePreviousValue: new(true)}
			}
			out = append(out, p)
		}
	}
	return out
}

func tags(args []string) []api.Tag {
	var out []api.Tag
	for _, a := range args {
		if kv, ok := strings.CutPrefix(a, "tag:"); ok {
			k, v, _ := strings.Cut(kv, "=")
			out = append(out, api.Tag{Key: &k, Value: &v})
		}
	}
	return out
}

func caps(args []string) []api.Capability {
	if c := option(args, "cap"); c != "" {
		return []api.Capability{api.Capability(c)}
	}
	return nil
}

func minutes(args []string) *int32 {
	if option(args, "timeout") == "" {
		return nil
	}
	return new(int32(1))
}
