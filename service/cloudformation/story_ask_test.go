package cloudformation

import (
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
	case "file": // file t.yaml becomes u.yaml
		s.files[args[0]] = s.files[args[2]]
	default:
		return false
	}
	return true
}
