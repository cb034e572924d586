#!/usr/bin/python3
"""An AWS of one account with one cluster, for the tests of terraform/deploy and terraform/rotate. Its world is the JSON file
that the caller names; each call and its answer become a line of the file that is the argument, which check_aws_calls.py then
holds against Amazon's own description of the calls. `--query` is applied by the library that the real program applies it
with. One process for all calls, since hundreds are made (bin/aws asks it); its port is its first line."""
import json
import socketserver
import sys

import jmespath

ARN = "arn:aws:%s:us-east-1:123456789012:%s"


def parse(arguments):
    words, options, name = [], {}, None
    for each in arguments:
        if each.startswith("--"):
            name = each[2:]
            options[name] = []
        elif name is None:
            words.append(each)
        else:
            options[name].append(each)
    return words, {key: values[0] if len(values) == 1 else values or True for key, values in options.items()}


def many(value):
    return value if isinstance(value, list) else [value]


class Refused(Exception):
    pass


class World:
    def __init__(self, state):
        self.state = state

    def say(self, text):
        self.state.setdefault("story", []).append(text)

    # --- ssm, ecr, logs, rds
    def ssm_get_parameter(self, o):
        if o["name"] not in self.state["parameters"]:
            raise Refused("ParameterNotFound")
        return {"Parameter": {"Name": o["name"], "Type": "String", "Value": self.state["parameters"][o["name"]]}}

    def ssm_put_parameter(self, o):
        self.state["parameters"][o["name"]] = o["value"]
        return {"Version": 2}

    def ecr_get_login_password(self, o):
        return "password-of-the-registry"

    def ecr_describe_images(self, o):
        kind, name = o["image-ids"].split("=")
        found = self.state["images"].get(name) if kind == "imageTag" else name if name in self.state["images"].values() else None
        if not found:
            raise Refused("ImageNotFoundException")
        return {"imageDetails": [{"imageDigest": found}]}

    def ecr_wait_image_scan_complete(self, o):
        return None

    def ecr_describe_image_scan_findings(self, o):
        return {"imageScanFindings": {"findings": self.state.get("findings", [])}}

    def logs_get_log_events(self, o):
        return {"events": [{"message": f"log of {o['log-stream-name']}"}]}

    def rds_create_db_snapshot(self, o):
        self.say(f"snapshot of {o['db-instance-identifier']}")
        return {"DBSnapshot": {"DBSnapshotIdentifier": o["db-snapshot-identifier"]}}

    def rds_wait_db_snapshot_available(self, o):
        return None

    def rds_modify_db_instance(self, o):
        self.state["database_password"] = o["input"]["MasterUserPassword"]
        self.state["pending"] = 2
        return {"DBInstance": {"DBInstanceStatus": "available"}}

    def rds_describe_db_instances(self, o):
        self.state["pending"] -= 1
        pending = {"MasterUserPassword": "****"} if self.state["pending"] > 0 else {}
        return {"DBInstances": [{"DBInstanceStatus": "available", "PendingModifiedValues": pending}]}

    # --- ecs
    def ecs_describe_task_definition(self, o):
        family = o["task-definition"]
        revision = self.state["revisions"][family]
        return {"taskDefinition": self.state["task_definitions"][f"{family}:{revision}"], "tags": []}

    def ecs_register_task_definition(self, o):
        given = o["input"]
        family = given["family"]
        self.state["revisions"][family] += 1
        name = f"{family}:{self.state['revisions'][family]}"
        kept = {**given, "revision": self.state["revisions"][family], "status": "ACTIVE", "taskDefinitionArn": ARN % ("ecs", "task-definition/" + name)}
        self.state["task_definitions"][name] = kept
        return {"taskDefinition": kept}

    def ecs_run_task(self, o):
        command = json.loads(o["overrides"])["containerOverrides"][0]["command"][1:]
        codes = self.state["exit_codes"].get(" ".join(command[:2]), [0])
        code = codes.pop(0) if len(codes) > 1 else codes[0]
        self.say(f"ran {' '.join(command)}: {code}")
        if code == "no capacity":
            return {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}
        container = {"name": "agentauri"} if code is None else {"name": "agentauri", "exitCode": code}
        task = ARN % ("ecs", f"task/agentauri-production/{len(self.state['tasks'])}")
        self.state["tasks"][task] = {"taskArn": task, "lastStatus": "STOPPED", "stoppedReason": "image is gone", "containers": [container]}
        return {"tasks": [{**self.state["tasks"][task], "lastStatus": "PROVISIONING"}], "failures": []}

    def ecs_describe_tasks(self, o):
        task = self.state["tasks"][o["tasks"]]
        task["looks"] = task.get("looks", 0) + 1
        shown = {key: value for key, value in task.items() if key != "looks"}
        return {"tasks": [shown if task["looks"] > 1 else {**shown, "lastStatus": "RUNNING"}], "failures": []}

    def ecs_describe_services(self, o):
        return {
            "services": [
                {
                    "serviceName": name,
                    "taskDefinition": service["task_definition"],
                    "desiredCount": service["desired"],
                    "deployments": [{"status": "PRIMARY", "taskDefinition": service["task_definition"], "rolloutState": "COMPLETED"}],
                }
                for name, service in self.state["services"].items()
                if name in many(o["services"])
            ],
            "failures": [],
        }

    def ecs_update_service(self, o):
        service = self.state["services"][o["service"]]
        if self.state.get("refuse_update") == o["service"]:
            self.state["refuse_update"] = None
            raise Refused("ServerException")
        if "desired-count" in o:
            service["desired"] = int(o["desired-count"])
        if "force-new-deployment" in o:
            self.say(f"{o['service']} restarted")
        else:
            revision = o["task-definition"]
            self.say(f"{o['service']} -> {revision.split('/')[1]}")
            # ECS takes it back when its tasks do not stay up.
            image = self.state["task_definitions"][revision.split("/")[1]]["containerDefinitions"][0]["image"]
            if self.state.get("crashes") != {"service": o["service"], "image": image}:
                service["task_definition"] = revision
        return {"service": {"serviceName": o["service"]}}

    def ecs_wait_services_stable(self, o):
        return None

    # --- secrets manager: versions of a secret are [stage, value] by id
    def secretsmanager_get_secret_value(self, o):
        versions = self.state["secrets"][o["secret-id"]]
        [(version, (_, value))] = [each for each in versions.items() if each[1][0] == "AWSCURRENT"]
        return {"Name": o["secret-id"], "VersionId": version, "SecretString": value}

    def secretsmanager_put_secret_value(self, o):
        given = o["input"]
        if self.state.get("refuse_secret") == given["SecretId"]:
            raise Refused("InternalServiceError")
        versions = self.state["secrets"][given["SecretId"]]
        stage = given.get("VersionStages", ["AWSCURRENT"])[0]
        for version in versions.values():
            if version[0] == stage:
                version[0] = "AWSPREVIOUS"
        name = f"version-{len(versions) + 1}".ljust(32, "0")
        versions[name] = [stage, given["SecretString"]]
        self.say(f"{given['SecretId'].split('/')[-1]} {stage}")
        return {"Name": given["SecretId"], "VersionId": name}

    def secretsmanager_describe_secret(self, o):
        return {"Name": o["secret-id"], "VersionIdsToStages": {version: [stage] for version, (stage, _) in self.state["secrets"][o["secret-id"]].items()}}

    def secretsmanager_update_secret_version_stage(self, o):
        versions = self.state["secrets"][o["secret-id"]]
        assert versions[o["remove-from-version-id"]][0] == o["version-stage"]
        versions[o["remove-from-version-id"]][0] = "AWSPREVIOUS"
        versions[o["move-to-version-id"]][0] = o["version-stage"]
        self.say(f"{o['secret-id'].split('/')[-1]} {o['version-stage']}")
        return {"Name": o["secret-id"]}

    # --- elasticache
    def elasticache_modify_replication_group(self, o):
        tokens, given = self.state["redis_tokens"], o["input"]
        self.state["redis_tokens"] = [*tokens[-1:], given["AuthToken"]] if given["AuthTokenUpdateStrategy"] == "ROTATE" else [given["AuthToken"]]
        self.say(f"redis {given['AuthTokenUpdateStrategy']}")
        return {"ReplicationGroup": {"ReplicationGroupId": given["ReplicationGroupId"]}}

    def elasticache_wait_replication_group_available(self, o):
        return None


def answer_of(arguments, state_file, log_file):
    """(exit code, text): to standard output when the code is 0, else to standard error."""
    words, options = parse(arguments)
    if "cli-input-json" in options:
        with open(options["cli-input-json"].removeprefix("file://")) as file:
            options["input"] = json.load(file)
    with open(state_file) as file:
        state = json.load(file)
    method = getattr(World(state), "_".join(words).replace("-", "_"), None)
    failed, answer = (None, None) if method else (f"this AWS does not know {' '.join(words)}", None)
    try:
        answer = method(options) if method else None
    except Refused as error:
        failed = f"An error occurred ({error})"
    except Exception as error:  # a call that the world has no place for
        failed = f"{' '.join(words)}: {error!r}"
    with open(state_file, "w") as file:
        json.dump(state, file)
    with open(log_file, "a") as log:
        log.write(json.dumps({"arguments": arguments, "input": options.get("input"), "answer": answer}) + "\n")
    if failed:
        return 254, failed
    if answer is None:
        return 0, ""
    if isinstance(answer, str):
        return 0, answer
    result = jmespath.search(options["query"], answer) if "query" in options else answer
    if options.get("output") == "text":
        return 0, "None" if result is None else str(result)
    return 0, json.dumps(result)


class Call(socketserver.StreamRequestHandler):
    # Texts that end with NUL: how many arguments, the world's file, the arguments.
    def handle(self):
        def text():
            out = b""
            while (byte := self.rfile.read(1)) not in (b"\0", b""):
                out += byte
            return out.decode()

        count, state_file = int(text()), text()
        code, answer = answer_of([text() for _ in range(count)], state_file, sys.argv[1])
        self.wfile.write(f"{code}\n{answer}\n".encode())


server = socketserver.TCPServer(("127.0.0.1", 0), Call)
print(server.server_address[1], flush=True)
server.serve_forever()
