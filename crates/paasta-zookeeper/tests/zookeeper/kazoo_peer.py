"""Does with kazoo what it is told, one JSON list per line, and answers each with one JSON line."""

import json
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout, NoNodeError

client = KazooClient(hosts=sys.argv[1], timeout=float(sys.argv[2]))
client.start(timeout=30)
locks = {}
waiting = {}


def acquire(key, path, timeout, identifier):
    lock = locks[key] = client.Lock(path, identifier)
    try:
        return lock.acquire(timeout=timeout)
    except LockTimeout:
        return False


def start_acquire(key, path, timeout, identifier):
    result = []
    thread = threading.Thread(target=lambda: result.append(acquire(key, path, timeout, identifier)))
    thread.start()
    waiting[key] = (thread, result)
    return True


def finish_acquire(key):
    thread, result = waiting.pop(key)
    thread.join()
    return result[0]


def release(key):
    return locks.pop(key).release()


def contenders(path):
    return client.Lock(path).contenders()


def children(path):
    try:
        return sorted(client.get_children(path))
    except NoNodeError:
        return None


def get(path):
    try:
        return client.get(path)[0].decode("utf-8")
    except NoNodeError:
        return None


def put(path, text):
    client.ensure_path(path)
    client.set(path, text.encode("utf-8"))
    return True


def delete(path):
    client.delete(path)
    return True


def create(path, text, sequence, ephemeral):
    made = client.create(path, text.encode("utf-8"), sequence=sequence, ephemeral=ephemeral, makepath=True)
    return made


def queue_put(path, entry):
    # Names and bytes as the original writes them.
    name = "entry-%014.3f-%014.3f-" % (entry["bounce_by"], entry["wait_until"])
    return client.create(path + "/" + name, json.dumps(entry).encode("utf-8"), sequence=True, makepath=True)


def record(path):
    return json.loads(client.get(path)[0].decode("utf-8"))


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
client.stop()
