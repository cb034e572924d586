"""What schemathesis does not know by itself: who it is, real ids, what must not be lost, and stricter rules for answers.

Destructive operations get something of their own to destroy: before each, a new trigger, key, session, user… is made and
named in the request. Left out of the run is nothing.
"""
import atexit
import collections
import functools
import itertools
import json
import os
import random

import requests
import schemathesis
from schemathesis import Case, HookContext

PRINCIPAL = os.environ["CONTRACT_PRINCIPAL"]
PASSWORD = "a quiet river 77"
with open(os.environ["CONTRACT_WORLD"], encoding="utf-8") as source:
    WORLD = json.load(source)

# 500 and 503 have a check of their own; a document need not list for each operation what every body can meet.
EVERYWHERE = {413, 415}
# Of the requests whose path was to be valid, the share that names what exists.
SHARE_OF_REAL_IDS = 0.85

# Of an operation's requests the first so many do in any case, so that each is served.
SURELY_REAL = 3
# Runs after each other find each other's follows.
FIRST_AGENT = {"session": 10_000_000, "key": 20_000_000, "nobody": 30_000_000}

draw = random.Random(20260115)
seen: collections.Counter = collections.Counter()
serial = itertools.count(1)
statuses: collections.Counter = collections.Counter()
served: collections.Counter = collections.Counter()


# ---- What the fuzzer may destroy -------------------------------------------------------------------------------------

class Backstage:
    """Calls that are not part of the test: they make what a request then uses up."""

    def __init__(self) -> None:
        self.http = requests.Session()
        self.spent = ""   # the token of the session that the next request ends
        self.followed: collections.deque = collections.deque()
        self.http.headers["X-Monitoring-Token"] = WORLD["monitoring_token"]

    def call(self, method: str, path: str, body=None, token: str = WORLD["session"]) -> dict:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(method, WORLD["url"] + path, json=body, headers=headers, timeout=30)
        if answer.status_code >= 300 and answer.status_code != 409:
            raise AssertionError(f"backstage {method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else {}

    def user(self) -> dict:
        name = f"extra-{PRINCIPAL}-{next(serial)}"
        return self.call("POST", "/api/v1/auth/register",
                         {"username": name, "email": f"{name}@example.org", "password": PASSWORD}, token="")

    def organization(self) -> str:
        slug = f"extra-{PRINCIPAL}-{next(serial)}"
        return self.call("POST", "/api/v1/organizations", {"name": "extra", "slug": slug})["data"]["id"]

    def member(self, organization: str) -> str:
        self.call("POST", f"/api/v1/organizations/{organization}/members", {"user_id": self.spare(), "role": "viewer"})
        return self.spare()

    def stranger(self) -> str:
        self.http.delete(f"{WORLD['url']}/api/v1/organizations/{WORLD['organization']}/members/{self.spare()}", timeout=30,
                         headers={"Authorization": f"Bearer {WORLD['session']}"})
        return self.spare()

    @functools.cache
    def spare(self) -> str:
        """A user who comes and goes, since making one costs a password's hash."""
        return self.user()["user"]["id"]

    def trigger(self) -> dict:
        return self.call("POST", "/api/v1/triggers", {
            "name": "extra", "registry": "reputation", "enabled": False,
            "conditions": [{"condition_type": "score_threshold", "field": "score", "operator": "<", "value": "60"}],
            "actions": [{"action_type": "rest", "config": {"url": WORLD["receiver"]}}]})["data"]

    def key(self) -> str:
        return self.call("POST", f"/api/v1/organizations/{WORLD['organization']}/api-keys",
                         {"name": "extra", "environment": "test"})["data"]["id"]

    def follow(self) -> str:
        agent = self.agent()
        self.call("POST", f"/api/v1/agents/{agent}/follow",
                  {"chain_id": WORLD["chain"], "actions": [{"action_type": "rest", "config": {"url": WORLD["receiver"]}}]})
        return agent

    def agent(self) -> str:
        """One that nobody follows. An organization follows a hundred at most: the oldest of ours are let go."""
        agent = str(FIRST_AGENT[PRINCIPAL] + next(serial))
        self.followed.append(agent)
        if len(self.followed) > 20:
            old = self.followed.popleft()
            self.http.delete(f"{WORLD['url']}/api/v1/agents/{old}/follow?chain_id={WORLD['chain']}", timeout=30,
                             headers={"Authorization": f"Bearer {WORLD['session']}"})
        return agent

    def enable_gone_action(self) -> None:
        """Its receiver answers 410, which disables it: what is sent again dies again."""
        self.call("PUT", f"/api/v1/triggers/{WORLD['trigger']}/actions/{WORLD['gone']}",
                  {"config": {"url": WORLD["receiver"] + "/gone"}})


backstage = Backstage()


def real_path(operation_id: str, path: str) -> dict:
    """Path parameters that name what exists; for what an operation uses up, something new."""
    if operation_id in ("delete_trigger", "update_trigger"):   # a PUT may leave nothing of its parts
        return {"id": backstage.trigger()["id"]}
    if operation_id in ("delete_condition", "delete_action"):
        trigger = backstage.trigger()
        part = trigger["conditions" if operation_id == "delete_condition" else "actions"][0]
        return {"trigger_id": trigger["id"], "id": part["id"]}
    if operation_id in ("update_api_key", "revoke_api_key", "rotate_api_key", "regenerate_api_key"):
        return {"id": backstage.key()}
    if operation_id in ("delete_organization", "transfer_organization"):
        return {"id": backstage.organization()}
    if operation_id in ("remove_member", "update_member"):
        return {"id": WORLD["organization"], "user_id": backstage.member(WORLD["organization"])}
    if operation_id in ("update_follow", "unfollow_agent"):
        return {"agent_id": backstage.follow()}
    if operation_id == "end_session" and backstage.spent:
        sessions = backstage.call("GET", "/api/v1/auth/sessions", token=backstage.spent)["sessions"]
        return {"id": sessions[0]["id"]}
    if operation_id == "follow_agent":
        return {"agent_id": backstage.agent()}
    if operation_id == "purge_dead_letters":
        return {"id": WORLD["purged"]}
    if operation_id == "purge_dead_letter":
        return {"id": WORLD["purged_by_event"], "event_id": WORLD["event"]}
    if operation_id in ("replay_dead_letter", "replay_dead_letters"):
        backstage.enable_gone_action()
    if path.startswith("/api/v1/agents/{agent_id}"):
        return {"agent_id": WORLD["agent"]}
    if path.startswith("/api/v1/organizations/{id}"):
        return {"id": WORLD["organization"]}
    if path.startswith("/api/v1/api-keys/{id}"):
        return {"id": WORLD["key"]}
    if "/conditions/" in path:
        return {"trigger_id": WORLD["trigger"], "id": WORLD["condition"]}
    if "/actions/" in path:
        return {"trigger_id": WORLD["trigger"], "id": WORLD["action"]}
    if path.startswith("/api/v1/triggers/{trigger_id}"):
        return {"trigger_id": WORLD["trigger"]}
    if path.startswith("/api/v1/triggers/{id}"):
        return {"id": WORLD["trigger"], "event_id": draw.choice([WORLD["dead"], WORLD["event"]])}
    return {}


def real_body(operation_id: str, path: dict) -> dict:
    """Members of bodies that name what exists."""
    if operation_id == "register":
        name = f"new-{PRINCIPAL}-{next(serial)}"
        return {"username": name, "email": f"{name}@example.org"}
    if operation_id == "login":
        return {"username_or_email": "guest", "password": PASSWORD}
    if operation_id == "refresh":
        return {"refresh_token": backstage.user()["refresh_token"]}
    if operation_id == "add_member":
        return {"user_id": backstage.stranger()}
    if operation_id == "transfer_organization":
        return {"new_owner_id": backstage.member(path["id"])}
    if operation_id == "change_password":
        return {"current_password": PASSWORD}
    if operation_id in ("issue_link_challenge", "link_agent"):
        return {"organization_id": WORLD["organization"], "chain_id": WORLD["chain"]}
    return {}


def whole_numbers(value):
    """JSON Schema has 18.0 for an integer, the document has not: it says that they are written without a fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: whole_numbers(item) for name, item in value.items()}
    return value


def operation_id_of(case: Case) -> str:
    return case.operation.definition.raw.get("operationId", "")


def is_negative(case: Case, place) -> bool:
    return case.meta is not None and case.meta.is_negative_at(place)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict) -> None:
    from schemathesis.core.parameters import ParameterLocation

    if case.headers is None:
        case.headers = {}
    case.headers["X-Monitoring-Token"] = WORLD["monitoring_token"]
    takes_body = isinstance(case.body, dict) and not is_negative(case, ParameterLocation.BODY)
    if takes_body:
        case.body = whole_numbers(case.body)
    operation_id = operation_id_of(case)
    if PRINCIPAL == "nobody" or is_negative(case, ParameterLocation.PATH):
        return
    seen[operation_id] += 1
    if seen[operation_id] > SURELY_REAL and draw.random() > SHARE_OF_REAL_IDS:
        return
    path = {}
    if case.path_parameters:
        path = {k: v for k, v in real_path(operation_id, case.operation.path).items() if k in case.path_parameters}
        case.path_parameters.update(path)
    if case.query and not is_negative(case, ParameterLocation.QUERY):
        if "organization_id" in case.query:
            case.query["organization_id"] = WORLD["organization"]
        if "chain_id" in case.query and operation_id in ("update_follow", "unfollow_agent", "unlink_agent"):
            case.query["chain_id"] = WORLD["chain"]
    header = next((name for name in case.headers if name.lower() == "x-organization-id"), None)
    if header is not None:
        case.headers[header] = WORLD["organization"]
    if takes_body:
        case.body = {**case.body, **real_body(operation_id, path)}


# ---- Who it is -------------------------------------------------------------------------------------------------------

# They end the session that they are called with, or lock its account.
ENDS_ITS_SESSION = {"logout", "end_session", "change_password"}

if PRINCIPAL != "nobody":
    @schemathesis.auth(refresh_interval=None)
    class Credentials:
        def get(self, case: Case, context) -> dict:
            if PRINCIPAL == "key":
                return {"X-API-Key": WORLD["api_key"]}
            token = WORLD["session"]
            if operation_id_of(case) in ENDS_ITS_SESSION:
                token = backstage.spent = backstage.user()["token"]
            return {"Authorization": f"Bearer {token}"}

        def set(self, case: Case, data: dict, context) -> None:
            case.headers = {**(case.headers or {}), **data}


# ---- What an answer must be ------------------------------------------------------------------------------------------

def close(schema) -> None:
    """Members that a schema of answers does not name are faults, as the checker of the C++ tests has it."""
    if isinstance(schema, list):
        for part in schema:
            close(part)
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for part in schema.values():
        close(part)


def merged(schema: dict, schemas: dict) -> dict:
    """One object of the parts of an allOf, so that it can be closed."""
    if "$ref" in schema:
        return merged(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "allOf" not in schema:
        return schema
    parts = [merged(part, schemas) for part in schema["allOf"]]
    return {"type": "object",
            "required": [name for part in parts for name in part.get("required", [])],
            "properties": {name: value for part in parts for name, value in part.get("properties", {}).items()}}


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict) -> None:
    schemas = raw_schema["components"]["schemas"]
    for name in list(schemas):
        schemas[name] = merged(schemas[name], schemas)
    requests_of = [name for name in schemas if name.endswith("Request")]
    for name, schema in schemas.items():
        if name not in requests_of:
            close(schema)


def is_of_this_operation(case: Case, response) -> bool:
    """Whether the request was one of the operation's own: its method, and a path that can only be its."""
    from schemathesis.core.parameters import ParameterLocation

    return (response.request.method == case.operation.method.upper()
            and not is_negative(case, ParameterLocation.PATH) and response.status_code != 405)


@schemathesis.check
def status_is_named(ctx, response, case: Case) -> None:
    """`default` describes an answer's shape; which statuses an operation has, it must name."""
    statuses[response.status_code] += 1
    operation_id = operation_id_of(case)
    if response.status_code < 300 and response.request.method == case.operation.method.upper():
        served[operation_id] += 1
    else:
        served[operation_id] += 0
    if not is_of_this_operation(case, response) or response.status_code in EVERYWHERE or response.status_code >= 500:
        return
    named = case.operation.definition.raw["responses"]
    if str(response.status_code) not in named:
        raise AssertionError(f"{response.status_code} is not named by {operation_id}: {response.text[:200]}")


@schemathesis.check
def answer_is_of_this_house(ctx, response, case: Case) -> None:
    """What holds for every answer: its id, its headers, one shape of errors, no body that says it is something else."""
    headers = {name.lower(): values[0] for name, values in response.headers.items()}
    if not headers.get("x-request-id"):
        raise AssertionError("no X-Request-ID")
    if headers.get("x-content-type-options") != "nosniff":
        raise AssertionError("no X-Content-Type-Options")
    if not response.content:
        return
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    types = described.get("content", {"application/json": {}}) if response.status_code < 300 else {"application/json"}
    if headers.get("content-type", "").split(";")[0] not in types:
        raise AssertionError(f"Content-Type {headers.get('content-type')}")
    if "application/json" not in types:
        return
    body = json.loads(response.content)
    if response.status_code < 400 or case.operation.path.startswith("/api/v1/health"):
        return
    if not {"error", "message", "request_id"} <= set(body) <= {"error", "message", "request_id", "details"}:
        raise AssertionError(f"another shape of error: {sorted(body)}")
    if body["request_id"] != headers["x-request-id"]:
        raise AssertionError("the body's request_id is not the header's")


# Members that are another name of one that wins, and optional bodies of which what cannot be read counts as none.
LENIENT = {"login", "issue_nonce", "rotate_api_key", "regenerate_api_key", "revoke_api_key"}
# What the parsers of bodies and queries say. Every other 400 names a rule that a schema cannot express, such as a limit
# of ten actions; that one of these meets a request that the document allows is a fault of the document or the code.
UNREADABLE = ("Json deserialize error", "Query deserialize error", "Content type error")

# A rule for every text, which the document states once, in words.
NO_NUL = "must not hold U+0000"


@schemathesis.hook
def filter_failure(context: HookContext, failure, case: Case, response) -> bool:
    """Keeps what is a fault."""
    kind = type(failure).__name__
    operation_id = operation_id_of(case)
    if kind == "AcceptedNegativeData":
        return operation_id not in LENIENT
    if kind == "RejectedPositiveData":
        # Without a body refresh takes the cookie.
        message = json.loads(response.content).get("message", "")
        return operation_id != "refresh" and message.startswith(UNREADABLE) and not message.endswith(NO_NUL)
    return True


@atexit.register
def tell() -> None:
    path = os.environ.get("CONTRACT_TALLY")
    if path:
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"requests": sum(statuses.values()), "statuses": dict(sorted(statuses.items())),
                       "served": sorted(served.items())}, out)
