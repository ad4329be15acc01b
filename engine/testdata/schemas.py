"""Extracts from cfn-lint's copy of AWS's resource schemas what schema_test.go compares the engine's resource types with.

    pip install cfn-lint && python3 engine/testdata/schemas.py

It looks for the types in the source and writes schemas.json beside itself, one type a line. cfn-lint is licensed MIT-0.
"""

import json
import pathlib
import re

import cfnlint
from cfnlint.data.schemas.providers import us_east_1

here = pathlib.Path(__file__).parent
data = pathlib.Path(cfnlint.__file__).parent / "data/schemas/resources"
registered = re.compile(r'(?:cfn\.Of(?:\[\w+\])?\(|Type += )"(AWS::\w+::\w+)"')


def names(schema, key):
    """Dotted names of a list of JSON pointers below /properties/."""
    return sorted(p.removeprefix("/properties/").replace("/", ".") for p in schema.get(key) or [])


types = set()
for source in (here / "../../service").glob("*/*.go"):
    if not source.name.endswith("_test.go"):
        types.update(registered.findall(source.read_text()))

lines = []
for name in sorted(types & us_east_1.types.keys()):
    schema = json.loads((data / (us_east_1.types[name] + ".json")).read_text())
    facts = {
        "properties": sorted(schema.get("properties", {})),
        "createOnly": names(schema, "createOnlyProperties"),
        "conditional": names(schema, "conditionalCreateOnlyProperties"),
        "readOnly": names(schema, "readOnlyProperties"),
        "required": sorted(schema.get("required", [])),
    }
    lines.append("%s: %s" % (json.dumps(name), json.dumps({k: v for k, v in facts.items() if v}, separators=(",", ":"))))
(here / "schemas.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
