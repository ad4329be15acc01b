package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// PrefixList names the addresses of an AWS service. They are AWS's own lists:
// one for each service with a gateway endpoint.
type PrefixList struct {
	ID, Name string
	CIDRs    []string
}

// gatewayServices have gateway endpoints and prefix lists. The blocks are those
// that AWS publishes for us-east-1 (ip-ranges.json); they stand for the service
// in routes and rules of every region here.
var gatewayServices = map[string][]string{
	"s3":       {"3.5.0.0/19", "16.15.192.0/18", "52.216.0.0/15", "54.231.0.0/16"},
	"dynamodb": {"3.218.180.0/22", "52.94.0.0/22", "52.119.224.0/20"},
}

// prefixLists are the lists of a region in order of their names.
func prefixLists(region string) []PrefixList {
	var out []PrefixList
	for service, cidrs := range gatewayServices {
		name := "com.amazonaws." + region + "." + service
		sum := sha256.Sum256([]byte(name))
		out = append(out, PrefixList{ID: "pl-" + hex.EncodeToString(sum[:4]), Name: name, CIDRs: cidrs})
	}
	slices.SortFunc(out, func(a, b PrefixList) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// prefixList finds a list by id.
func prefixList(region, id string) (PrefixList, error) {
	for _, l := range prefixLists(region) {
		if l.ID == id {
			return l, nil
		}
	}
	return PrefixList{}, fault("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", id)
}

// prefixListOf finds the list of a service by its name, com.amazonaws.<region>.s3.
func prefixListOf(region, service string) PrefixList {
	for _, l := range prefixLists(region) {
		if l.Name == service {
			return l
		}
	}
	return PrefixList{}
}

// selectLists answers both Describe operations on lists.
func selectLists(scope arn.Scope, ids []string, filters []ec2api.Filter, next *string, limit *int32) ([]PrefixList, *string, error) {
	var out []PrefixList
	for _, id := range ids {
		if _, err := prefixList(scope.Region, id); err != nil {
			return nil, nil, err
		}
	}
	for _, l := range prefixLists(scope.Region) {
		if len(ids) > 0 && !slices.Contains(ids, l.ID) {
			continue
		}
		ok, err := matches(filters, map[string][]string{"prefix-list-id": one(l.ID), "prefix-list-name": one(l.Name), "owner-id": one("AWS")}, nil)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			out = append(out, l)
		}
	}
	return awsapi.Page(out, func(l PrefixList) string { return l.Name }, next, int(val(limit)), pageLimit)
}

// DescribePrefixLists lists AWS's prefix lists with their blocks.
func (s *Service) DescribePrefixLists(ctx context.Context, in *ec2api.DescribePrefixListsInput) (*ec2api.DescribePrefixListsOutput, error) {
	lists, next, err := selectLists(scopeOf(ctx), in.PrefixListIds, in.Filters, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribePrefixListsOutput{NextToken: next}
	for _, l := range lists {
		out.PrefixLists = append(out.PrefixLists, ec2api.PrefixList{PrefixListId: &l.ID, PrefixListName: &l.Name, Cidrs: l.CIDRs})
	}
	return out, nil
}

// DescribeManagedPrefixLists lists AWS's prefix lists.
func (s *Service) DescribeManagedPrefixLists(ctx context.Context, in *ec2api.DescribeManagedPrefixListsInput) (*ec2api.DescribeManagedPrefixListsOutput, error) {
	scope := scopeOf(ctx)
	lists, next, err := selectLists(scope, in.PrefixListIds, in.Filters, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeManagedPrefixListsOutput{NextToken: next}
	for _, l := range lists {
		out.PrefixLists = append(out.PrefixLists, ec2api.ManagedPrefixList{
			PrefixListId: &l.ID, PrefixListName: &l.Name, AddressFamily: new("IPv4"), State: "create-complete", OwnerId: new("AWS"),
			PrefixListArn: new("arn:aws:ec2:" + scope.Region + ":aws:prefix-list/" + l.ID),
		})
	}
	return out, nil
}

// GetManagedPrefixListEntries lists the blocks of a list.
func (s *Service) GetManagedPrefixListEntries(ctx context.Context, in *ec2api.GetManagedPrefixListEntriesInput) (*ec2api.GetManagedPrefixListEntriesOutput, error) {
	l, err := prefixList(scopeOf(ctx).Region, val(in.PrefixListId))
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(l.CIDRs, func(c string) string { return c }, in.NextToken, int(val(in.MaxResults)), 100)
	if err != nil {
		return nil, err
	}
	out := &ec2api.GetManagedPrefixListEntriesOutput{NextToken: next}
	for _, c := range page {
		out.Entries = append(out.Entries, ec2api.PrefixListEntry{Cidr: &c})
	}
	return out, nil
}
