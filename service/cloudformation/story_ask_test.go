package cloudformation

import (
	"net/http/httptest"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// ask does the commands that ask about templates and stacks. It reports whether it knows the command.
func (s *story) ask(cmd string, args []string) bool {
	switch cmd {
	case "template": // template web Processed
		out, err := s.svc.GetTemplate(s.ctx, &api.GetTemplateInput{StackName: &args[0], TemplateStage: api.TemplateStage(args[1])})
		s.fail(err)
		if err == nil {
			s.printf("%s", deref(out.TemplateBody))
		}
	case "validate":
		out, err := s.svc.ValidateTemplate(s.ctx, &api.ValidateTemplateInput{TemplateBody: s.template(args[0])})
		s.fail(err)
		if err == nil {
			s.printf("capabilities %v %s transforms %v", out.Capabilities, deref(out.CapabilitiesReason), out.DeclaredTransforms)
		}
	case "put": // put web Handle {"Status": ...}: to the address that Ref of the handle is
		st, err := find(s.ctx, s.store.Snapshot(), args[0])
		s.fail(err)
		row, err := Resources.Get(s.store.Snapshot(), st.Key()+"/"+args[1])
		s.fail(err)
		w := httptest.NewRecorder()
		s.svc.Callbacks().ServeHTTP(w, httptest.NewRequest("PUT", row.PhysicalID, strings.NewReader(strings.Join(args[2:], " "))))
		s.printf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
	case "signal": // signal web A SUCCESS id
		_, err := s.svc.SignalResource(s.ctx, &api.SignalResourceInput{StackName: &args[0], LogicalResourceId: &args[1], Status: api.ResourceSignalStatus(args[2]), UniqueId: &args[3]})
		s.fail(err)
	case "import": // import web first t.yaml A=T::Thing:ID=a-1
		in := &api.CreateChangeSetInput{StackName: &args[0], ChangeSetName: &args[1], TemplateBody: s.template(args[2]), ChangeSetType: "IMPORT"}
		for _, a := range args[3:] {
			id, rest, _ := strings.Cut(a, "=")
			i := strings.LastIndexByte(rest, ':')
			key, value, _ := strings.Cut(rest[i+1:], "=")
			in.ResourcesToImport = append(in.ResourcesToImport, api.ResourceToImport{
				LogicalResourceId: &id, ResourceType: new(rest[:i]), ResourceIdentifier: map[string]string{key: value},
			})
		}
		if _, err := s.svc.CreateChangeSet(s.ctx, in); err != nil {
			s.fail(err)
		} else {
			s.changeSet([]string{args[0], args[1], "show"})
		}
	case "adopt": // adopt web first t.yaml: a change set with ImportExistingResources
		_, err := s.svc.CreateChangeSet(s.ctx, &api.CreateChangeSetInput{
			StackName: &args[0], ChangeSetName: &args[1], TemplateBody: s.template(args[2]), ChangeSetType: api.ChangeSetType(option(args, "type")), ImportExistingResources: new(true),
		})
		if err != nil {
			s.fail(err)
		} else {
			s.changeSet([]string{args[0], args[1], "show"})
		}
	case "found": // found a-1 3: there is a thing that no stack has made
		s.cloud.things[args[0]] = &thingRow{owner: "nobody/" + args[0], size: args[1], tags: map[string]string{}}
	case "provider": // provider Create A {"Status": "SUCCESS", ...}
		s.provider.will(args[0]+" "+args[1], strings.Join(args[2:], " "))
	case "respond": // respond A {"Status": "SUCCESS", ...}: later
		s.provider.respond(args[0], strings.Join(args[1:], " "))
	case "file": // file t.yaml becomes u.yaml
		s.files[args[0]] = s.files[args[2]]
	default:
		return false
	}
	return true
}
