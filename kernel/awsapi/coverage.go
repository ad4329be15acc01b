package awsapi

import "slices"

// OperationStatus says whether one modelled operation is implemented.
type OperationStatus struct {
	Service     string
	Operation   string
	Implemented bool
}

// Coverage lists every operation of the services' models, by service and name.
func Coverage(services ...*Service) []OperationStatus {
	var all []OperationStatus
	sorted := slices.SortedFunc(slices.Values(services), func(a, b *Service) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	for _, s := range sorted {
		for _, op := range s.model.OperationNames() {
			all = append(all, OperationStatus{Service: s.name, Operation: op, Implemented: s.operations[op] != nil})
		}
	}
	return all
}
