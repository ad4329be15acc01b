package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// managedFile holds the policies that AWS manages and that the platform needs
// or that templates of its kind attach, in AWS's own wording (AWS managed
// policy reference). It is not all of them, and ReadOnlyAccess names the actions
// of the services that this engine or its neighbours in templates have: AWS's
// names those of some 300 others.
//
//go:embed managed.json
var managedFile []byte

// awsManaged maps ARNs to AWS's policies.
var awsManaged = sync.OnceValue(func() map[string]Policy {
	var list []struct {
		Name, Path, Version, Description string
		Document                         json.RawMessage
	}
	if err := json.Unmarshal(managedFile, &list); err != nil {
		panic(fmt.Sprintf("iam: managed.json: %v", err))
	}
	all := map[string]Policy{}
	since := time.Date(2015, 2, 6, 18, 40, 58, 0, time.UTC)
	for i, m := range list {
		p := Policy{
			Account: "aws", Name: m.Name, Path: m.Path, ID: fmt.Sprintf("ANPAAWSMANAGED%07d", i+2),
			Description: m.Description, Created: since, Updated: since, Default: m.Version,
			Versions: []Version{{ID: m.Version, Document: string(m.Document), Created: since}},
		}
		all[p.ARN()] = p
	}
	return all
})

func awsPolicy(arn string) (Policy, bool) {
	p, ok := awsManaged()[arn]
	return p, ok
}

// awsPolicies lists them by name.
func awsPolicies() []Policy {
	var all []Policy
	for _, p := range awsManaged() {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	return all
}
