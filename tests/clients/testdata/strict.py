"""Compares what comes over the wire with botocore's model of it.

botocore ignores what it does not know and leaves out what it does not find, so a misspelt
field goes unnoticed by every client. Here it is an error: each member of an answer has to be in
the model under that name, with its type, and enumerations with one of their values; members
that the model requires have to be there; an error of a JSON service is one of its operation's.
"""

import json
import xml.etree.ElementTree as xml
from datetime import datetime

import boto3
import botocore

# What is not in an older model may be in the one our answers are made from (api/NOTICE), which is of this version.
CURRENT = tuple(int(n) for n in botocore.__version__.split(".")[:2]) >= (1, 43)

# Errors that every operation has, in no model: "Common Errors" of the services' API references.
COMMON = {
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InternalFailure", "InvalidSignatureException", "MissingAuthenticationToken",
    "SerializationException", "ThrottlingException", "UnknownOperationException", "UnrecognizedClientException", "ValidationException",
}

# Where AWS itself does not keep to its model: what it answers is the model for us.
QUIRKS = {
    (".ResourceStatus", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), (".ResourceStatus", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),  # events of stacks
    (".attachmentSet[].state", "available"),  # of an internet gateway; the model knows attached only
    (".state", "available"), (".state", "pending"), (".state", "deleting"), (".state", "deleted"),  # of an endpoint, in small letters
}


class Strict:
    """Watches the clients it makes."""

    def __init__(self):
        self.calls = 0  # answers seen
        self.operations = set()  # "service.Operation"
        self.faults = []  # what was wrong, in words
        self.seen = {}  # "service.Operation" -> paths of members that were there

    def client(self, service, **kw):
        client = boto3.client(service, **kw)
        client.meta.events.register("before-parse." + client.meta.service_model.service_id.hyphenize(), self.look)
        return client

    def look(self, operation_model, response_dict, **kw):
        op = operation_model
        self.calls += 1
        self.name = f"{op.service_model.service_name}.{op.name}"
        self.operations.add(self.name)
        protocol = op.service_model.resolved_protocol
        body, status = response_dict["body"], response_dict["status_code"]
        headers = {k.lower(): v for k, v in response_dict["headers"].items()}
        if not headers.keys() & {"x-amzn-requestid", "x-amz-request-id"}:
            self.fault("has no x-amzn-requestid")
        self.paths = self.seen.setdefault(self.name, set())
        if protocol == "json":
            self.json(op, body, status)
        elif protocol == "rest-json":
            self.rest(op, body, status, headers)
        elif protocol == "rest-xml":
            self.rest_xml(op, body, status, headers)
        else:
            self.xml(op, body, status, protocol)

    def fault(self, what):
        text = f"{self.name}: {what}"
        if text not in self.faults:
            self.faults.append(text)

    def unknown(self, path):
        if CURRENT:
            self.fault(f"{path} is not in the model")

    # JSON

    def json(self, op, body, status):
        if status >= 400:
            error = json.loads(body)
            code = error.get("__type", "")
            if code not in COMMON | {e.error_code for e in op.error_shapes}:
                self.fault(f"error {code} is none of the operation's")
            if not (error.get("message") or error.get("Message")):
                self.fault(f"error {code} has no message")
            return
        if op.output_shape is None or op.has_event_stream_output:
            if body not in (b"", b"{}") and not op.has_event_stream_output:
                self.fault("answers with a body, the model has none")
            return
        self.value(op.output_shape, json.loads(body), "")

    def rest(self, op, body, status, headers):
        """JSON whose error code is a header, and whose answer may be one member alone."""
        if status >= 400:
            code = headers.get("x-amzn-errortype", "")
            return self.json(op, json.dumps({**json.loads(body), "__type": code}).encode(), status)
        payload = op.output_shape.serialization.get("payload")
        self.value(op.output_shape.members[payload] if payload else op.output_shape, json.loads(body or b"{}"), "")

    def value(self, shape, v, path):
        self.paths.add(path)
        kind = shape.type_name
        if v is None:
            return self.fault(f"{path} is null")
        if kind == "structure":
            if not isinstance(v, dict):
                return self.fault(f"{path} is no object")
            names = {m.serialization.get("name", name): m for name, m in shape.members.items()}
            for name in v.keys() - names.keys():
                self.unknown(f"{path}.{name}")
            self.required(shape, v.keys(), path)
            for name in v.keys() & names.keys():
                self.value(names[name], v[name], f"{path}.{name}")
        elif kind == "list":
            if not isinstance(v, list):
                return self.fault(f"{path} is no list")
            for e in v:
                self.value(shape.member, e, path + "[]")
        elif kind == "map":
            if not isinstance(v, dict):
                return self.fault(f"{path} is no map")
            for k, e in v.items():
                self.value(shape.key, k, path + "{key}")
                self.value(shape.value, e, path + "{}")
        else:
            good = {"string": str, "character": str, "blob": str, "boolean": bool, "integer": int, "long": int, "timestamp": (int, float)}.get(kind, (int, float))
            if not isinstance(v, good) or (isinstance(v, bool) and kind != "boolean"):
                return self.fault(f"{path} is {v!r}, the model says {kind}")
            self.enum(shape, v, path)

    def enum(self, shape, v, path):
        values = getattr(shape, "enum", None)
        if values and v not in values and not any(path.endswith(p) and v == q for p, q in QUIRKS):
            self.fault(f"{path} is {v!r}, the model knows {', '.join(values)}")

    def required(self, shape, present, path):
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in present:
                self.fault(f"{path}.{name} is missing, the model requires it")

    # XML

    def xml(self, op, body, status, protocol):
        root = xml.fromstring(body)
        if status >= 400:
            return self.xml_error(root, protocol)
        if tag(root) != op.name + "Response":
            self.fault(f"root element {tag(root)}")
        if not root.tag.startswith("{" + (op.metadata.get("xmlNamespace") or "http")):
            self.fault(f"namespace of {root.tag}")
        extra = {"requestId"} if protocol == "ec2" else {"ResponseMetadata"}
        if not extra & {tag(e) for e in root}:
            self.fault(f"no {extra}")
        shape, node = op.output_shape, root
        if shape is None:
            known = extra | {op.name + "Result"}
            for e in root:
                if tag(e) not in known or (tag(e) not in extra and len(e)):
                    self.fault(f"{tag(e)} is not in the model")
            return
        if wrapper := shape.serialization.get("resultWrapper"):
            node = root.find("{*}" + wrapper)
            if node is None:
                return self.fault(f"no {wrapper}")
            extra = set()
        self.element(shape, [node], "", extra)

    def rest_xml(self, op, body, status, headers):
        """A document of the answer's members that are in no header, or of one member alone."""
        if status >= 300:
            if body:
                root = xml.fromstring(body)
                if tag(root) != "Error" or not root.findtext("Code") or not root.findtext("Message") or not root.findtext("RequestId"):
                    self.fault(f"error document {tag(root)} {[tag(e) for e in root]}")
            return
        shape = op.output_shape
        if shape is None:
            if body:
                self.fault("answers with a body, the model has none")
            return
        placed = {n: m for n, m in shape.members.items() if m.serialization.get("location")}
        for name, m in placed.items():
            where = m.serialization.get("name", name).lower()
            if m.serialization["location"] == "header" and where in headers:
                self.paths.add(f".{name}")
                if m.type_name in ("integer", "long") and not headers[where].isdigit():
                    self.fault(f".{name} is {headers[where]!r}, the model says {m.type_name}")
                self.enum(m, headers[where], f".{name}")
        payload = shape.serialization.get("payload")
        if payload:
            shape = shape.members[payload]
        rest = [n for n in getattr(shape, "members", {}) if payload or n not in placed]
        if not rest or shape.type_name != "structure":
            if body and not payload:
                self.fault("answers with a body, the model has none")
            return
        if not body:
            return self.fault("has no body")
        root = xml.fromstring(body)
        if not root.tag.startswith("{http://s3.amazonaws.com/doc/2006-03-01/}"):
            self.fault(f"namespace of {root.tag}")
        self.element(shape, [root], "")

    def xml_error(self, root, protocol):
        code = root.find(".//{*}Code")
        message = root.find(".//{*}Message")
        want = ["Response", "Errors", "Error"] if protocol == "ec2" else ["ErrorResponse", "Error"]
        node = [root]
        for name in want:
            if not node or tag(node[0]) != name:
                self.fault(f"error document {tag(root)}, want {'/'.join(want)}")
                break
            node = [e for e in node[0] if tag(e) in want]
        if code is None or not code.text or message is None or not message.text:
            self.fault("an error without code or message")
        if root.find(".//{*}" + ("RequestID" if protocol == "ec2" else "RequestId")) is None:
            self.fault("an error without a request id")

    def element(self, shape, nodes, path, extra=frozenset()):
        """Checks the elements of one member: several when it is a flattened list."""
        self.paths.add(path)
        kind = shape.type_name
        flat = shape.serialization.get("flattened")
        if len(nodes) > 1 and not flat:
            self.fault(f"{path} comes {len(nodes)} times")
        node = nodes[0]
        if kind == "structure":
            names = {xml_name(m, name): m for name, m in shape.members.items()}
            groups = {}
            for e in node:
                groups.setdefault(tag(e), []).append(e)
            for name in groups.keys() - names.keys() - extra:
                self.unknown(f"{path}.{name}")
            self.required(shape, groups.keys(), path)
            for name in groups.keys() & names.keys():
                self.element(names[name], groups[name], f"{path}.{name}")
        elif kind == "list":
            entries = nodes if flat else list(node)
            if not flat:
                want = shape.member.serialization.get("name", "member")
                for e in entries:
                    if tag(e) != want:
                        self.fault(f"{path} holds {tag(e)}, want {want}")
            for e in entries:
                self.element(shape.member, [e], path + "[]")
        elif kind == "map":
            for entry in nodes if flat else list(node):
                for e in entry:
                    name = tag(e)
                    if name not in (shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")):
                        self.fault(f"{path} holds {name}")
        else:
            text = node.text or ""
            if len(node):
                return self.fault(f"{path} has elements, the model says {kind}")
            try:
                if kind in ("integer", "long"):
                    int(text)
                elif kind in ("float", "double"):
                    float(text)
                elif kind == "timestamp":
                    datetime.fromisoformat(text.replace("Z", "+00:00"))
                elif kind == "boolean" and text not in ("true", "false"):
                    raise ValueError
            except ValueError:
                return self.fault(f"{path} is {text!r}, the model says {kind}")
            self.enum(shape, text, path)


def tag(e):
    return e.tag.rpartition("}")[2]


def xml_name(shape, name):
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return shape.member.serialization.get("name", shape.serialization.get("name", name))
    return shape.serialization.get("name", name)
