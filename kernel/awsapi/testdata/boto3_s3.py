"""Stores, reads, lists and presigns with boto3, and follows a live tail."""
import io
import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

os.environ.update(AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
ENDPOINT = sys.argv[1]
session = boto3.Session(aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name="eu-central-1")
config = Config(s3={"addressing_style": "path"}, signature_version="s3v4", inject_host_prefix=False, retries={"max_attempts": 0}, proxies={})
s3 = session.client("s3", endpoint_url=ENDPOINT, config=config)

DATA = bytes(range(256)) * 1024
s3.put_object(Bucket="b", Key="plain/a b.txt", Body=DATA, Metadata={"owner": "me"})
got = s3.get_object(Bucket="b", Key="plain/a b.txt")
assert got["Body"].read() == DATA and got["Metadata"] == {"owner": "me"}, got
assert s3.head_object(Bucket="b", Key="plain/a b.txt")["ContentLength"] == len(DATA)
s3.put_object(Bucket="b", Key="sha", Body=io.BytesIO(DATA), ChecksumAlgorithm="SHA256")
assert s3.get_object(Bucket="b", Key="sha")["Body"].read() == DATA
assert sorted(o["Key"] for o in s3.list_objects_v2(Bucket="b")["Contents"]) == ["plain/a b.txt", "sha"]

url = s3.generate_presigned_url("put_object", Params={"Bucket": "b", "Key": "presigned"}, ExpiresIn=60)
try:
    urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT"))
except urllib.error.HTTPError as e:
    raise SystemExit("presigned PUT: %s %s" % (url, e.read()))
url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "presigned"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"by url"
try:
    urllib.request.urlopen(url.replace("presigned", "sha", 1))
    raise SystemExit("a changed presigned URL was accepted")
except urllib.error.HTTPError as e:
    assert e.code == 403 and b"SignatureDoesNotMatch" in e.read()

for call, code in ((lambda: s3.get_object(Bucket="b", Key="none"), "NoSuchKey"), (lambda: s3.head_object(Bucket="b", Key="none"), "404"),
                   (lambda: s3.delete_object(Bucket="b", Key="sha"), "NotImplemented")):
    try:
        call()
        raise SystemExit("no error " + code)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
wrong = boto3.client("s3", endpoint_url=ENDPOINT, config=config, aws_access_key_id=sys.argv[2], aws_secret_access_key="x", region_name="eu-central-1")
try:
    wrong.list_objects_v2(Bucket="b")
    raise SystemExit("a wrong secret was accepted")
except ClientError as e:
    assert e.response["Error"]["Code"] == "SignatureDoesNotMatch", e.response

logs = session.client("logs", endpoint_url=ENDPOINT, config=config)
lines = []
try:
    for event in logs.start_live_tail(logGroupIdentifiers=["arn:aws:logs:eu-central-1:123456789012:log-group:g"])["responseStream"]:
        if "sessionUpdate" in event:
            lines += [r["message"] for r in event["sessionUpdate"]["sessionResults"]]
    raise SystemExit("the stream ended without its error")
except EventStreamError as e:
    assert e.response["Error"]["Code"] == "SessionTimeoutException", e.response
assert lines == ["one", "two"], lines
print("all well")
