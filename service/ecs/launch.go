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
	capacity   Capacity
	// peers are the live tasks that the new one is spread against.
	peers []Task
	// task has the fields that the caller decides.
	task Task
}

// errNoPlace says why a task could not be placed.
type errNoPlace struct{ reason, detail string }

func (e *errNoPlace) Error() string { return e.reason }

// start places a task, gives it an interface and hands it to the agent.
func (l launch) start(tx *store.Tx) (Task, error) {
	vpc := value(value(l.network).AwsvpcConfiguration)
	t := l.task
	t.CPU, t.Memory = value(l.definition.Spec.Cpu), value(l.definition.Spec.Memory)
	if o := l.overrides; o != nil {
		t.CPU, t.Memory = *orString(cpuUnits(o.Cpu), t.CPU), *orString(memoryMiB(o.Memory), t.Memory)
	}
	subnet, err := l.place(tx, vpc.Subnets, placement.Demand{CPU: atoi(t.CPU), Memory: atoi(t.Memory)})
	if err != nil {
		return Task{}, err
	}
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
	eni, err := ec2.CreateInterface(tx, t.Scope, ec2.InterfaceSpec{
		ID: "eni-" + t.ID[:17], SubnetID: subnet.ID, GroupIDs: vpc.SecurityGroups, Type: "interface",
		Description: t.Scope.ARN("ecs", "attachment/"+attachmentID(t.ID)), OwnerARN: t.ARN, PublicIP: vpc.AssignPublicIp == "ENABLED",
	})
	if err != nil {
		return Task{}, &errNoPlace{reason: "RESOURCE:ENI", detail: err.Error()}
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

// place picks the subnet: the zone with the fewest peers first that has room.
func (l launch) place(r store.Reader, subnets []string, d placement.Demand) (ec2.Subnet, error) {
	byZone, spread := map[string][]ec2.Subnet{}, placement.Spread{}
	for _, id := range subnets {
		sn, err := ec2.Subnets.Get(r, l.cluster.Scope.Key(id))
		if err != nil {
			return ec2.Subnet{}, &errNoPlace{reason: fmt.Sprintf("The subnet ID '%s' does not exist", id)}
		}
		byZone[sn.AZ] = append(byZone[sn.AZ], sn)
		z := spread[sn.AZ]
		z.Free += sn.Free(r)
		spread[sn.AZ] = z
	}
	for _, p := range l.peers {
		if z, ok := spread[p.Zone]; ok {
			z.Tasks++
			spread[p.Zone] = z
		}
	}
	node, err := placement.NewScheduler(l.capacity.nodes(r, slices.Sorted(maps.Keys(byZone)))).Place(d, spread)
	if err != nil {
		return ec2.Subnet{}, noPlace(err, l.capacity)
	}
	return slices.MaxFunc(byZone[node.Zone], func(a, b ec2.Subnet) int {
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
