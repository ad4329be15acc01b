"""The same by templates: cloudformation."""

from expect import pages, refused, same, soon, until

NETWORK = """
Parameters:
  Cidr: {Type: String, Default: 10.88.0.0/16, Description: of the VPC}
  Wide: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Conditions:
  IsWide: !Equals [!Ref Wide, "yes"]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Cidr, Tags: [{Key: Name, Value: !Sub "${AWS::StackName}-vpc"}]}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]], AvailabilityZone: !Select [0, !GetAZs ""]}
  Second:
    Type: AWS::EC2::Subnet
    Condition: IsWide
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]], AvailabilityZone: !Select [1, !GetAZs ""]}
Outputs:
  Vpc: {Value: !Ref Vpc, Description: the VPC, Export: {Name: !Sub "${AWS::StackName}:vpc"}}
"""
GROUP = """
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: of the other stack, VpcId: !ImportValue "story-network:vpc"}
"""
CIRCLE = """
Resources:
  A: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Ref B}}
  B: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Ref A}}
"""
BROKEN = """
Resources:
  Good: {Type: "AWS::Logs::LogGroup"}
  Bad: {Type: "AWS::EC2::Subnet", DependsOn: Good, Properties: {VpcId: vpc-0123456789abcdef0, CidrBlock: 10.0.0.0/24}}
"""


def reasons(cfn, stack, status):
    events = pages(cfn, "describe_stack_events", "StackEvents", size=None, StackName=stack)
    return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == status]


def stacks(w):
    cfn = w.client("cloudformation")
    same([p["ParameterKey"] for p in cfn.validate_template(TemplateBody=NETWORK)["Parameters"]], ["Cidr", "Wide"])
    same(sorted(cfn.get_template_summary(TemplateBody=NETWORK)["ResourceTypes"]), ["AWS::EC2::Subnet", "AWS::EC2::VPC"])
    with refused("ValidationError", "Stack with id story-network does not exist"):
        cfn.describe_stacks(StackName="story-network")
    with refused("ValidationError", "Circular dependency between resources: [A, B]"):
        cfn.create_stack(StackName="story-circle", TemplateBody=CIRCLE)
    with refused("ValidationError", "Parameters: [Nothing] do not exist in the template"):
        cfn.create_stack(StackName="story-network", TemplateBody=NETWORK, Parameters=[{"ParameterKey": "Nothing", "ParameterValue": "x"}])

    id = cfn.create_stack(StackName="story-network", TemplateBody=NETWORK, Tags=[{"Key": "story", "Value": "yes"}])["StackId"]

    def remove(name):
        cfn.delete_stack(StackName=name)
        soon(cfn, "stack_delete_complete", StackName=name)

    w.undo.append(lambda: remove("story-network"))
    soon(cfn, "stack_exists", StackName="story-network")
    soon(cfn, "stack_create_complete", StackName="story-network")
    stack = cfn.describe_stacks(StackName=id)["Stacks"][0]
    vpc = stack["Outputs"][0]["OutputValue"]
    same((stack["Outputs"][0]["ExportName"], stack["Tags"]), ("story-network:vpc", [{"Key": "story", "Value": "yes"}]))
    found = w.client("ec2").describe_vpcs(Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": ["story-network"]}])["Vpcs"]
    same([v["VpcId"] for v in found], [vpc])

    # One stack imports from the other.
    cfn.create_stack(StackName="story-group", TemplateBody=GROUP)
    w.undo.append(lambda: remove("story-group"))
    soon(cfn, "stack_create_complete", StackName="story-group")
    same([e["Value"] for e in pages(cfn, "list_exports", "Exports", size=None) if e["Name"] == "story-network:vpc"], [vpc])
    same(pages(cfn, "list_imports", "Imports", size=None, ExportName="story-network:vpc"), ["story-group"])

    # A change set, and its deployment.
    wide = [{"ParameterKey": "Cidr", "UsePreviousValue": True}, {"ParameterKey": "Wide", "ParameterValue": "yes"}]
    cfn.create_change_set(StackName="story-network", ChangeSetName="wide", UsePreviousTemplate=True, Parameters=wide)
    soon(cfn, "change_set_create_complete", StackName="story-network", ChangeSetName="wide")
    changes = pages(cfn, "describe_change_set", "Changes", size=None, StackName="story-network", ChangeSetName="wide")
    same([(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in changes], [("Add", "Second")])
    same([s["ChangeSetName"] for s in pages(cfn, "list_change_sets", "Summaries", size=None, StackName="story-network")], ["wide"])
    cfn.execute_change_set(StackName="story-network", ChangeSetName="wide")
    soon(cfn, "stack_update_complete", StackName="story-network")
    same(len(pages(cfn, "list_stack_resources", "StackResourceSummaries", size=None, StackName="story-network")), 3)
    same(cfn.describe_stack_resource(StackName="story-network", LogicalResourceId="Vpc")["StackResourceDetail"]["PhysicalResourceId"], vpc)
    same(len(cfn.describe_stack_resources(StackName="story-network")["StackResources"]), 3)
    with refused("ValidationError", "No updates are to be performed."):
        cfn.update_stack(StackName="story-network", UsePreviousTemplate=True, Parameters=wide[:1] + [{"ParameterKey": "Wide", "UsePreviousValue": True}])
    same(cfn.get_template(StackName="story-network")["TemplateBody"], NETWORK)

    # One that cannot be, and is rolled back.
    cfn.create_stack(StackName="story-broken", TemplateBody=BROKEN)
    w.undo.append(lambda: remove("story-broken"))
    until(lambda: cfn.describe_stacks(StackName="story-broken")["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE")
    why = reasons(cfn, "story-broken", "CREATE_FAILED")
    assert len(why) == 1 and "The vpc ID 'vpc-0123456789abcdef0' does not exist" in why[0], why
    with refused("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated."):
        cfn.update_stack(StackName="story-broken", TemplateBody=NETWORK)

    # An update that cannot be either: the other stack uses the export.
    cfn.update_stack(StackName="story-network", TemplateBody=NETWORK.partition("Outputs:")[0])
    soon(cfn, "stack_rollback_complete", StackName="story-network")
    why = reasons(cfn, "story-network", "UPDATE_ROLLBACK_IN_PROGRESS")
    assert "export story-network:vpc as it is in use by story-group" in why[0], why
    with refused("ValidationError", "Export story-network:vpc cannot be deleted as it is in use by story-group"):
        cfn.delete_stack(StackName="story-network")
    for page in cfn.get_paginator("describe_stacks").paginate():
        assert page["Stacks"]
    assert "story-broken" in [s["StackName"] for s in pages(cfn, "list_stacks", "StackSummaries", size=None, StackStatusFilter=["ROLLBACK_COMPLETE"])]
    with refused("ValidationError"):
        cfn.create_stack(StackName="1-is-no-name", TemplateBody=NETWORK)
    with refused("AlreadyExistsException", "Stack [story-group] already exists"):
        cfn.create_stack(StackName="story-group", TemplateBody=GROUP)
