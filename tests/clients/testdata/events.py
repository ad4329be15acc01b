"""What happens, and who is told: events."""

import json

from expect import pages, refused, same, until


def events(w):
    """Rules and targets; what is put, and a push to the registry, arrive in a log group."""
    events, logs, ecr = w.client("events"), w.client("logs"), w.client("ecr")
    group = "/aws/events/story"
    logs.create_log_group(logGroupName=group)
    w.undo.append(lambda: logs.delete_log_group(logGroupName=group))
    target = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"].removesuffix(":*")
    same([b["Name"] for b in events.list_event_buses()["EventBuses"]], ["default"])
    same(events.describe_event_bus()["Name"], "default")
    with refused("InvalidEventPatternException"):
        events.put_rule(Name="story", EventPattern='{"source": "mine"}')
    with refused("ValidationException"):
        events.put_rule(Name="story", ScheduleExpression="rate(1 minutes)")
    pattern = {"source": ["mine", "aws.ecr"], "detail": {"$or": [{"n": [{"numeric": [">", 1]}]}, {"image-tag": [{"prefix": "story"}]}]}}
    arn = events.put_rule(Name="story", EventPattern=json.dumps(pattern), Tags=[{"Key": "story", "Value": "yes"}])["RuleArn"]
    w.undo.append(lambda: gone(events))
    same(json.loads(events.describe_rule(Name="story")["EventPattern"]), pattern)
    with refused("ValidationException", "not supported"):
        events.put_targets(Rule="story", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{w.region}:123456789012:queue"}])
    same(events.put_targets(Rule="story", Targets=[{"Id": "log", "Arn": target}])["FailedEntryCount"], 0)
    same([t["Id"] for t in pages(events, "list_targets_by_rule", "Targets", Rule="story")], ["log"])
    same(pages(events, "list_rule_names_by_target", "RuleNames", TargetArn=target), ["story"])
    same([r["State"] for r in pages(events, "list_rules", "Rules", NamePrefix="story")], ["ENABLED"])
    same(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "story", "Value": "yes"}])
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "more", "Value": "1"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["story"])
    same(events.test_event_pattern(EventPattern='{"a":["b"]}', Event='{"a":"b"}')["Result"], True)
    put = events.put_events(
        Entries=[
            {"Source": "mine", "DetailType": "count", "Detail": '{"n": 1}'},
            {"Source": "mine", "DetailType": "count", "Detail": '{"n": 2}'},
            {"Source": "aws.mine", "DetailType": "count", "Detail": "{}"},
        ]
    )
    same((put["FailedEntryCount"], put["Entries"][2]["ErrorCode"]), (1, "NotAuthorizedForSourceException"))

    def details():
        try:
            found = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(e["message"])["detail"] for e in found]

    until(details, [{"n": 2}])
    repository = "story/server"
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
    ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="story-push")
    until(lambda: [d["action-type"] for d in details() if "image-tag" in d], ["PUSH"])
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "story-push"}])
    until(lambda: [d["action-type"] for d in details() if "image-tag" in d], ["PUSH", "DELETE"])
    events.disable_rule(Name="story")
    same(events.describe_rule(Name="story")["State"], "DISABLED")
    events.enable_rule(Name="story")
    with refused("ValidationException", "targets"):
        events.delete_rule(Name="story")
    with refused("ResourceNotFoundException"):
        events.describe_rule(Name="none")


def gone(events):
    events.remove_targets(Rule="story", Ids=["log"])
    events.delete_rule(Name="story")
