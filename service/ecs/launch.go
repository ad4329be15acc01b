package ecs

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/placement"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
)

// launch is a task about to be placed.
type launch struct {
	cluster    Cluster
	definition TaskDefinition
	launchType ecsapi.LaunchType
	strategy   []ecsapi.CapacityProviderStrategyItem
	network    *ecsapi.NetworkConfiguration
	overrides  *ecsapi.TaskOverride
	tags       map[string]string
	now        time.Time
	// peers are the live tasks that the new one is spread against.
	peers []Task
	// task has the fields that the caller decides.
	task Task
}

// errNoPlace says why a task could not be placed.
type errNoPlace struct{ reason string }

func (e *errNoPlace) Error() string { return e.reason }

// start places a task, gives it an interface and hands it to the agent.
func (l launch) start(tx *store.Tx) (Task, error) {
	vpc := value(value(l.network).AwsvpcConfiguration)
	subnet, err := spread(tx, l.cluster.Scope, vpc.Subnets, l.peers)
	if err != nil {
		return Task{}, err
	}
	t := l.task
	t.Scope, t.Cluster = l.cluster.Scope, l.cluster.Name
	t.ID = newTaskID()
	t.ARN = t.Scope.ARN("ecs", "task/"+t.Cluster+"/"+t.ID)
	t.Definition = l.definition.ARN()
	t.LaunchType, t.Provider = l.launchType, l.provider()
	if t.Provider != "" {
		t.LaunchType = "FARGATE"
	}
	t.EphemeralGiB = 20 // what every Fargate task has
	for _, e := range []*ecsapi.EphemeralStorage{l.definition.Spec.EphemeralStorage, value(l.overrides).EphemeralStorage} {
		if e != nil {
			t.EphemeralGiB = value(e.SizeInGiB)
		}
	}
	t.CreatedAt, t.DesiredStatus, t.Platform = l.now, "RUNNING", "1.4.0"
	t.Overrides, t.Tags = l.overrides, l.tags
	t.CPU, t.Memory = value(l.definition.Spec.Cpu), value(l.definition.Spec.Memory)
	if o := l.overrides; o != nil {
		t.CPU, t.Memory = *orString(cpuUnits(o.Cpu), t.CPU), *orString(memoryMiB(o.Memory), t.Memory)
	}
	eni, err := ec2.CreateInterface(tx, t.Scope, ec2.InterfaceSpec{
		ID: "eni-" + t.ID[:17], SubnetID: subnet.ID, GroupIDs: vpc.SecurityGroups, Type: "interface",
		Description: t.Scope.ARN("ecs", "attachment/"+attachmentID(t.ID)), OwnerARN: t.ARN, PublicIP: vpc.AssignPublicIp == "ENABLED",
	})
	if err != nil {
		return Task{}, &errNoPlace{fmt.Sprintf("RESOURCE:ENI: %v", err)}
	}
	t.Zone, t.SubnetID, t.Interface = eni.AZ, eni.Subnet, eni.ID
	t.IP, t.MAC, t.PrivateDNS = eni.IP, eni.MAC, eni.PrivateDNSName
	Tasks.Put(tx, t)
	a := assignment(t, l.definition, subnet, l.cluster)
	a.DNS = resolver(tx, t.Scope, subnet.VPC)
	agent.Tasks.Put(tx, a)
	return t, nil
}

// resolver is the address of a VPC's name server: the base of its primary
// block plus two.
func resolver(r store.Reader, sc arn.Scope, vpc string) string {
	v, err := ec2.VPCs.Get(r, sc.Key(vpc))
	if err != nil || len(v.CIDRs) == 0 {
		return "" // the agent falls back on the address that all VPCs have
	}
	return netip.MustParsePrefix(v.CIDRs[0].Block).Masked().Addr().Next().Next().String()
}

func orString(p *string, def string) *string {
	if p == nil {
		return &def
	}
	return p
}

// spread picks the subnet: the zone with the fewest peers first.
func spread(r store.Reader, sc arn.Scope, subnets []string, peers []Task) (ec2.Subnet, error) {
	byZone := map[string][]ec2.Subnet{}
	for _, id := range subnets {
		sn, err := ec2.Subnets.Get(r, sc.Key(id))
		if err != nil {
			return ec2.Subnet{}, &errNoPlace{fmt.Sprintf("The subnet ID '%s' does not exist", id)}
		}
		byZone[sn.AZ] = append(byZone[sn.AZ], sn)
	}
	var zones []placement.Zone
	for _, name := range slices.Sorted(maps.Keys(byZone)) {
		z := placement.Zone{Name: name}
		for _, sn := range byZone[name] {
			z.Free += sn.Free(r)
		}
		for _, p := range peers {
			if p.Zone == name {
				z.Tasks++
			}
		}
		zones = append(zones, z)
	}
	at := placement.Spread(zones)
	if at < 0 {
		return ec2.Subnet{}, &errNoPlace{"RESOURCE:ENI"}
	}
	return slices.MaxFunc(byZone[zones[at].Name], func(a, b ec2.Subnet) int {
		return a.Free(r) - b.Free(r)
	}), nil
}

// provider is the capacity provider of the next task, empty for a launch type.
func (l launch) provider() string {
	var ps []placement.Provider
	for _, i := range l.strategy {
		p := placement.Provider{Name: value(i.CapacityProvider), Base: int(value(i.Base)), Weight: int(value(i.Weight))}
		if len(l.strategy) == 1 {
			p.Weight = max(p.Weight, 1) // a weight is a share, and this one's is all
		}
		for _, t := range l.peers {
			if t.Provider == p.Name {
				p.Tasks++
			}
		}
		ps = append(ps, p)
	}
	if at := placement.Choose(ps); at >= 0 {
		return ps[at].Name
	}
	return ""
}

// newTaskID is 32 hexadecimal digits, as ECS's task ids are.
func newTaskID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// attachmentID names the task's network attachment: a UUID made of its id.
func attachmentID(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func checkNetwork(r store.Reader, sc arn.Scope, n *ecsapi.NetworkConfiguration) error {
	if n == nil || n.AwsvpcConfiguration == nil {
		return errInvalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	vpc := n.AwsvpcConfiguration
	if len(vpc.Subnets) == 0 {
		return errInvalid("subnets can not be empty.")
	}
	network := ""
	for _, id := range vpc.Subnets {
		sn, err := ec2.Subnets.Get(r, sc.Key(id))
		if err != nil {
			return errInvalid("Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: InvalidSubnetID.NotFound)", id, id)
		}
		if network != "" && sn.VPC != network {
			return errInvalid("The provided subnets are not all in the same VPC.")
		}
		network = sn.VPC
	}
	for _, id := range vpc.SecurityGroups {
		g, err := ec2.Groups.Get(r, sc.Key(id))
		if err != nil {
			return errInvalid("Error retrieving security group information for [%s]: The security group '%s' does not exist (ErrorCode: InvalidGroup.NotFound)", id, id)
		}
		if g.VPC != network {
			return errInvalid("Security group %s does not appear to belong to the same VPC as the input subnets.", id)
		}
	}
	return nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // checked when the definition was registered
	return n
}
