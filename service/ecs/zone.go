package ecs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
)

// LostZones are the availability zones that are out, by name; all accounts
// share them.
var LostZones = store.NewTable("ecs/lostzone", func(z LostZone) string { return z.Name })

// LostZone is an availability zone that is out.
type LostZone struct {
	Name  string
	Since time.Time
}

// ZoneLost says whether an availability zone is out.
func ZoneLost(r store.Reader, zone string) bool {
	_, err := LostZones.Get(r, zone)
	return err == nil
}

// LoseZone takes an availability zone out as a power failure would: its tasks
// are killed without a signal before, and nothing is placed there until
// RestoreZone. It returns the ARNs of the tasks that die.
func (s *Service) LoseZone(zone string) (tasks []string, err error) {
	err = s.store.Update(func(tx *store.Tx) error {
		tasks = []string{}
		now := time.Now().UTC()
		LostZones.Put(tx, LostZone{zone, now})
		for _, t := range slices.Collect(Tasks.List(tx, "")) {
			if t.Zone != zone || t.Released {
				continue
			}
			if t.DesiredStatus == "RUNNING" {
				t.askToStop(stopLost, "Availability Zone "+zone+" is not available.", now)
				Tasks.Put(tx, t)
			}
			if a, err := agent.Tasks.Get(tx, t.ARN); err == nil {
				if !a.Stopped {
					a.Stopped, a.StopCode, a.StoppedReason = true, string(t.StopCode), t.StopReason
				}
				a.Killed = true
				agent.Tasks.Put(tx, a)
			}
			tasks = append(tasks, t.ARN)
		}
		return nil
	})
	return tasks, err
}

// RestoreZone brings an availability zone back.
func (s *Service) RestoreZone(zone string) error {
	return s.store.Update(func(tx *store.Tx) error {
		if !LostZones.Delete(tx, zone) {
			return fmt.Errorf("the availability zone %s is not lost", zone)
		}
		return nil
	})
}

// rebalancedZones are the zones that a service is to be kept even over: those of
// its subnets that are there. None when it is not to be rebalanced.
func rebalancedZones(r store.Reader, row ServiceRow) (zones []string) {
	network := row.Deployments[0].Network
	if row.ZoneRebalancing != "ENABLED" || network == nil {
		return nil
	}
	for _, id := range value(network.AwsvpcConfiguration).Subnets {
		if sn, err := ec2.Subnets.Get(r, row.Key(id)); err == nil && !ZoneLost(r, sn.AZ) && !slices.Contains(zones, sn.AZ) {
			zones = append(zones, sn.AZ)
		}
	}
	return zones
}

// balance words how many of the tasks each zone has, the fullest first, as ECS
// does.
func balance(tasks []Task, zones []string) string {
	count := map[string]int{}
	for _, t := range tasks {
		if t.DesiredStatus == "RUNNING" {
			count[t.Zone]++
		}
	}
	zones = slices.Clone(zones)
	slices.SortFunc(zones, func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	var parts []string
	for _, z := range zones {
		parts = append(parts, fmt.Sprintf("%d tasks in %s", count[z], z))
	}
	return strings.Join(parts, ", ")
}
