"""Buckets and what is in them: s3."""

import hashlib
import json
import urllib.error
import urllib.request

from botocore.config import Config
from expect import pages, refused, same

BUCKET = "story-objects"


def buckets(w):
    """A bucket with settings, from made to gone."""
    s3 = w.client("s3", config=Config(s3={"addressing_style": "path"}))
    w.s3 = s3
    where = {} if w.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": w.region}}
    s3.create_bucket(Bucket=BUCKET, **where)
    w.undo.append(lambda: emptied(s3))
    s3.head_bucket(Bucket=BUCKET)
    s3.get_waiter("bucket_exists").wait(Bucket=BUCKET)
    assert BUCKET in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    same(s3.get_bucket_location(Bucket=BUCKET).get("LocationConstraint"), None if w.region == "us-east-1" else w.region)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "story", "Value": "yes"}]})
    same(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], [{"Key": "story", "Value": "yes"}])
    same(s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
    with refused("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=BUCKET)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/closed/*"}],
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    same(json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]), policy)
    with refused("AccessDenied"):
        s3.put_object(Bucket=BUCKET, Key="closed/a", Body=b"x")
    s3.delete_bucket_policy(Bucket=BUCKET)
    with refused("NoSuchBucket"):
        s3.list_objects_v2(Bucket="story-there-is-none")
    with refused("BucketNotEmpty"):
        s3.put_object(Bucket=BUCKET, Key="left", Body=b"")
        s3.delete_bucket(Bucket=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="left")


def objects(w):
    """Objects whole, in part, under conditions, copied, listed and signed for."""
    s3 = w.s3
    body = bytes(range(256)) * 4
    put = s3.put_object(Bucket=BUCKET, Key="a/one", Body=body, ContentType="application/x-story", Metadata={"who": "me"}, Tagging="k=v")
    same(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
    head = s3.head_object(Bucket=BUCKET, Key="a/one")
    same((head["ContentLength"], head["ContentType"], head["Metadata"]), (1024, "application/x-story", {"who": "me"}))
    same(s3.get_object(Bucket=BUCKET, Key="a/one")["Body"].read(), body)
    part = s3.get_object(Bucket=BUCKET, Key="a/one", Range="bytes=10-19")
    same((part["Body"].read(), part["ContentRange"]), (body[10:20], "bytes 10-19/1024"))
    with refused("InvalidRange"):
        s3.get_object(Bucket=BUCKET, Key="a/one", Range="bytes=2000-")
    with refused("304"):
        s3.get_object(Bucket=BUCKET, Key="a/one", IfNoneMatch=put["ETag"])
    with refused("PreconditionFailed"):
        s3.get_object(Bucket=BUCKET, Key="a/one", IfMatch='"other"')
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="a/one", Body=b"x", IfNoneMatch="*")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key="none")
    with refused("404"):
        s3.head_object(Bucket=BUCKET, Key="none")
    same(s3.get_object_tagging(Bucket=BUCKET, Key="a/one")["TagSet"], [{"Key": "k", "Value": "v"}])
    s3.put_object_tagging(Bucket=BUCKET, Key="a/one", Tagging={"TagSet": [{"Key": "k", "Value": "w"}]})
    s3.delete_object_tagging(Bucket=BUCKET, Key="a/one")
    same(s3.get_object_tagging(Bucket=BUCKET, Key="a/one")["TagSet"], [])
    copied = s3.copy_object(Bucket=BUCKET, Key="b/two", CopySource={"Bucket": BUCKET, "Key": "a/one"})
    same(copied["CopyObjectResult"]["ETag"], put["ETag"])
    same(s3.head_object(Bucket=BUCKET, Key="b/two")["Metadata"], {"who": "me"})
    s3.put_object(Bucket=BUCKET, Key="top", Body=b"top", ChecksumAlgorithm="SHA256")
    same(s3.get_object(Bucket=BUCKET, Key="top", ChecksumMode="ENABLED")["ChecksumSHA256"] != "", True)
    same([o["Key"] for o in pages(s3, "list_objects_v2", "Contents", Bucket=BUCKET)], ["a/one", "b/two", "top"])
    level = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    same(([p["Prefix"] for p in level["CommonPrefixes"]], [o["Key"] for o in level["Contents"]]), (["a/", "b/"], ["top"]))
    same([o["Key"] for o in pages(s3, "list_objects", "Contents", Bucket=BUCKET, Prefix="a")], ["a/one"])

    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "top"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        same(answer.read(), b"top")
    try:
        urllib.request.urlopen(url.replace("/top?", "/a/one?"))
        raise AssertionError("a signature for one object opens another")
    except urllib.error.HTTPError as e:
        same(e.code, 403)


def uploads(w):
    """An object in parts; another that is given up."""
    s3 = w.s3
    size = 5 << 20
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    chunks = [b"a" * size, b"b" * 100]
    tags = [s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=n + 1, Body=c)["ETag"] for n, c in enumerate(chunks)]
    same([p["Size"] for p in pages(s3, "list_parts", "Parts", Bucket=BUCKET, Key="parts", UploadId=upload)], [size, 100])
    same([u["Key"] for u in pages(s3, "list_multipart_uploads", "Uploads", Bucket=BUCKET)], ["parts"])
    with refused("InvalidPart"):
        s3.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"x"'}]})
    done = s3.complete_multipart_upload(
        Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": n + 1, "ETag": t} for n, t in enumerate(tags)]}
    )
    want = hashlib.md5(b"".join(hashlib.md5(c).digest() for c in chunks)).hexdigest() + "-2"
    same(done["ETag"], f'"{want}"')
    same(s3.get_object(Bucket=BUCKET, Key="parts", Range=f"bytes={size - 1}-{size}")["Body"].read(), b"ab")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="given-up")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="given-up", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="given-up", UploadId=upload)
    with refused("NoSuchUpload"):
        s3.list_parts(Bucket=BUCKET, Key="given-up", UploadId=upload)


def versions(w):
    """What was overwritten or deleted can be had again."""
    s3 = w.s3
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    same(s3.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled")
    first = s3.put_object(Bucket=BUCKET, Key="v", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=BUCKET, Key="v", Body=b"2")["VersionId"]
    same(s3.get_object(Bucket=BUCKET, Key="v", VersionId=first)["Body"].read(), b"1")
    marker = s3.delete_object(Bucket=BUCKET, Key="v")
    same(marker["DeleteMarker"], True)
    with refused("NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key="v")
    same([(v["VersionId"], v["IsLatest"]) for v in pages(s3, "list_object_versions", "Versions", Bucket=BUCKET, Prefix="v")], [(second, False), (first, False)])
    s3.delete_object(Bucket=BUCKET, Key="v", VersionId=marker["VersionId"])
    same(s3.get_object(Bucket=BUCKET, Key="v")["Body"].read(), b"2")
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "v", "VersionId": first}, {"Key": "top"}]})
    same(sorted(d["Key"] for d in gone["Deleted"]), ["top", "v"])


def emptied(s3):
    """Nothing of the bucket is left, and it neither."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        all = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        if all:
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": all})
    s3.delete_bucket(Bucket=BUCKET)
    s3.get_waiter("bucket_not_exists").wait(Bucket=BUCKET)
