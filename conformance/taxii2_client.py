#!/usr/bin/env python3
"""Polls a hub with the stock `taxii2-client` and compares what arrives with what was published.

    taxii2_client.py --base URL --user LOGIN:PASSWORD --collection ID [--submit ID] SOURCE...

SOURCE are bundles, or folders of them, that were published to the collection before. Every object of theirs has to
arrive: equal in the client's reading, and byte for byte in a second pass over the client's own session. With --submit
the client also adds objects there. Needs `pip install taxii2-client`.
"""
import argparse
import json
import pathlib
import sys
import time
import uuid

from taxii2client.v21 import Server, as_pages

from taxii_2_1 import indicator, slices

PER_REQUEST = 500
# The longest manifest here has some 50 pages; a client that is not told where to go on asks for ever.
PAGES_MAX = 1_000


def sources(paths):
    """Each version of each object in the files, as text: {(id, version): {texts}}."""
    found, files = {}, 0
    for path in map(pathlib.Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_file():
                continue
            files += 1
            for text in slices(file.read_bytes().decode("utf-8-sig")):
                item = json.loads(text)
                found.setdefault((item["id"], version(item)), set()).add(text)
    return found, files


def version(item):
    return item.get("modified") or item.get("created")


def pages(function, **filters):
    for count, page in enumerate(as_pages(function, per_request=PER_REQUEST, **filters)):
        assert count < PAGES_MAX, f"{function.__name__} never ends"
        yield page


def raw_pages(collection):
    """The bodies of all pages, over the session that the client made."""
    session, following = collection._conn.session, None
    while True:
        query = {"limit": PER_REQUEST, "match[version]": "all", **({"next": following} if following else {})}
        response = session.get(collection.objects_url, params=query, headers={"Accept": "application/taxii+json;version=2.1"})
        response.raise_for_status()
        yield response.content.decode("utf-8")
        page = response.json()
        if not page.get("more"):
            return
        following = page["next"]


def compare(collection, published):
    began = time.monotonic()
    polled = [item for page in pages(collection.get_objects, version="all") for item in page.get("objects", [])]
    took = time.monotonic() - began
    keys = [(item["id"], version(item)) for item in polled]
    assert len(set(keys)) == len(keys), "an object came twice"
    missing, extra = published.keys() - set(keys), set(keys) - published.keys()
    assert not missing, f"{len(missing)} objects did not come, such as {sorted(missing, key=str)[:3]}"
    assert not extra, f"{len(extra)} objects came that were not published, such as {sorted(extra, key=str)[:3]}"
    for key, item in zip(keys, polled):
        assert any(json.loads(text) == item for text in published[key]), f"{key} differs as the client reads it"
    print(f"objects: {len(polled)} polled in pages of {PER_REQUEST}, {len(polled) / took:,.0f} a second")

    raw = [text for body in raw_pages(collection) for text in slices(body)]
    assert len(raw) == len(polled), (len(raw), len(polled))
    for text in raw:
        item = json.loads(text)
        assert text in published[(item["id"], version(item))], f"{item['id']} is not the bytes that were published"
    print(f"bytes: {len(raw)} objects are the same, byte for byte, {sum(map(len, raw)):,} characters")

    records = [record for page in pages(collection.get_manifest, version="all") for record in page.get("objects", [])]
    assert [record["id"] for record in records] == [item["id"] for item in polled], "manifest and objects differ"
    print(f"manifest: {len(records)} records, and it ends")
    return polled


def single_objects(collection, polled):
    for item in polled[:: max(1, len(polled) // 20)]:
        got = collection.get_object(item["id"], version="all")["objects"]
        assert item in got, f"{item['id']} alone differs"
        versions = collection.object_versions(item["id"])["versions"]
        assert len(versions) == len(got), (item["id"], versions)
    print("object, versions: as in the pages")


def submit(collection, root):
    texts = [indicator(number) for number in range(1, 4)]
    broken = json.dumps({"type": "indicator", "id": f"indicator--{uuid.uuid4()}", "spec_version": "2.1"})
    envelope = '{"objects":[' + ",".join(texts + [broken]) + "]}"
    status = collection.add_objects(envelope)
    assert status.status == "complete", status.status
    assert (status.total_count, status.success_count, status.failure_count) == (4, 3, 1), status._raw
    assert [failure["id"] for failure in status.failures] == [json.loads(broken)["id"]], status.failures
    again = root.get_status(status.id)
    assert (again.success_count, again.failure_count) == (3, 1), again._raw
    for text in texts:
        got = collection.get_object(json.loads(text)["id"])["objects"]
        assert got == [json.loads(text)], got
    print("add_objects, get_status: 3 good objects kept, 1 bad one named")


def find(root, wanted):
    return next(c for c in root.collections if wanted in (c.id, c.alias))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--base", "--user", "--collection"):
        arguments.add_argument(name, required=True)
    arguments.add_argument("--submit")
    arguments.add_argument("sources", nargs="+")
    arguments = arguments.parse_args()
    published, files = sources(arguments.sources)
    assert published, "the sources hold no objects"
    print(f"sources: {len(published)} versions of objects in {files} files")
    user, password = arguments.user.split(":", 1)
    server = Server(arguments.base.rstrip("/") + "/taxii2/", user=user, password=password)
    assert server.title and server.default is not None and server.default in server.api_roots
    root = server.default
    assert root.title and root.max_content_length > 0
    collection = find(root, arguments.collection)
    assert collection.can_read
    print(f"discovery: {server.title}; {len(root.collections)} collections")
    single_objects(collection, compare(collection, published))
    if arguments.submit:
        submit(find(root, arguments.submit), root)


if __name__ == "__main__":
    sys.exit(main())
