"""Who asks, what they may be, and where: sts, iam, ec2."""

import json

from expect import pages, refused, same, soon

TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})


def identity(w):
    sts = w.client("sts")
    who = sts.get_caller_identity()
    w.account = who["Account"]
    same(who["Arn"], f"arn:aws:iam::{w.account}:root")
    sts.get_session_token()


def roles(w):
    iam = w.client("iam")
    role = iam.create_role(RoleName="story-role", AssumeRolePolicyDocument=TRUST, Description="of the story", Tags=[{"Key": "story", "Value": "yes"}])["Role"]
    w.role = role["Arn"]
    w.undo.append(lambda: (iam.delete_role_policy(RoleName="story-role", PolicyName="inline"), iam.delete_role(RoleName="story-role")))
    soon(iam, "role_exists", RoleName="story-role")
    same(iam.get_role(RoleName="story-role")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Action"], "sts:AssumeRole")
    iam.put_role_policy(RoleName="story-role", PolicyName="inline", PolicyDocument=READ)
    same(iam.get_role_policy(RoleName="story-role", PolicyName="inline")["PolicyDocument"]["Statement"][0]["Effect"], "Allow")
    same(pages(iam, "list_role_policies", "PolicyNames", RoleName="story-role"), ["inline"])
    policy = iam.create_policy(PolicyName="story-policy", PolicyDocument=READ)["Policy"]["Arn"]
    soon(iam, "policy_exists", PolicyArn=policy)
    iam.attach_role_policy(RoleName="story-role", PolicyArn=policy)
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=policy)
    same([p["PolicyArn"] for p in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName="story-role")], [policy])
    same(iam.list_entities_for_policy(PolicyArn=policy)["PolicyRoles"][0]["RoleName"], "story-role")
    same(iam.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]["IsDefaultVersion"], True)
    iam.detach_role_policy(RoleName="story-role", PolicyArn=policy)
    iam.delete_policy(PolicyArn=policy)
    assert "story-role" in [r["RoleName"] for r in pages(iam, "list_roles", "Roles")]
    assert pages(iam, "list_policies", "Policies", Scope="AWS", size=50)
    same(iam.list_role_tags(RoleName="story-role")["Tags"], [{"Key": "story", "Value": "yes"}])
    iam.create_instance_profile(InstanceProfileName="story-profile")
    soon(iam, "instance_profile_exists", InstanceProfileName="story-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="story-profile", RoleName="story-role")
    same(iam.get_instance_profile(InstanceProfileName="story-profile")["InstanceProfile"]["Roles"][0]["Arn"], w.role)
    iam.remove_role_from_instance_profile(InstanceProfileName="story-profile", RoleName="story-role")
    iam.delete_instance_profile(InstanceProfileName="story-profile")
    with refused("NoSuchEntity", "nobody"):
        iam.get_role(RoleName="nobody")
    with refused("EntityAlreadyExists", "story-role"):
        iam.create_role(RoleName="story-role", AssumeRolePolicyDocument=TRUST)
    with refused("MalformedPolicyDocument"):
        iam.put_role_policy(RoleName="story-role", PolicyName="broken", PolicyDocument="{")


def vpc(w):
    ec2 = w.client("ec2")
    named = lambda kind: [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": f"story-{kind}"}]}]
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    w.vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", TagSpecifications=named("vpc"))["Vpc"]["VpcId"]
    w.undo.append(lambda: ec2.delete_vpc(VpcId=w.vpc))
    soon(ec2, "vpc_available", VpcIds=[w.vpc])
    ec2.modify_vpc_attribute(VpcId=w.vpc, EnableDnsHostnames={"Value": True})
    same(ec2.describe_vpc_attribute(VpcId=w.vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"], {"Value": True})
    w.subnets = []
    for i, zone in enumerate(zones):
        subnet = ec2.create_subnet(VpcId=w.vpc, CidrBlock=f"10.77.{i}.0/24", AvailabilityZone=zone, TagSpecifications=named("subnet"))["Subnet"]
        w.subnets.append(subnet["SubnetId"])
        w.undo.append(lambda id=subnet["SubnetId"]: ec2.delete_subnet(SubnetId=id))
    soon(ec2, "subnet_available", SubnetIds=w.subnets)
    ec2.modify_subnet_attribute(SubnetId=w.subnets[0], MapPublicIpOnLaunch={"Value": True})
    same(len(pages(ec2, "describe_subnets", "Subnets", size=5, Filters=[{"Name": "vpc-id", "Values": [w.vpc]}])), 2)
    same([v["VpcId"] for v in pages(ec2, "describe_vpcs", "Vpcs", size=5, Filters=[{"Name": "tag:Name", "Values": ["story-*"]}])], [w.vpc])

    gateway = ec2.create_internet_gateway(TagSpecifications=named("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    w.undo.append(lambda: ec2.delete_internet_gateway(InternetGatewayId=gateway))
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=w.vpc)
    w.undo.append(lambda: ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=w.vpc))
    same(pages(ec2, "describe_internet_gateways", "InternetGateways", size=5, InternetGatewayIds=[gateway])[0]["Attachments"][0]["State"], "available")

    table = ec2.create_route_table(VpcId=w.vpc)["RouteTable"]["RouteTableId"]
    w.undo.append(lambda: ec2.delete_route_table(RouteTableId=table))
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for s in w.subnets:
        a = ec2.associate_route_table(RouteTableId=table, SubnetId=s)["AssociationId"]
        w.undo.append(lambda a=a: ec2.disassociate_route_table(AssociationId=a))
    routes = pages(ec2, "describe_route_tables", "RouteTables", size=5, RouteTableIds=[table])[0]
    same(sorted(r["DestinationCidrBlock"] for r in routes["Routes"]), ["0.0.0.0/0", "10.77.0.0/16"])
    same(len(routes["Associations"]), 2)
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="nonsense", GatewayId=gateway)

    address = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=w.subnets[0], AllocationId=address["AllocationId"], TagSpecifications=named("natgateway"))["NatGateway"]["NatGatewayId"]
    soon(ec2, "nat_gateway_available", NatGatewayIds=[nat])
    same(ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]["PublicIp"], address["PublicIp"])
    same(pages(ec2, "describe_nat_gateways", "NatGateways", size=5, Filter=[{"Name": "vpc-id", "Values": [w.vpc]}])[0]["NatGatewayAddresses"][0]["PublicIp"], address["PublicIp"])
    ec2.delete_nat_gateway(NatGatewayId=nat)
    soon(ec2, "nat_gateway_deleted", NatGatewayIds=[nat])
    ec2.release_address(AllocationId=address["AllocationId"])

    w.group = ec2.create_security_group(GroupName="story", Description="of the story", VpcId=w.vpc, TagSpecifications=named("security-group"))["GroupId"]
    w.undo.append(lambda: ec2.delete_security_group(GroupId=w.group))
    soon(ec2, "security_group_exists", GroupIds=[w.group])
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "web"}]}
    inside = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8081, "UserIdGroupPairs": [{"GroupId": w.group}]}
    added = ec2.authorize_security_group_ingress(GroupId=w.group, IpPermissions=[web, inside])["SecurityGroupRules"]
    same(len(added), 2)
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=w.group, IpPermissions=[web])
    rules = pages(ec2, "describe_security_group_rules", "SecurityGroupRules", size=5, Filters=[{"Name": "group-id", "Values": [w.group]}])
    same(len(rules), 3)
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": ["*security-group*"]}])["SecurityGroups"]
    same([(g["GroupId"], len(g["IpPermissions"]), len(g["IpPermissionsEgress"])) for g in found], [(w.group, 2, 1)])
    ec2.revoke_security_group_ingress(GroupId=w.group, SecurityGroupRuleIds=[added[1]["SecurityGroupRuleId"]])
    ec2.authorize_security_group_ingress(GroupId=w.group, IpPermissions=[inside])
    with refused("InvalidGroup.Duplicate"):
        ec2.create_security_group(GroupName="story", Description="again", VpcId=w.vpc)

    endpoint = ec2.create_vpc_endpoint(VpcId=w.vpc, ServiceName=f"com.amazonaws.{w.region}.logs", VpcEndpointType="Interface", SubnetIds=w.subnets, SecurityGroupIds=[w.group])["VpcEndpoint"]["VpcEndpointId"]
    gate = ec2.create_vpc_endpoint(VpcId=w.vpc, ServiceName=f"com.amazonaws.{w.region}.s3", RouteTableIds=[table])["VpcEndpoint"]["VpcEndpointId"]
    same(len(pages(ec2, "describe_vpc_endpoints", "VpcEndpoints", size=5, Filters=[{"Name": "vpc-id", "Values": [w.vpc]}])), 2)
    same(len(pages(ec2, "describe_network_interfaces", "NetworkInterfaces", size=5, Filters=[{"Name": "vpc-id", "Values": [w.vpc]}])), 2)
    same(ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint, gate])["Unsuccessful"], [])
    ec2.create_tags(Resources=[w.vpc, w.group], Tags=[{"Key": "team", "Value": "storytellers"}])
    same(len(pages(ec2, "describe_tags", "Tags", size=5, Filters=[{"Name": "key", "Values": ["team"]}])), 2)
    ec2.delete_tags(Resources=[w.group], Tags=[{"Key": "team"}])
    assert ec2.describe_prefix_lists()["PrefixLists"]
    same(ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [w.vpc]}])["NetworkAcls"][0]["IsDefault"], True)
    same(ec2.describe_vpn_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [w.vpc]}])["VpnGateways"], [])
    ec2.describe_regions()
    ec2.describe_account_attributes()

    with refused("DryRunOperation"):
        ec2.create_vpc(CidrBlock="10.78.0.0/16", DryRun=True)
    with refused("InvalidVpcID.NotFound", "vpc-0123456789abcdef0"):
        ec2.describe_vpcs(VpcIds=["vpc-0123456789abcdef0"])
    with refused("InvalidSubnet.Conflict", "10.77.0.0/24"):
        ec2.create_subnet(VpcId=w.vpc, CidrBlock="10.77.0.0/24")
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=w.vpc)
    with refused("InvalidParameterValue"):
        ec2.describe_vpcs(Filters=[{"Name": "no-such-filter", "Values": ["x"]}])
