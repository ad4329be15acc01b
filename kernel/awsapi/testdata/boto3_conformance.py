"""Calls every operation of every model with botocore and compares what arrives.

The server at argv[1] implements every operation: it keeps the input it decoded
(GET /_last gives it as JSON, by member name) and answers with values generated
from the model by the same rule as here. Prints one line per mismatch and a
summary; exits 1 on any mismatch.
"""
import base64
import datetime
import json
import os
import sys
import urllib.request

import botocore.session
from botocore.config import Config

ENDPOINT, OPERATIONS = sys.argv[1], json.load(open(sys.argv[2]))
os.environ.update(
    AWS_ACCESS_KEY_ID=sys.argv[3], AWS_SECRET_ACCESS_KEY=sys.argv[4],
    AWS_DEFAULT_REGION="eu-central-1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true",
    AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true",
)
for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
    os.environ.pop(name, None)

TEXT = "s&<\u00e9> \"x\"\n'y'"
WHEN = datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc)
CONFIG = Config(parameter_validation=False, inject_host_prefix=False, retries={"max_attempts": 0}, proxies={})


class Skip(Exception):
    pass


def generate(shape, depth):
    kind = shape.type_name
    if kind in ("structure", "list", "map") and depth <= 0:
        raise Skip
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return {"any": "thing"}
        out = {}
        for name, member in shape.members.items():
            try:
                out[name] = generate(member, depth - 1)
            except Skip:
                continue
            if getattr(shape, "is_tagged_union", False):
                break
        if getattr(shape, "is_tagged_union", False) and not out:
            raise Skip
        return out
    if kind == "list":
        return [generate(shape.member, depth - 1) for _ in range(2)]
    if kind == "map":
        keys = getattr(shape.key, "enum", None)
        return {keys[0] if keys else "k1": generate(shape.value, depth - 1)}
    if kind in ("string", "character"):
        if shape.enum:
            return shape.enum[0]
        where = shape.serialization.get("location")
        return {"uri": "a b/\u00e9&+=?%", "header": "header value; with=signs"}.get(where, TEXT)
    return {"integer": 7, "long": 7, "short": 7, "float": 1.5, "double": 1.5, "boolean": True,
            "blob": b"\x00blob", "timestamp": WHEN}[kind]


def plain(v):
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, (bytes, bytearray)):
        return base64.b64encode(v).decode()
    if isinstance(v, datetime.datetime):
        return int(v.timestamp())
    return v


def difference(want, got, path=""):
    if isinstance(want, dict) and isinstance(got, dict):
        for k in sorted(set(want) | set(got)):
            if k not in want or k not in got:
                return "%s.%s: %s" % (path, k, "extra" if k not in want else "missing")
            found = difference(want[k], got[k], path + "." + k)
            if found:
                return found
        return None
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (a, b) in enumerate(zip(want, got)):
            found = difference(a, b, "%s[%d]" % (path, i))
            if found:
                return found
        return None
    return None if want == got else "%s: want %.60r, got %.60r" % (path, want, got)


def client(service, protocol=None):
    session = botocore.session.get_session()
    if protocol:
        loader = session.get_component("data_loader")
        load = loader.load_service_model

        def patched(*args, **kwargs):
            model = load(*args, **kwargs)
            if args[:2] == (service, "service-2"):
                model = dict(model, metadata=dict(model["metadata"], protocol=protocol, protocols=[protocol]))
                if protocol == "query":
                    model["metadata"].pop("awsQueryCompatible", None)
            return model

        loader.load_service_model = patched
    return session.create_client(service, endpoint_url=ENDPOINT, config=CONFIG)


def check(service, names, protocol=None):
    good, bad = 0, 0
    c = client(service, protocol)
    for name in names:
        try:
            model = c.meta.service_model.operation_model(name)
        except Exception:
            continue  # this botocore is older than the model
        sent = generate(model.input_shape, 6) if model.input_shape else {}
        if name == "PutEvents":
            sent.pop("EndpointId")  # is part of a host's name, which any text is not
        want = generate(model.output_shape, 6) if model.output_shape else {}
        try:
            got = c._make_api_call(name, sent)
        except Exception as e:
            bad += 1
            print("FAIL", service, name, type(e).__name__, str(e)[:200])
            continue
        got.pop("ResponseMetadata", None)
        arrived = json.load(urllib.request.urlopen(ENDPOINT + "/_last"))
        wrong = [difference(plain(sent), arrived, "request"), difference(plain(want), plain(got), "answer")]
        if any(wrong):
            bad += 1
            print("FAIL", service, name, [w for w in wrong if w])
        else:
            good += 1
    return good, bad


total_good, total_bad = 0, 0
for service, names in sorted(OPERATIONS.items()):
    for protocol in (["smithy-rpc-v2-cbor", "json", "query"] if service == "cloudwatch" else [None]):
        good, bad = check(service, names, protocol)
        total_good += good
        total_bad += bad
print("%d operations as sent, %d not" % (total_good, total_bad))
sys.exit(1 if total_bad else 0)
