#!/usr/bin/env python3
"""Turns openapi.yaml into compact JSON; refuses a key that is written twice. Usage: openapi_to_json.py IN OUT"""
import json
import os
import sys

import yaml


class StrictLoader(yaml.SafeLoader):
    pass


def read_mapping(loader, node):
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} is written twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, read_mapping)
# Dates and the like stay the text they are.
StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

with open(sys.argv[1], encoding="utf-8") as source:
    document = yaml.load(source, Loader=StrictLoader)
text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
# Untouched when nothing changed, so that nothing is compiled again.
if not os.path.exists(sys.argv[2]) or open(sys.argv[2], encoding="utf-8").read() != text:
    with open(sys.argv[2], "w", encoding="utf-8") as target:
        target.write(text)
