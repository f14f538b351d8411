"""Drives an engine with the Marathon client that PaaSTA itself uses. Usage: python_client.py URL"""

import collections
import collections.abc
import sys
import threading
import time

# The client names classes where Python had them before 3.10.
for name in ("Iterable", "Mapping", "MutableMapping", "Sequence"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

from marathon import MarathonClient
from marathon.exceptions import ConflictError, MarathonHttpError, NotFoundError
from marathon.models.app import MarathonApp

APP = "svc.main.gitabc.config1"
client = MarathonClient([sys.argv[1]], timeout=30)
seen = []
broken = []


def listen():
    try:
        for event in client.event_stream():
            seen.append(event)
    except Exception as error:  # the engine goes away at the end
        seen.append(error)
        broken.append(repr(error))


def wait_for(what, condition, seconds=20):
    deadline = time.time() + seconds
    while not condition():
        assert not broken, broken
        assert time.time() < deadline, "waited in vain for " + what
        time.sleep(0.02)


def event_types():
    return [getattr(event, "event_type", "?") for event in list(seen)]


def running():
    tasks = client.get_app("/" + APP, embed_tasks=True).tasks
    return [task for task in tasks if task.state == "TASK_RUNNING"]


threading.Thread(target=listen, daemon=True).start()
wait_for("the stream to attach", lambda: "event_stream_attached" in event_types())

assert client.ping().strip() == b"pong"
assert client.get_info().name == "marathon"
assert client.get_leader()["leader"]

app = MarathonApp(
    cmd="exec sleep 1000",
    instances=2,
    cpus=0.1,
    mem=16,
    constraints=[["pool", "LIKE", "default"]],
    backoff_seconds=1,
    backoff_factor=2,
    max_launch_delay_seconds=300,
    container={
        "type": "DOCKER",
        "docker": {
            "image": "registry/services-svc:paasta-one",
            "network": "BRIDGE",
            "portMappings": [{"containerPort": 8888, "hostPort": 0, "protocol": "tcp"}],
        },
    },
    health_checks=[
        {
            "protocol": "COMMAND",
            "command": "true",
            "gracePeriodSeconds": 10,
            "intervalSeconds": 1,
            "timeoutSeconds": 5,
            "maxConsecutiveFailures": 3,
        }
    ],
)
created = client.create_app(APP, app)
assert created.id == "/" + APP, created.id
wait_for("two healthy tasks", lambda: client.get_app("/" + APP).tasks_healthy == 2)
wait_for("no deployment", lambda: not client.list_deployments())

listed = client.list_apps(embed_tasks=True, app_id="/svc.main")
assert [one.id for one in listed] == ["/" + APP]
tasks = listed[0].tasks
assert len(tasks) == 2 and all(task.started_at and task.ports and task.host for task in tasks)
assert all(result.alive for task in tasks for result in task.health_check_results)
assert len(client.list_tasks()) == 2
assert len(client.list_tasks("/" + APP)) == 2
assert client.list_apps()[0].tasks == []
assert client.list_queue(embed_last_unused_offers=True) == []

try:
    client.create_app(APP, app)
    raise SystemExit("a second app with the same id was taken")
except ConflictError as error:
    assert "already exists" in str(error)

for call in (
    lambda: client.get_app("/none"),
    lambda: client.delete_app("/none", force=True),
    lambda: client.list_tasks("/none"),
    lambda: client.kill_task("/" + APP, "none.task", scale=True),
):
    try:
        call()
        raise SystemExit("what does not exist was found")
    except NotFoundError as error:
        assert "does not exist" in str(error)

# Scale up as PaaSTA does: instances alone, with force.
answer = client.scale_app("/" + APP, instances=4, force=True)
assert answer["deploymentId"] and answer["version"]
wait_for("four tasks", lambda: len(running()) == 4)

# Kill two drained tasks in one call; the app shrinks by two.
victims = [task.id for task in running()[:2]]
assert client.kill_given_tasks(victims, scale=True, force=True)
wait_for("the two to go", lambda: len(client.list_tasks("/" + APP)) == 2)
assert client.get_app("/" + APP).instances == 2
assert not set(victims) & {task.id for task in client.list_tasks()}

# Kill one without scale: it is replaced.
victim = running()[0].id
killed = client.kill_task("/" + APP, victim, scale=False)
assert killed.id == victim
wait_for("a replacement", lambda: len(running()) == 2 and victim not in [task.id for task in running()])
assert client.get_app("/" + APP).instances == 2

try:
    client.create_app("bad", MarathonApp(instances=1))
    raise SystemExit("an app without cmd and container was taken")
except MarathonHttpError as error:
    assert error.status_code == 422 and "is not valid" in error.error_message

versions = client.list_versions("/" + APP)
assert len(versions) >= 3
assert client.get_version("/" + APP, versions[-1]).instances == 2

wait_for("no deployment", lambda: not client.list_deployments())
client.delete_app("/" + APP, force=True)
wait_for("the app to go", lambda: client.list_apps() == [])
assert client.list_tasks() == []

wait_for("the last event", lambda: "app_terminated_event" in event_types())
types = set(event_types())
for wanted in (
    "deployment_info",
    "deployment_success",
    "status_update_event",
    "health_status_changed_event",
    "instance_health_changed_event",
    "app_terminated_event",
):
    assert wanted in types, wanted + " was not among " + ", ".join(sorted(types))
states = {event.task_status for event in seen if getattr(event, "event_type", "") == "status_update_event"}
assert {"TASK_STAGING", "TASK_RUNNING", "TASK_KILLED"} <= states, states
print("all calls answered as Marathon does")
