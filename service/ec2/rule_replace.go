package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// replaceRules takes the rules of the permissions before away from a group and
// adds those of after, in one transaction: what is in both never ceases to
// hold. Rules that are gone, or there already, are as they should be.
func (s *Service) replaceRules(ctx context.Context, groupID string, before, after []ec2api.IpPermission, egress bool) error {
	scope := scopeOf(ctx)
	var ids []string
	for range after {
		ids = append(ids, awsapi.NewID(ctx, "sgr-", 17))
	}
	return s.store.Update(func(tx *store.Tx) error {
		g, err := groupKind.get(tx, scope, groupID)
		if err != nil {
			return err
		}
		wanted, err := rulesOf(tx, g, after, egress)
		if err != nil {
			return err
		}
		have := slices.Collect(Rules.By(tx, "group", g.key()))
		if old, err := rulesOf(tx, g, before, egress); err == nil {
			for _, o := range old {
				n := slices.IndexFunc(have, o.same)
				if n >= 0 && !slices.ContainsFunc(wanted, o.same) {
					Rules.Delete(tx, have[n].key())
				}
			}
		}
		for i, w := range wanted {
			w.ID = unused(ids[i], func(id string) bool {
				_, err := Rules.Get(tx, scope.Key(id))
				return err == nil
			})
			if n := slices.IndexFunc(have, w.same); n >= 0 {
				w.ID, w.Tags = have[n].ID, have[n].Tags
			} else if slices.ContainsFunc(wanted[:i], w.same) {
				return fault("InvalidParameterValue", "The same permission must not appear multiple times")
			}
			Rules.Put(tx, w)
		}
		return s.checkQuota(slices.Collect(Rules.By(tx, "group", g.key())), egress)
	})
}

// unused is the first of id and its successors that is not taken. An update
// runs under the token of the creation, and so draws the same ids again.
func unused(id string, taken func(string) bool) string {
	for taken(id) {
		sum := sha256.Sum256([]byte(id))
		prefix, digits, _ := strings.Cut(id, "-")
		id = prefix + "-" + hex.EncodeToString(sum[:])[:len(digits)]
	}
	return id
}

func rulesOf(r store.Reader, g SecurityGroup, permissions []ec2api.IpPermission, egress bool) ([]Rule, error) {
	if len(permissions) == 0 {
		return nil, nil
	}
	return permissionInput{permissions: permissions}.rulesOf(r, g.Scope, g, egress)
}

// holds tells whether the rule of a permission is among a group's rules.
func (s *Service) holds(_ context.Context, g SecurityGroup, rules []Rule, p ec2api.IpPermission, egress bool) bool {
	wanted, err := rulesOf(s.store.Snapshot(), g, []ec2api.IpPermission{p}, egress)
	return err == nil && len(wanted) == 1 && slices.ContainsFunc(rules, wanted[0].same)
}
