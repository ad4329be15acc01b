package model

// Prune keeps the operations for which keep returns true, and the shapes that
// they reach. What the model says in prose was never loaded, so writing a
// pruned Service back leaves the contract alone.
func (s *Service) Prune(keep func(operation string) bool) {
	used := map[string]bool{}
	for name, op := range s.Operations {
		if !keep(name) {
			delete(s.Operations, name)
			continue
		}
		reach(used, op.Input, op.Output)
		reach(used, op.Errors...)
	}
	for name := range s.Shapes {
		if !used[name] {
			delete(s.Shapes, name)
		}
	}
}

// reach marks the shapes of refs and all they refer to.
func reach(used map[string]bool, refs ...*Ref) {
	for _, r := range refs {
		if r == nil || used[r.ShapeName] {
			continue
		}
		used[r.ShapeName] = true
		reach(used, r.Shape.Members...)
		reach(used, r.Shape.Member, r.Shape.Key, r.Shape.Value)
	}
}
