#!/usr/bin/python3
"""Holds calls of the AWS command line against Amazon's own description of its services (the data of botocore): is there such a
command, does it take these options and values, are those it needs there. Standard input: one JSON object a line, {"arguments":
[...], "input": what --cli-input-json held or null, "answer": what was answered or null}; a value "…" of an option is some value.
Prints each fault, and how many calls it read; exit code 1 when there is a fault."""
import json
import sys

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.validate import ParamValidator

# Of the command line itself.
GLOBAL = {"query", "output", "region", "cli-input-json", "no-cli-pager", "profile"}
# Commands that are not calls.
OWN = {("ecr", "get-login-password"), ("logs", "tail", "/ecs/agentauri-production/indexer")}
session = botocore.session.get_session()
models = {}


def model(service):
    if service not in models:
        operations = session.get_service_model(service)
        try:
            waiters = session.get_waiter_model(service).waiter_names
        except DataNotFoundError:
            waiters = []
        by_name = {xform_name(name).replace("_", "-"): operations.operation_model(name) for name in operations.operation_names}
        by_waiter = {}
        for name in waiters:
            operation = session.get_waiter_model(service).get_waiter(name).operation
            by_waiter[xform_name(name).replace("_", "-")] = operations.operation_model(operation)
        models[service] = by_name, by_waiter
    return models[service]


def shorthand(shape, values):
    """a=b,c=d and JSON, as far as the scripts and documents use them."""
    if len(values) == 1 and values[0][:1] in "{[":
        return json.loads(values[0])
    if shape.type_name == "list":
        return [shorthand(shape.member, [each]) for each in values]
    if shape.type_name == "structure":
        pairs = [pair.split("=", 1) for pair in values[0].split(",")]
        names = {name[:1].lower() + name[1:]: name for name in shape.members}
        names.update({name: name for name in shape.members})
        return {names.get(key, key): shorthand(shape.members[names[key]], [value]) if key in names else value for key, value in pairs}
    if shape.type_name == "boolean":
        return True
    if shape.type_name in ("integer", "long"):
        return 0 if values[0] == "…" else int(values[0])
    if shape.type_name in ("timestamp", "blob"):
        return "2026-01-01T00:00:00Z" if shape.type_name == "timestamp" else b"x"
    return values[0]


def faults(call):
    arguments = call["arguments"]
    words, options, name = [], {}, None
    for each in arguments:
        if each.startswith("--"):
            name = each[2:]
            options[name] = []
        elif name is None:
            words.append(each)
        else:
            options[name].append(each)
    if tuple(words) in OWN:
        return
    try:
        operations, waiters = model(words[0])
    except UnknownServiceError:
        yield f"there is no service {words[0]}"
        return
    operation = waiters.get(words[2]) if words[1] == "wait" else operations.get(words[1])
    if operation is None or len(words) != (3 if words[1] == "wait" else 2):
        yield f"there is no command {' '.join(words)}"
        return
    members = operation.input_shape.members if operation.input_shape else {}
    by_option = {xform_name(member).replace("_", "-"): member for member in members}
    given = dict(call.get("input") or {})
    for option, values in options.items():
        if option in GLOBAL:
            continue
        plain = option.removeprefix("no-") if option not in by_option else option
        if plain not in by_option:
            yield f"no option --{option}"
            continue
        shape = members[by_option[plain]]
        if not values and shape.type_name != "boolean":
            yield f"--{option} has no value"
            continue
        try:
            given[by_option[plain]] = shorthand(shape, values)
        except ValueError as error:
            yield f"--{option}: {error}"
    report = ParamValidator().validate(given, operation.input_shape) if operation.input_shape else None
    if report and report.has_errors():
        yield report.generate_report()
    if options.get("query"):
        jmespath.compile(options["query"][0])
    answer = call.get("answer")
    if isinstance(answer, dict) and operation.output_shape:
        report = ParamValidator().validate(answer, operation.output_shape)
        if report.has_errors():
            yield "the answer: " + report.generate_report()


count, bad = 0, 0
for line in sys.stdin:
    call = json.loads(line)
    count += 1
    for fault in faults(call):
        bad += 1
        print(f"aws {' '.join(call['arguments'])}: {fault}")
print(f"{count} calls")
sys.exit(1 if bad or not count else 0)
