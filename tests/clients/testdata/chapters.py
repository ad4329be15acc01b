"""What runs, and what leads to it: ecr, logs, servicediscovery, elbv2, ecs."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import time

from botocore.config import Config
from expect import pages, refused, same, soon


def registry(w):
    """An image is made here and pushed through the API, layer by layer."""
    ecr = w.client("ecr")
    repository = ecr.create_repository(repositoryName="story/server", imageTagMutability="MUTABLE", tags=[{"Key": "story", "Value": "yes"}])["repository"]
    w.undo.append(lambda: ecr.delete_repository(repositoryName="story/server", force=True))
    w.image = repository["repositoryUri"] + ":v1"
    with refused("RepositoryAlreadyExistsException"):
        ecr.create_repository(repositoryName="story/server")
    user, _, password = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    same(user, "AWS")
    assert password

    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        tar.add(w.program, "server", filter=lambda i: (setattr(i, "mode", 0o755), i)[1])
    diff = digest(files.getvalue())
    layer = gzip.compress(files.getvalue(), 1)
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/server"]}, "rootfs": {"type": "layers", "diff_ids": [diff]}, "history": []}
    ).encode()
    same(ecr.batch_check_layer_availability(repositoryName="story/server", layerDigests=[digest(layer)])["layers"][0]["layerAvailability"], "UNAVAILABLE")
    for blob in (layer, config):
        upload = ecr.initiate_layer_upload(repositoryName="story/server")
        at = 0
        while at < len(blob):
            part = blob[at : at + upload["partSize"]]
            ecr.upload_layer_part(repositoryName="story/server", uploadId=upload["uploadId"], partFirstByte=at, partLastByte=at + len(part) - 1, layerPartBlob=part)
            at += len(part)
        same(ecr.complete_layer_upload(repositoryName="story/server", uploadId=upload["uploadId"], layerDigests=[digest(blob)])["layerDigest"], digest(blob))
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest(config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer), "digest": digest(layer)}],
        }
    )
    put = ecr.put_image(repositoryName="story/server", imageManifest=manifest, imageTag="v1")["image"]
    same(put["imageId"], {"imageDigest": digest(manifest.encode()), "imageTag": "v1"})
    with refused("ImageAlreadyExistsException"):
        ecr.put_image(repositoryName="story/server", imageManifest=manifest, imageTag="v1")
    ecr.put_image(repositoryName="story/server", imageManifest=manifest, imageTag="v2")
    detail = pages(ecr, "describe_images", "imageDetails", repositoryName="story/server")[0]
    same((sorted(detail["imageTags"]), detail["imageSizeInBytes"] > len(layer)), (["v1", "v2"], True))
    same(len(pages(ecr, "list_images", "imageIds", repositoryName="story/server")), 2)
    same(ecr.batch_get_image(repositoryName="story/server", imageIds=[{"imageTag": "v1"}, {"imageTag": "v9"}])["failures"][0]["failureCode"], "ImageNotFound")
    same(ecr.batch_delete_image(repositoryName="story/server", imageIds=[{"imageTag": "v2"}])["imageIds"][0]["imageTag"], "v2")
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}, "action": {"type": "expire"}}
    ecr.put_lifecycle_policy(repositoryName="story/server", lifecyclePolicyText=json.dumps({"rules": [rule]}))
    same(json.loads(ecr.get_lifecycle_policy(repositoryName="story/server")["lifecyclePolicyText"])["rules"][0]["rulePriority"], 1)
    same(ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"], [{"Key": "story", "Value": "yes"}])
    same([r["repositoryName"] for r in pages(ecr, "describe_repositories", "repositories") if r["repositoryName"].startswith("story/")], ["story/server"])
    with refused("RepositoryNotFoundException", "nothing"):
        ecr.describe_repositories(repositoryNames=["nothing"])
    with refused("RepositoryNotEmptyException"):
        ecr.delete_repository(repositoryName="story/server")
    with refused("InvalidParameterException"):
        ecr.create_repository(repositoryName="No Capitals")


def digest(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def logs(w):
    logs = w.client("logs")
    logs.create_log_group(logGroupName="/story/tasks", tags={"story": "yes"})
    w.undo.append(lambda: logs.delete_log_group(logGroupName="/story/tasks"))
    logs.put_retention_policy(logGroupName="/story/tasks", retentionInDays=7)
    group = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix="/story")[0]
    same(group["retentionInDays"], 7)
    for name in "ab":
        logs.create_log_stream(logGroupName="/story/tasks", logStreamName=name)
    now = int(time.time() * 1000)
    for name in "ab":
        logs.put_log_events(logGroupName="/story/tasks", logStreamName=name, logEvents=[{"timestamp": now + i, "message": f"line {i} of {name}"} for i in range(5)])
    got = logs.get_log_events(logGroupName="/story/tasks", logStreamName="a", startFromHead=True, limit=2)
    same([e["message"] for e in got["events"]], ["line 0 of a", "line 1 of a"])
    more = logs.get_log_events(logGroupName="/story/tasks", logStreamName="a", startFromHead=True, nextToken=got["nextForwardToken"])
    same(len(more["events"]), 3)
    same(len(pages(logs, "filter_log_events", "events", logGroupName="/story/tasks", filterPattern='"line 3"')), 2)
    same(len(pages(logs, "describe_log_streams", "logStreams", logGroupName="/story/tasks")), 2)
    same(logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"], {"story": "yes"})
    logs.delete_log_stream(logGroupName="/story/tasks", logStreamName="b")
    with refused("ResourceAlreadyExistsException"):
        logs.create_log_group(logGroupName="/story/tasks")
    with refused("ResourceNotFoundException", "The specified log group does not exist"):
        logs.get_log_events(logGroupName="/nothing", logStreamName="a")
    with refused("InvalidParameterException"):
        logs.put_retention_policy(logGroupName="/story/tasks", retentionInDays=8)


def names(w):
    # data-<host>, where instances are discovered, need not resolve for a host of any name.
    sd = w.client("servicediscovery", config=Config(inject_host_prefix=False))

    def done(operation):
        for _ in range(60):
            op = sd.get_operation(OperationId=operation)["Operation"]
            if op["Status"] == "SUCCESS":
                return op["Targets"]
            assert op["Status"] != "FAIL", op
            time.sleep(0.5)
        raise AssertionError(f"operation {operation} does not end")

    w.namespace = done(sd.create_private_dns_namespace(Name="story.local", Vpc=w.vpc, Description="of the story")["OperationId"])["NAMESPACE"]
    w.undo.append(lambda: done(sd.delete_namespace(Id=w.namespace)["OperationId"]))
    same(sd.get_namespace(Id=w.namespace)["Namespace"]["Name"], "story.local")
    service = sd.create_service(Name="server", NamespaceId=w.namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]})["Service"]
    w.discovery = service["Arn"]
    w.undo.append(lambda: sd.delete_service(Id=service["Id"]))
    done(sd.register_instance(ServiceId=service["Id"], InstanceId="one", Attributes={"AWS_INSTANCE_IPV4": "10.77.0.99"})["OperationId"])
    same([i["Id"] for i in pages(sd, "list_instances", "Instances", ServiceId=service["Id"])], ["one"])
    found = sd.discover_instances(NamespaceName="story.local", ServiceName="server")["Instances"]
    same(found[0]["Attributes"]["AWS_INSTANCE_IPV4"], "10.77.0.99")
    same(sd.get_instance(ServiceId=service["Id"], InstanceId="one")["Instance"]["Id"], "one")
    with refused("ResourceInUse"):
        sd.delete_service(Id=service["Id"])
    done(sd.deregister_instance(ServiceId=service["Id"], InstanceId="one")["OperationId"])
    assert w.namespace in [n["Id"] for n in pages(sd, "list_namespaces", "Namespaces")]
    assert service["Id"] in [s["Id"] for s in pages(sd, "list_services", "Services")]
    assert pages(sd, "list_operations", "Operations", size=50)
    sd.tag_resource(ResourceARN=service["Arn"], Tags=[{"Key": "story", "Value": "yes"}])
    same(sd.list_tags_for_resource(ResourceARN=service["Arn"])["Tags"], [{"Key": "story", "Value": "yes"}])
    with refused("ServiceNotFound"):
        sd.get_service(Id="srv-aaaaaaaaaaaaaaaa")
    with refused("NamespaceNotFound"):
        sd.get_namespace(Id="ns-aaaaaaaaaaaaaaaa")


def balancer(w):
    elb = w.client("elbv2")
    lb = elb.create_load_balancer(Name="story", Subnets=w.subnets, SecurityGroups=[w.group], Tags=[{"Key": "story", "Value": "yes"}])["LoadBalancers"][0]
    w.balancer, w.dns = lb["LoadBalancerArn"], lb["DNSName"]

    def remove():
        elb.delete_load_balancer(LoadBalancerArn=w.balancer)
        soon(elb, "load_balancers_deleted", LoadBalancerArns=[w.balancer])
        elb.delete_target_group(TargetGroupArn=w.targets)

    w.undo.append(remove)
    soon(elb, "load_balancer_exists", LoadBalancerArns=[w.balancer])
    soon(elb, "load_balancer_available", LoadBalancerArns=[w.balancer])
    w.targets = elb.create_target_group(
        Name="story", Protocol="HTTP", Port=8080, VpcId=w.vpc, TargetType="ip", HealthCheckPath="/health", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2, Matcher={"HttpCode": "200-299"},
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(TargetGroupArn=w.targets, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
    attributes = {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=w.targets)["Attributes"]}
    same(attributes["deregistration_delay.timeout_seconds"], "1")
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "nothing here"}}
    listener = elb.create_listener(LoadBalancerArn=w.balancer, Protocol="HTTP", Port=80, DefaultActions=[answer])["Listeners"][0]["ListenerArn"]
    forward = {"Type": "forward", "TargetGroupArn": w.targets}
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/server", "/server/*"]}}
    rule = elb.create_rule(ListenerArn=listener, Priority=10, Conditions=[path], Actions=[forward])["Rules"][0]["RuleArn"]
    header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Story", "Values": ["*"]}}
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/server"}}
    other = elb.create_rule(ListenerArn=listener, Priority=20, Conditions=[header], Actions=[redirect])["Rules"][0]["RuleArn"]
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": other, "Priority": 5}])
    same([r["Priority"] for r in pages(elb, "describe_rules", "Rules", ListenerArn=listener)], ["5", "10", "default"])
    with refused("PriorityInUse"):
        elb.create_rule(ListenerArn=listener, Priority=10, Conditions=[header], Actions=[forward])
    elb.modify_rule(RuleArn=rule, Conditions=[path])
    elb.delete_rule(RuleArn=other)
    elb.modify_load_balancer_attributes(LoadBalancerArn=w.balancer, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}])
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "30"} in elb.describe_load_balancer_attributes(LoadBalancerArn=w.balancer)["Attributes"]
    same(pages(elb, "describe_listeners", "Listeners", LoadBalancerArn=w.balancer)[0]["DefaultActions"][0]["Type"], "fixed-response")
    assert w.balancer in [b["LoadBalancerArn"] for b in pages(elb, "describe_load_balancers", "LoadBalancers")]
    assert w.targets in [g["TargetGroupArn"] for g in pages(elb, "describe_target_groups", "TargetGroups")]
    same(elb.describe_tags(ResourceArns=[w.balancer])["TagDescriptions"][0]["Tags"], [{"Key": "story", "Value": "yes"}])
    elb.set_security_groups(LoadBalancerArn=w.balancer, SecurityGroups=[w.group])
    same(elb.describe_target_health(TargetGroupArn=w.targets)["TargetHealthDescriptions"], [])
    elb.describe_ssl_policies()
    pages(elb, "describe_account_limits", "Limits")
    with refused("LoadBalancerNotFound"):
        elb.describe_load_balancers(Names=["nothing"])
    with refused("DuplicateListener"):
        elb.create_listener(LoadBalancerArn=w.balancer, Protocol="HTTP", Port=80, DefaultActions=[forward])
    with refused("ResourceInUse"):
        elb.delete_target_group(TargetGroupArn=w.targets)


def containers(w):
    ecs, elb, log = w.client("ecs"), w.client("elbv2"), w.client("logs")
    cluster = ecs.create_cluster(clusterName="story", capacityProviders=["FARGATE", "FARGATE_SPOT"], settings=[{"name": "containerInsights", "value": "enabled"}])["cluster"]
    same(cluster["status"], "ACTIVE")

    def remove():
        ecs.delete_cluster(cluster="story")
        same(ecs.describe_clusters(clusters=["story"])["clusters"][0]["status"], "INACTIVE")

    w.undo.append(remove)
    container = {
        "name": "server", "image": w.image, "command": ["serve"], "essential": True,
        "portMappings": [{"containerPort": 8080}], "environment": [{"name": "PORT", "value": "8080"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/story/tasks", "awslogs-region": w.region, "awslogs-stream-prefix": "task"}},
    }
    definition = ecs.register_task_definition(
        family="story", cpu="256", memory="512", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], executionRoleArn=w.role, containerDefinitions=[container],
        tags=[{"key": "story", "value": "yes"}],
    )["taskDefinition"]
    same(definition["status"], "ACTIVE")
    w.undo.append(lambda: ecs.deregister_task_definition(taskDefinition=definition["taskDefinitionArn"]))
    same(ecs.describe_task_definition(taskDefinition="story", include=["TAGS"])["tags"], [{"key": "story", "value": "yes"}])
    same(pages(ecs, "list_task_definitions", "taskDefinitionArns", familyPrefix="story")[-1], definition["taskDefinitionArn"])
    same(pages(ecs, "list_task_definition_families", "families", familyPrefix="story"), ["story"])

    # A service behind the load balancer, with names.
    network = {"awsvpcConfiguration": {"subnets": w.subnets, "securityGroups": [w.group], "assignPublicIp": "ENABLED"}}
    service = ecs.create_service(
        cluster="story", serviceName="server", taskDefinition="story", desiredCount=2, launchType="FARGATE", networkConfiguration=network, propagateTags="TASK_DEFINITION",
        loadBalancers=[{"targetGroupArn": w.targets, "containerName": "server", "containerPort": 8080}], serviceRegistries=[{"registryArn": w.discovery}],
        healthCheckGracePeriodSeconds=30, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200, "minimumHealthyPercent": 100},
    )["service"]
    same(service["deployments"][0]["rolloutState"], "IN_PROGRESS")

    def stop():
        ecs.delete_service(cluster="story", service="server", force=True)
        soon(ecs, "services_inactive", cluster="story", services=["server"])

    w.undo.append(stop)
    soon(ecs, "services_stable", cluster="story", services=["server"])
    soon(elb, "target_in_service", TargetGroupArn=w.targets)
    arns = pages(ecs, "list_tasks", "taskArns", cluster="story", serviceName="server")
    soon(ecs, "tasks_running", cluster="story", tasks=arns)
    tasks = ecs.describe_tasks(cluster="story", tasks=arns, include=["TAGS"])["tasks"]
    same([(t["lastStatus"], t["startedBy"].startswith("ecs-svc/"), t["tags"]) for t in tasks], [("RUNNING", True, [{"key": "story", "value": "yes"}])] * 2)
    addresses = {d["value"] for t in tasks for a in t["attachments"] for d in a["details"] if d["name"] == "privateIPv4Address"}
    same({h["Target"]["Id"] for h in elb.describe_target_health(TargetGroupArn=w.targets)["TargetHealthDescriptions"]}, addresses)
    same(pages(ecs, "list_services", "serviceArns", cluster="story"), [service["serviceArn"]])
    with refused("InvalidParameterException", "Creation of service was not idempotent."):
        ecs.create_service(cluster="story", serviceName="server", taskDefinition="story", desiredCount=1, launchType="FARGATE", networkConfiguration=network)

    # A task is stopped, and replaced.
    ecs.stop_task(cluster="story", task=arns[0], reason="the story wants it")
    soon(ecs, "tasks_stopped", cluster="story", tasks=arns[:1])
    stopped = ecs.describe_tasks(cluster="story", tasks=arns[:1])["tasks"][0]
    same((stopped["stopCode"], stopped["stoppedReason"]), ("UserInitiated", "the story wants it"))
    soon(ecs, "services_stable", cluster="story", services=["server"])

    deployments(w, ecs, elb, network)

    # One task of its own, with another command.
    change = {"containerOverrides": [{"name": "server", "command": ["exit", "3"], "environment": [{"name": "GREETING", "value": "goodbye"}]}]}
    one = ecs.run_task(cluster="story", taskDefinition="story", launchType="FARGATE", networkConfiguration=network, overrides=change, startedBy="story", count=1)
    same(one["failures"], [])
    arn = one["tasks"][0]["taskArn"]
    soon(ecs, "tasks_stopped", cluster="story", tasks=[arn])
    task = ecs.describe_tasks(cluster="story", tasks=[arn, "0" * 32])
    same(task["failures"][0]["reason"], "MISSING")
    done = task["tasks"][0]
    same((done["stopCode"], done["stoppedReason"], done["containers"][0]["exitCode"]), ("EssentialContainerExited", "Essential container in task exited", 3))
    stream = f"task/server/{arn.rpartition('/')[2]}"
    same(log.get_log_events(logGroupName="/story/tasks", logStreamName=stream)["events"][0]["message"], "leaving with 3 goodbye")
    assert arn in pages(ecs, "list_tasks", "taskArns", cluster="story", desiredStatus="STOPPED", size=10)

    # An image that is not there.
    missing = ecs.register_task_definition(
        family="story-missing", cpu="256", memory="512", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], executionRoleArn=w.role,
        containerDefinitions=[{"name": "server", "image": w.image + "9"}],
    )["taskDefinition"]["taskDefinitionArn"]
    arn = ecs.run_task(cluster="story", taskDefinition=missing, launchType="FARGATE", networkConfiguration=network)["tasks"][0]["taskArn"]
    soon(ecs, "tasks_stopped", cluster="story", tasks=[arn])
    failed = ecs.describe_tasks(cluster="story", tasks=[arn])["tasks"][0]
    same((failed["stopCode"], failed["stoppedReason"].split(":")[0]), ("TaskFailedToStart", "CannotPullContainerError"))
    ecs.deregister_task_definition(taskDefinition=missing)
    same(ecs.delete_task_definitions(taskDefinitions=[missing])["failures"], [])

    ecs.update_service(cluster="story", service="server", desiredCount=1)
    soon(ecs, "services_stable", cluster="story", services=["server"])
    same(ecs.describe_services(cluster="story", services=["server", "nobody"])["failures"][0]["reason"], "MISSING")
    ecs.tag_resource(resourceArn=service["serviceArn"], tags=[{"key": "team", "value": "storytellers"}])
    same(ecs.list_tags_for_resource(resourceArn=service["serviceArn"])["tags"][-1]["value"], "storytellers")
    assert service["serviceArn"].split(":")[5].startswith("service/story/")
    same(ecs.describe_capacity_providers(capacityProviders=["FARGATE_SPOT"])["capacityProviders"][0]["status"], "ACTIVE")
    assert cluster["clusterArn"] in pages(ecs, "list_clusters", "clusterArns")
    pages(ecs, "list_account_settings", "settings")
    with refused("ClusterNotFoundException"):
        ecs.list_tasks(cluster="nothing")
    with refused("ServiceNotFoundException"):
        ecs.update_service(cluster="story", service="nobody", desiredCount=1)
    with refused("ClientException"):
        ecs.describe_task_definition(taskDefinition="nobody")
    with refused("InvalidParameterException"):
        ecs.run_task(cluster="story", taskDefinition="story", launchType="FARGATE")
    with refused("ClusterContainsServicesException"):
        ecs.delete_cluster(cluster="story")


def deployments(w, ecs, elb, network):
    """What a service went through: a canary that is stopped on its way, and one that is let through."""
    def newest():
        brief = ecs.list_service_deployments(cluster="story", service="server")["serviceDeployments"][0]
        return ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])["serviceDeployments"][0]

    def until(what):
        for _ in range(300):
            if (d := newest())["status"] == what or d.get("lifecycleStage") == what:
                return d
            time.sleep(0.1)
        raise AssertionError(f"the deployment is {d['status']} {d.get('lifecycleStage')}, not {what}")

    first = until("SUCCESSFUL")
    same((first["sourceServiceRevisions"], first["deploymentCircuitBreaker"]["status"]), ([], "MONITORING_COMPLETE"))
    revision = ecs.describe_service_revisions(serviceRevisionArns=[first["targetServiceRevision"]["arn"]])["serviceRevisions"][0]
    same((revision["containerImages"][0]["containerName"], revision["launchType"]), ("server", "FARGATE"))

    group = elb.describe_target_groups(TargetGroupArns=[w.targets])["TargetGroups"][0]
    second = elb.create_target_group(Name="story-green", Protocol="HTTP", Port=8080, VpcId=group["VpcId"], TargetType="ip", HealthCheckPath=group["HealthCheckPath"])
    second = second["TargetGroups"][0]["TargetGroupArn"]
    w.undo.insert(0, lambda: elb.delete_target_group(TargetGroupArn=second))
    listener = elb.describe_listeners(LoadBalancerArn=group["LoadBalancerArns"][0])["Listeners"][0]["ListenerArn"]
    rule = next(r for r in elb.describe_rules(ListenerArn=listener)["Rules"] if r["Actions"][0].get("TargetGroupArn") == w.targets)["RuleArn"]
    balancer = {
        "targetGroupArn": w.targets, "containerName": "server", "containerPort": 8080,
        "advancedConfiguration": {"alternateTargetGroupArn": second, "productionListenerRule": rule, "roleArn": w.role},
    }
    canary = {"strategy": "CANARY", "bakeTimeInMinutes": 0, "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10}}
    with refused("InvalidParameterException"):
        ecs.update_service(cluster="story", service="server", deploymentConfiguration=canary)  # nothing says where the traffic goes
    service = ecs.update_service(cluster="story", service="server", deploymentConfiguration=canary, loadBalancers=[balancer])["service"]
    assert service["currentServiceDeployment"].split(":")[5].startswith("service-deployment/story/server/")
    d = until("PRODUCTION_TRAFFIC_SHIFT")
    same((d["targetServiceRevision"]["requestedProductionTrafficWeight"], d["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"]), (10.0, 90.0))
    weights = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
    same({g["TargetGroupArn"]: g["Weight"] for g in weights}, {second: 10, w.targets: 90})
    same(len(ecs.describe_services(cluster="story", services=["server"])["services"][0]["currentServiceRevisions"]), 2)
    ecs.stop_service_deployment(serviceDeploymentArn=d["serviceDeploymentArn"], stopType="ROLLBACK")
    d = until("ROLLBACK_SUCCESSFUL")
    same(d["rollback"]["serviceRevisionArn"], first["targetServiceRevision"]["arn"])
    with refused("ConflictException"):
        ecs.stop_service_deployment(serviceDeploymentArn=d["serviceDeploymentArn"])
    with refused("ServiceDeploymentNotFoundException"):
        ecs.stop_service_deployment(serviceDeploymentArn=d["serviceDeploymentArn"] + "x")

    canary["canaryConfiguration"]["canaryBakeTimeInMinutes"] = 0
    ecs.update_service(cluster="story", service="server", deploymentConfiguration=canary, loadBalancers=[balancer], forceNewDeployment=True)
    until("SUCCESSFUL")
    soon(ecs, "services_stable", cluster="story", services=["server"])
    same(len(ecs.list_service_deployments(cluster="story", service="server", status=["SUCCESSFUL"])["serviceDeployments"]), 2)
    # And back to rolling, in the group that the rest of the story looks at.
    ecs.update_service(cluster="story", service="server", deploymentConfiguration=canary, loadBalancers=[balancer], forceNewDeployment=True)
    until("SUCCESSFUL")
    ecs.update_service(cluster="story", service="server", deploymentConfiguration={"strategy": "ROLLING"})
    soon(ecs, "services_stable", cluster="story", services=["server"])
