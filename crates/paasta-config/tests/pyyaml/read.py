"""Reads documents as PaaSTA's Python did: one per line of stdin, in hexadecimal. Writes one line for each: what it comes
to with its types, `error`, or `skip` where PaaSTA in Rust differs on purpose: values inside of themselves, tags of lists
and maps that are not their own, an `=` that is a key in one place and a value in another, `<<` and `=` in an entry of
pairs that is elsewhere a map, and `<<` of what would be no pairs."""

import datetime
import re
import struct
import sys

import yaml

sys.setrecursionlimit(20000)


class Loader(yaml.CSafeLoader):
    """The C loader with the float expression of PyYAML 5.4, which later releases changed for `._`."""


FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?
    |\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.X,
)
Loader.yaml_implicit_resolvers = {
    first: [(tag, FLOAT if tag.endswith(":float") else expression) for tag, expression in resolvers]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}

PREFIX = "tag:yaml.org,2002:"
SET = PREFIX + "set"
PAIRS = (PREFIX + "omap", PREFIX + "pairs")


class Foreign(Exception):
    """Not compared."""


def is_entry(node):
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        return False
    return node.value[0][0].tag not in (PREFIX + "merge", PREFIX + "value")


def check(root):
    keys, values = set(), set()
    # Maps with `<<` that are entries of pairs, and those that are maps.
    entries, maps = set(), set()

    def walk(node, above, places, is_element=False, is_merged=False):
        if any(node is other for other in above):
            raise Foreign
        if isinstance(node, yaml.ScalarNode):
            if node.tag == PREFIX + "value":
                places.add(id(node))
            return
        is_list = isinstance(node, yaml.SequenceNode)
        if node.tag == SET or node.tag in PAIRS:
            # Out of shape it is an error, unless only its entries are looked at.
            if (is_element or is_merged) and is_list == (node.tag == SET):
                raise Foreign
            if is_merged and is_list and not all(map(is_entry, node.value)):
                raise Foreign
        elif node.tag != PREFIX + ("seq" if is_list else "map"):
            raise Foreign
        above = above + (node,)
        if is_list:
            for item in node.value:
                walk(item, above, values, node.tag in PAIRS, is_merged)
            return
        merges = [key.tag == PREFIX + "merge" for key, _ in node.value]
        if any(merges):
            (entries if is_element and not is_merged else maps).add(id(node))
        for (key, value), is_merge in zip(node.value, merges):
            walk(key, above, values if is_element and not is_merged else keys)
            walk(value, above, values, is_merged=is_merge)

    walk(root, (), values)
    if keys & values or entries & maps:
        raise Foreign


def show(value):
    if value is None:
        return "null"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int):
        return "int:%d" % value
    if isinstance(value, float):
        return "float:nan" if value != value else "float:" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "str:" + value.encode("utf-8").hex()
    if isinstance(value, bytes):
        return "bytes:" + value.hex()
    if isinstance(value, datetime.date):
        return "date:" + str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(show, value)) + "]"
    if isinstance(value, dict):
        if sum(1 for key in value if key != key) > 1:
            raise Foreign
        return "{" + ",".join(show(key) + "=" + show(item) for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ",".join(map(show, value)) + ")"
    if isinstance(value, set):
        if sum(1 for member in value if member != member) > 1:
            raise Foreign
        return "set{" + ",".join(sorted(map(show, value))) + "}"
    raise TypeError(type(value))


def read(document):
    loader = Loader(document)
    try:
        node = loader.get_single_node()
        if node is None:
            return "null"
        check(node)
        return show(loader.construct_document(node))
    except Foreign:
        return "skip"
    except Exception:
        return "error"
    finally:
        loader.dispose()


def main():
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    out = []
    for line in sys.stdin.buffer:
        out.append(read(bytes.fromhex(line.decode("ascii"))))
    print("\n".join(out))


if __name__ == "__main__":
    main()
