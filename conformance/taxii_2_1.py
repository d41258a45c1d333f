#!/usr/bin/env python3
"""Holds a TAXII 2.1 server to the standard, over HTTP and from outside: any server, at any base URL.

    taxii_2_1.py --base https://hub.example --user LOGIN:PASSWORD --collection ID
                 [--reader LOGIN:PASSWORD] [--stranger LOGIN:PASSWORD] [--known-gaps FILE] [--only TEXT]

The user may read and write the collection, in which some dozen small objects are left. The
reader may only read it, the stranger may not even know of it; tests that need one are skipped without. Each test has
the name of its section in TAXII 2.1, or in the interoperability test document (`interop_`), and of the sentence that it
proves. A file of known gaps has one `SECTION::NAME: reason` a line; a gap that is none any more fails the run.

Exit status 0: all passed, apart from known gaps. Needs Python 3.8 and nothing else.
"""
import argparse
import base64
import http.client
import json
import re
import sys
import time
import traceback
import urllib.parse
import uuid

TAXII = "application/taxii+json;version=2.1"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TESTS = []


class Skipped(Exception):
    """The test needs something that was not given."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def first(self):
        return self.headers.get("X-TAXII-Date-Added-First")

    def last(self):
        return self.headers.get("X-TAXII-Date-Added-Last")


class Peer:
    """The server as one account sees it."""

    def __init__(self, base, account):
        self.base = base if base.endswith("/") else base + "/"
        self.account = account

    def send(self, method, url, body=None, headers=None):
        """One request. A URL is absolute, or relative to the base."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.base, url))
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        sent = {"Accept": TAXII}
        if self.account:
            sent["Authorization"] = "Basic " + base64.b64encode(self.account.encode()).decode()
        if body is not None:
            sent["Content-Type"] = TAXII
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        connection = kind(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, url, query=(), **headers):
        return self.send("GET", url + query_text(query), headers={k.replace("_", "-"): v for k, v in headers.items()})

    def pages(self, url, query, key):
        """Follows `next` with all the same parameters to the end; the pages' lists."""
        found, following = [], None
        for _ in range(200):
            more = dict(query, **({"next": following} if following else {}))
            answer = self.get(url, more)
            expect(answer, 200)
            found.append((answer, answer.json.get(key, [])))
            if not answer.json.get("more"):
                return found
            following = answer.json.get("next")
            assert following, "a page with `more` and without `next` leaves the date headers as the only way on"
        raise AssertionError("the pages never end")


def query_text(query):
    pairs = query.items() if isinstance(query, dict) else query
    text = urllib.parse.urlencode(list(pairs))
    return f"?{text}" if text else ""


def expect(answer, *statuses):
    assert answer.status in statuses, f"status {answer.status}, not {statuses}: {answer.body[:300]!r}"
    return answer


def is_error(answer, *statuses):
    """A refusal has its status, the media type and an error resource (TAXII 2.1 §3.6.1)."""
    expect(answer, *statuses)
    is_taxii(answer)
    assert answer.json.get("title"), "the error resource has no title"
    if "http_status" in answer.json:
        assert answer.json["http_status"] == str(answer.status), answer.json
    return answer


def is_taxii(answer):
    found = answer.headers.get_all("Content-Type")
    assert found == [TAXII], f"content type {found} on a {answer.status}"


def same(got, wanted):
    assert got == wanted, f"got {got!r:.600}, wanted {wanted!r:.600}"


class World:
    """The accounts, the collection, and the objects that this run put into it."""

    def __init__(self, arguments):
        self.peer = Peer(arguments.base, arguments.user)
        self.nobody = Peer(arguments.base, None)
        self._reader, self._stranger = arguments.reader, arguments.stranger
        discovery = expect(self.peer.get("/taxii2/"), 200).json
        roots = [urllib.parse.urljoin(self.peer.base + "taxii2/", root) for root in discovery["api_roots"]]
        self.root = next(root for root in roots if self.has_collection(root, arguments.collection))
        listed = self.peer.get(self.root + "collections/").json["collections"]
        self.info = next(c for c in listed if arguments.collection in (c["id"], c.get("alias")))
        self.collection = f"{self.root}collections/{self.info['id']}/"
        self.objects = self.collection + "objects/"
        self.manifest = self.collection + "manifest/"
        self.publish()

    def has_collection(self, root, wanted):
        answer = self.peer.get(root + "collections/")
        listed = answer.json.get("collections", []) if answer.status == 200 else []
        return any(wanted in (c["id"], c.get("alias")) for c in listed)

    @property
    def reader(self):
        if not self._reader:
            raise Skipped("no --reader was given")
        return Peer(self.peer.base, self._reader)

    @property
    def stranger(self):
        if not self._stranger:
            raise Skipped("no --stranger was given")
        return Peer(self.peer.base, self._stranger)

    def publish(self):
        """Five objects in three submissions; of one there are two versions, one is an observable."""
        self.texts = {}
        first = [indicator(n, confidence=10 * n) for n in (1, 2, 3)]
        family = f"malware--{uuid.uuid4()}"
        second = [malware(family, "2012-01-13T00:00:00.000Z", "first"), process()]
        third = [malware(family, "2012-03-28T12:00:00.500Z", "second")]
        self.submissions = []
        for batch in (first, second, third):
            answer = expect(self.post(batch), 202)
            self.submissions.append(wait(self, answer))
            assert answer.json["failure_count"] == 0, answer.json
            self.texts.update({(json.loads(text)["id"], json.loads(text).get("modified")): text for text in batch})
        self.indicators = [json.loads(text)["id"] for text in first]
        self.family = family
        self.observable = json.loads(second[1])["id"]
        self.ids = self.indicators + [family, self.observable]
        self.mine = {"match[id]": ",".join(self.ids)}

    def post(self, texts, peer=None, **extra):
        members = "".join(f"{json.dumps(key)}:{json.dumps(value)}," for key, value in extra.items())
        body = "{" + members + '"objects":[' + ",".join(texts) + "]}"
        return (peer or self.peer).send("POST", self.objects, body.encode())


def wait(world, answer):
    """The status resource, once it is complete."""
    status = answer.json
    for _ in range(100):
        if status["status"] == "complete":
            return status
        time.sleep(0.1)
        status = world.peer.get(f"{world.root}status/{status['id']}/").json
    raise AssertionError("the submission is pending for ever")


# Texts rather than dictionaries: what comes back has to be the same bytes.
def indicator(number, confidence=50, identifier=None, extra=""):
    identifier = identifier or f"indicator--{uuid.uuid4()}"
    return (
        f'{{"type": "indicator",  "spec_version":"2.1","id":"{identifier}","created":"2012-01-13T00:00:00.000Z",'
        f'"modified":"2012-01-13T00:00:00.000Z","confidence":{confidence},"name":"caf\\u00e9 / caf\u00e9 {number}",'
        f'"pattern":"[ipv4-addr:value = \'192.0.2.{number}\']","pattern_type":"stix",{extra}'
        f'"x_number":1.00e1,"valid_from":"2012-01-13T00:00:00Z"}}'
    )


def malware(identifier, modified, name):
    return (
        f'{{"type":"malware","spec_version":"2.1","id":"{identifier}","created":"2012-01-13T00:00:00.000Z",'
        f'"modified":"{modified}","name":"{name}","is_family":true}}'
    )


def process():
    """An observable has no `modified`, and a process has a random id."""
    return f'{{"type":"process","spec_version":"2.1","id":"process--{uuid.uuid4()}","pid":2012}}'


def slices(text):
    """The texts of the objects of an envelope or bundle, exactly as they stand there."""
    decoder, found = json.JSONDecoder(), []
    space = re.compile(r"[ \t\r\n]*")

    def skip(at, what=""):
        at = space.match(text, at).end()
        assert text.startswith(what, at), (what, text[at:at + 20])
        return space.match(text, at + len(what)).end()

    at = skip(0, "{")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = skip(at, ":")
        if key != "objects":
            _, at = decoder.raw_decode(text, at)
            at = skip(at)
        else:
            at = skip(at, "[")
            while text[at] != "]":
                start = at
                _, at = decoder.raw_decode(text, at)
                found.append(text[start:at])
                at = skip(at)
                at = skip(at, ",") if text[at] == "," else at
            at = skip(at, "]")
        at = skip(at, ",") if text[at] == "," else at
    return found


def section(name):
    def register(function):
        TESTS.append((f"{name}::{function.__name__}", function))
        return function
    return register


def ids(answer):
    return [item["id"] for item in answer.json.get("objects", [])]


# ---- TAXII 2.1 §3: what all endpoints share -------------------------------------------------------------------

@section("3_2_http_headers")
def every_answer_has_the_media_type(w):
    for url in ["/taxii2/", w.root, w.root + "collections/", w.collection, w.objects, w.manifest]:
        is_taxii(expect(w.peer.get(url, {"limit": 1} if url in (w.objects, w.manifest) else ()), 200))
    for url in [w.root + "nothing/", w.collection + "nothing/", w.root + "collections/" + str(uuid.uuid4()) + "/"]:
        is_taxii(expect(w.peer.get(url), 404))
    is_taxii(expect(w.nobody.get("/taxii2/"), 401))
    is_taxii(expect(w.peer.send("DELETE", w.root + "collections/"), 404, 405))


@section("3_2_http_headers")
def an_accept_that_cannot_be_met_is_406(w):
    for accept in ["text/html", "application/vnd.oasis.taxii+json;version=2.0", "application/taxii+json;version=2.0",
                   "application/taxii+json;version=2.1;q=0"]:
        for url in ["/taxii2/", w.root, w.collection, w.objects]:
            is_error(w.peer.get(url, Accept=accept), 406)


@section("3_2_http_headers")
def an_accept_that_clients_really_send_is_met(w):
    for accept in [None, "*/*", "application/*", "application/json", "application/json, text/plain, */*",
                   "application/taxii+json", "application/taxii+json; version=2.1",
                   "application/vnd.oasis.taxii+json; version=2.0, application/taxii+json; version=2.1"]:
        is_taxii(expect(w.peer.get("/taxii2/", Accept=accept), 200))


@section("3_2_http_headers")
def the_date_headers_are_those_of_the_first_and_the_last_object(w):
    query = dict(w.mine, **{"match[version]": "all"})
    records = expect(w.peer.get(w.manifest, query), 200)
    dates = [record["date_added"] for record in records.json["objects"]]
    for answer in [records, expect(w.peer.get(w.objects, query), 200)]:
        same((answer.first(), answer.last()), (dates[0], dates[-1]))
        assert DATE.fullmatch(answer.first()) and DATE.fullmatch(answer.last()), answer.first()


@section("3_2_http_headers")
def an_empty_answer_has_no_date_headers(w):
    for url in [w.objects, w.manifest]:
        answer = expect(w.peer.get(url, {"match[id]": f"indicator--{uuid.uuid4()}"}), 200)
        same((answer.first(), answer.last()), (None, None))


@section("3_4_filtering")
def values_of_one_field_are_alternatives(w):
    same(set(ids(w.peer.get(w.objects, {"match[id]": ",".join(w.indicators[:2])}))), set(w.indicators[:2]))
    same(set(ids(w.peer.get(w.objects, dict(w.mine, **{"match[type]": "malware,indicator"})))),
         set(w.indicators + [w.family]))


@section("3_4_filtering")
def different_fields_all_have_to_match(w):
    same(ids(w.peer.get(w.objects, {"match[id]": w.indicators[0], "match[type]": "malware"})), [])
    same(ids(w.peer.get(w.objects, {"match[id]": w.family, "match[type]": "malware"})), [w.family])


@section("3_4_filtering")
def versions_are_the_last_by_default(w):
    versions = {"first": ["first"], "last": ["second"], "all": ["first", "second"], "first,last": ["first", "second"],
                "2012-01-13T00:00:00Z": ["first"], "2012-03-28T12:00:00.5Z,first": ["first", "second"],
                "2011-01-01T00:00:00Z": []}
    for wanted, names in versions.items():
        answer = expect(w.peer.get(w.objects, {"match[id]": w.family, "match[version]": wanted}), 200)
        same([item["name"] for item in answer.json.get("objects", [])], names)
    same([item["name"] for item in w.peer.get(w.objects, {"match[id]": w.family}).json["objects"]], ["second"])


@section("3_4_filtering")
def the_specification_version_is_a_filter(w):
    same(set(ids(w.peer.get(w.objects, dict(w.mine, **{"match[spec_version]": "2.1"})))), set(w.ids))
    same(ids(w.peer.get(w.objects, dict(w.mine, **{"match[spec_version]": "2.0"}))), [])


@section("3_4_filtering")
def a_value_that_is_none_is_400(w):
    for name, value in [("added_after", "yesterday"), ("added_after", "2012-13-01T00:00:00Z"),
                        ("match[version]", "newest")]:
        is_error(w.peer.get(w.objects, {name: value}), 400)


@section("3_5_pagination")
def a_limit_of_one_reaches_the_end_of_all_objects(w):
    query = dict(w.mine, **{"match[version]": "all", "limit": 1})
    pages = w.peer.pages(w.objects, query, "objects")
    got = [item for _, page in pages for item in page]
    assert all(len(page) <= 1 for _, page in pages)
    same(sorted((item["id"], item.get("modified")) for item in got), sorted(w.texts, key=str))
    dates = [answer.last() for answer, page in pages if page]
    same(dates, sorted(dates))


@section("3_5_pagination")
def a_limit_of_one_reaches_the_end_of_the_manifest(w):
    pages = w.peer.pages(w.manifest, dict(w.mine, **{"match[version]": "all", "limit": 1}), "objects")
    same(sorted(record["id"] for _, page in pages for record in page), sorted(w.ids + [w.family]))


@section("3_5_pagination")
def a_limit_of_one_reaches_the_end_of_the_versions(w):
    pages = w.peer.pages(f"{w.objects}{w.family}/versions/", {"limit": 1}, "versions")
    same(len({version for _, page in pages for version in page}), 2)
    assert all(len(page) <= 1 for _, page in pages)


@section("3_5_pagination")
def a_client_that_follows_the_date_header_ends_complete(w):
    got, after = [], None
    for _ in range(50):
        query = dict(w.mine, **{"match[version]": "all", "limit": 2}, **({"added_after": after} if after else {}))
        answer = expect(w.peer.get(w.objects, query), 200)
        got += [(item["id"], item.get("modified")) for item in answer.json.get("objects", [])]
        after = answer.last()
        if not answer.json.get("more"):
            break
    same(sorted(got), sorted(w.texts, key=str))


@section("3_5_pagination")
def a_limit_that_is_no_positive_number_is_400(w):
    for limit in ["0", "-1", "x", "1.5"]:
        is_error(w.peer.get(w.objects, {"limit": limit}), 400)
    expect(w.peer.get(w.objects, dict(w.mine, limit=4_000_000_000)), 200)


@section("3_5_pagination")
def the_last_page_has_no_next(w):
    answer = expect(w.peer.get(w.objects, w.mine), 200)
    same((answer.json.get("more", False), "next" in answer.json), (False, False))


@section("3_5_pagination")
def a_next_that_was_not_given_out_is_refused(w):
    query = dict(w.mine, limit=1)
    real = w.peer.get(w.objects, query).json["next"]
    expect(w.peer.get(w.objects, dict(query, next=real)), 200)
    for made_up in ["x", "0", "../..", "%00", real[:-2], real[1:] + real[0]]:
        is_error(w.peer.get(w.objects, dict(query, next=made_up)), 400, 404)


@section("3_5_pagination")
def a_next_of_one_account_is_of_no_use_to_another(w):
    real = w.peer.get(w.objects, dict(w.mine, limit=1)).json["next"]
    is_error(w.reader.get(w.objects, dict(w.mine, limit=1, next=real)), 400, 403, 404)


@section("3_6_errors")
def a_refusal_has_an_error_resource(w):
    is_error(w.peer.get(w.root + "collections/" + str(uuid.uuid4()) + "/"), 404)
    is_error(w.peer.get(w.objects, {"limit": "0"}), 400)
    is_error(w.nobody.get(w.root), 401)


@section("3_7_envelope")
def an_empty_result_leaves_objects_out(w):
    answer = expect(w.peer.get(w.objects, {"match[id]": f"indicator--{uuid.uuid4()}"}), 200)
    assert "objects" not in answer.json and not answer.json.get("more", False), answer.body


@section("3_7_envelope")
def every_object_comes_back_byte_for_byte(w):
    answer = expect(w.peer.get(w.objects, dict(w.mine, **{"match[version]": "all"})), 200)
    got = slices(answer.body.decode())
    same(sorted(got), sorted(w.texts.values()))


# ---- TAXII 2.1 §4: the server ---------------------------------------------------------------------------------

@section("4_1_discovery")
def discovery_names_the_api_roots(w):
    discovery = expect(w.peer.get("/taxii2/"), 200).json
    assert isinstance(discovery["title"], str) and discovery["title"]
    assert discovery.get("default") is None or discovery["default"] in discovery["api_roots"], discovery
    assert discovery["api_roots"]


@section("4_1_discovery")
def a_slash_at_the_end_makes_no_difference_to_clients(w):
    expect(w.peer.get("/taxii2"), 200, 301, 307, 308, 404)
    expect(w.peer.get("/taxii2/"), 200)


@section("4_2_api_root")
def an_api_root_tells_what_it_speaks(w):
    root = expect(w.peer.get(w.root), 200).json
    assert root["title"] and TAXII in root["versions"], root
    assert isinstance(root["max_content_length"], int) and root["max_content_length"] > 0, root


@section("4_2_api_root")
def another_api_root_is_404(w):
    is_error(w.peer.get("/no-such-root-" + uuid.uuid4().hex + "/"), 404)


@section("4_3_status")
def the_counts_add_up(w):
    for status in w.submissions:
        same(status["success_count"] + status["failure_count"] + status["pending_count"], status["total_count"])
        for kind in ("success", "failure", "pending"):
            details = status.get({"success": "successes", "failure": "failures", "pending": "pendings"}[kind])
            assert details is None or len(details) == status[f"{kind}_count"], status


@section("4_3_status")
def the_submitter_can_ask_what_became_of_it(w):
    sent = w.submissions[0]
    got = expect(w.peer.get(f"{w.root}status/{sent['id']}/"), 200).json
    for key in ("id", "status", "total_count", "success_count", "failure_count", "pending_count"):
        same(got[key], sent[key])


@section("4_3_status")
def nobody_else_can(w):
    is_error(w.stranger.get(f"{w.root}status/{w.submissions[0]['id']}/"), 404)
    is_error(w.reader.get(f"{w.root}status/{w.submissions[0]['id']}/"), 404)


@section("4_3_status")
def an_unknown_status_is_404(w):
    for identifier in [str(uuid.uuid4()), "x"]:
        is_error(w.peer.get(f"{w.root}status/{identifier}/"), 404)


# ---- TAXII 2.1 §5: collections --------------------------------------------------------------------------------

@section("5_1_get_collections")
def collections_are_sorted_by_id(w):
    listed = expect(w.peer.get(w.root + "collections/"), 200).json["collections"]
    same([c["id"] for c in listed], sorted(c["id"] for c in listed))
    for collection in listed:
        uuid.UUID(collection["id"])
        assert collection["title"] and isinstance(collection["can_read"], bool), collection
        assert isinstance(collection["can_write"], bool), collection


@section("5_1_get_collections")
def the_rights_are_those_of_the_caller(w):
    def rights(peer):
        listed = peer.get(w.root + "collections/").json.get("collections", [])
        return next(((c["can_read"], c["can_write"]) for c in listed if c["id"] == w.info["id"]), None)
    same((rights(w.peer), rights(w.reader)), ((True, True), (True, False)))
    same(rights(w.stranger), None)


@section("5_2_get_a_collection")
def a_collection_is_the_same_in_the_list_and_alone(w):
    same(expect(w.peer.get(w.collection), 200).json, w.info)


@section("5_2_get_a_collection")
def an_alias_takes_the_place_of_the_id(w):
    if "alias" not in w.info:
        raise Skipped("the collection has no alias")
    by_alias = f"{w.root}collections/{w.info['alias']}/"
    same(expect(w.peer.get(by_alias), 200).json, w.info)
    same(ids(expect(w.peer.get(by_alias + "objects/", w.mine), 200)), ids(w.peer.get(w.objects, w.mine)))


@section("5_2_get_a_collection")
def a_hidden_collection_is_one_that_does_not_exist(w):
    def told(url, name):
        answer = is_error(w.stranger.get(url), 404)
        return {k: str(v).replace(name, "*") for k, v in answer.json.items() if k != "error_id"}
    absent = str(uuid.uuid4())
    for tail in ["", "objects/", "manifest/", f"objects/{w.family}/", f"objects/{w.family}/versions/"]:
        same(told(w.collection + tail, w.info["id"]), told(f"{w.root}collections/{absent}/{tail}", absent))


@section("5_3_get_object_manifests")
def a_manifest_has_each_version_in_order_of_its_date(w):
    records = expect(w.peer.get(w.manifest, dict(w.mine, **{"match[version]": "all"})), 200).json["objects"]
    same(sorted((r["id"] for r in records)), sorted(w.ids + [w.family]))
    dates = [record["date_added"] for record in records]
    same(dates, sorted(dates))
    assert all(DATE.fullmatch(date) for date in dates), dates
    versions = {record["version"] for record in records if record["id"] == w.family}
    same(len(versions), 2)


@section("5_3_get_object_manifests")
def a_manifest_and_the_objects_agree(w):
    records = expect(w.peer.get(w.manifest, w.mine), 200).json["objects"]
    same([record["id"] for record in records], ids(w.peer.get(w.objects, w.mine)))


@section("5_3_get_object_manifests")
def a_record_leads_to_its_version(w):
    records = w.peer.get(w.manifest, {"match[id]": w.family, "match[version]": "all"}).json["objects"]
    for record in records:
        found = w.peer.get(w.objects, {"match[id]": w.family, "match[version]": record["version"]})
        same(len(ids(found)), 1)


@section("5_4_get_objects")
def objects_come_in_order_of_their_dates(w):
    same(ids(w.peer.get(w.objects, w.mine))[:3], w.indicators)


@section("5_4_get_objects")
def added_after_is_exclusive(w):
    records = w.peer.get(w.manifest, w.mine).json["objects"]
    for at, record in enumerate(records):
        left = ids(w.peer.get(w.objects, dict(w.mine, added_after=record["date_added"])))
        later = [r["id"] for r in records if r["date_added"] > record["date_added"]]
        same(left, later)
        assert record["id"] not in left, at


@section("5_4_get_objects")
def added_after_takes_any_number_of_digits(w):
    date = w.peer.get(w.manifest, w.mine).json["objects"][0]["date_added"]
    whole = date[:19]
    for text, is_there in [(whole + "Z", None), (date[:-1] + "000Z", False), (date[:-1] + "999Z", False),
                           ("2012-01-01T00:00:00Z", True), ("2999-01-01T00:00:00.000Z", False)]:
        found = ids(expect(w.peer.get(w.objects, dict(w.mine, added_after=text)), 200))
        assert is_there is None or (w.indicators[0] in found) == is_there, (text, found)


@section("5_5_add_objects")
def objects_are_accepted_with_a_status(w):
    status = w.submissions[0]
    same((status["status"], status["total_count"], status["success_count"]), ("complete", 3, 3))


@section("5_5_add_objects")
def a_body_of_another_type_is_415(w):
    body = '{"objects":[' + indicator(9) + "]}"
    for kind in ["text/plain", "application/taxii+json;version=2.0", "application/vnd.oasis.stix+json"]:
        is_error(w.peer.send("POST", w.objects, body.encode(), {"Content-Type": kind}), 415)


@section("5_5_add_objects")
def a_body_that_is_no_envelope_is_refused(w):
    bodies = [b"", b"{", b"null", b'{"objects":[{]}', b'{"objects":"x"}', b"\xff\xfe", b'{"objects":' + b"[" * 5_000,
              b'{"objects":' + b"[" * 5_000 + b"]" * 5_000 + b"}"]
    for body in bodies:
        is_error(w.peer.send("POST", w.objects, body), 400, 422)


@section("5_5_add_objects")
def the_good_objects_are_kept_and_the_bad_ones_named(w):
    good, bad = indicator(4), indicator(5).replace('"pattern_type":"stix",', "")
    status = wait(w, expect(w.post([good, bad]), 202))
    same((status["success_count"], status["failure_count"]), (1, 1))
    identifier = json.loads(bad)["id"]
    same([failure["id"] for failure in status["failures"]], [identifier])
    assert status["failures"][0].get("message"), status
    same(ids(w.peer.get(w.objects, {"match[id]": identifier})), [])
    same(ids(w.peer.get(w.objects, {"match[id]": json.loads(good)["id"]})), [json.loads(good)["id"]])


@section("5_5_add_objects")
def the_same_object_again_changes_nothing(w):
    text = w.texts[(w.indicators[0], "2012-01-13T00:00:00.000Z")]
    before = w.peer.get(w.manifest, {"match[id]": w.indicators[0]}).json
    status = wait(w, expect(w.post([text]), 202))
    same((status["success_count"], status["failure_count"]), (1, 0))
    same(w.peer.get(w.manifest, {"match[id]": w.indicators[0]}).json, before)


@section("5_5_add_objects")
def another_content_under_the_same_version_is_a_conflict(w):
    text = w.texts[(w.indicators[1], "2012-01-13T00:00:00.000Z")].replace('"confidence":20', '"confidence":99')
    status = wait(w, expect(w.post([text]), 202))
    same((status["success_count"], status["failure_count"]), (0, 1))
    same(w.peer.get(w.objects, {"match[id]": w.indicators[1]}).json["objects"][0]["confidence"], 20)


@section("5_5_add_objects")
def who_may_only_read_is_refused(w):
    is_error(w.post([indicator(6)], peer=w.reader), 403)
    is_error(w.post([indicator(6)], peer=w.stranger), 404)


@section("5_5_add_objects")
def a_body_above_the_limit_is_413(w):
    most = w.peer.get(w.root).json["max_content_length"]
    parts = urllib.parse.urlsplit(w.objects)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=60)
    connection.putrequest("POST", parts.path)
    account = base64.b64encode(w.peer.account.encode()).decode()
    for name, value in [("Accept", TAXII), ("Content-Type", TAXII), ("Content-Length", str(most + 1)),
                        ("Authorization", f"Basic {account}"), ("Connection", "close")]:
        connection.putheader(name, value)
    connection.endheaders()
    try:
        connection.send(b" " * (most + 1))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server need not take what it will not read
    response = connection.getresponse()
    same((response.status, response.headers.get("Content-Type")), (413, TAXII))
    connection.close()


@section("5_6_get_an_object")
def an_object_is_its_last_version(w):
    answer = expect(w.peer.get(f"{w.objects}{w.family}/"), 200)
    same(slices(answer.body.decode()), [w.texts[(w.family, "2012-03-28T12:00:00.500Z")]])
    assert answer.first() == answer.last() and DATE.fullmatch(answer.first())
    every = expect(w.peer.get(f"{w.objects}{w.family}/", {"match[version]": "all"}), 200)
    same(len(ids(every)), 2)


@section("5_6_get_an_object")
def an_absent_object_is_404(w):
    is_error(w.peer.get(f"{w.objects}indicator--{uuid.uuid4()}/"), 404)


@section("5_7_delete_an_object")
def a_deleted_object_is_gone(w):
    text = indicator(7)
    identifier = json.loads(text)["id"]
    wait(w, expect(w.post([text]), 202))
    expect(w.peer.get(f"{w.objects}{identifier}/"), 200)
    is_taxii(expect(w.peer.send("DELETE", f"{w.objects}{identifier}/"), 200))
    is_error(w.peer.get(f"{w.objects}{identifier}/"), 404)
    same(ids(w.peer.get(w.objects, {"match[id]": identifier})), [])


@section("5_7_delete_an_object")
def one_right_alone_is_not_enough(w):
    is_error(w.reader.send("DELETE", f"{w.objects}{w.family}/"), 403)
    is_error(w.stranger.send("DELETE", f"{w.objects}{w.family}/"), 404)
    expect(w.peer.get(f"{w.objects}{w.family}/"), 200)


@section("5_8_get_object_versions")
def every_version_is_listed(w):
    answer = expect(w.peer.get(f"{w.objects}{w.family}/versions/"), 200)
    same(len(answer.json["versions"]), 2)
    assert answer.first() < answer.last(), (answer.first(), answer.last())
    for version in answer.json["versions"]:
        same(len(ids(w.peer.get(f"{w.objects}{w.family}/", {"match[version]": version}))), 1)


@section("5_8_get_object_versions")
def versions_of_an_absent_object_are_404(w):
    is_error(w.peer.get(f"{w.objects}indicator--{uuid.uuid4()}/versions/"), 404)


# ---- TAXII 2.1 Interoperability Test Document 1.0 ---------------------------------------------------------------

@section("interop_3_1_authentication")
def missing_credentials_are_401_with_a_challenge(w):
    for url in ["/taxii2/", w.root, w.root + "collections/", w.collection, w.objects]:
        answer = is_error(w.nobody.get(url), 401)
        challenges = answer.headers.get_all("WWW-Authenticate") or []
        assert any(challenge.lower().startswith("basic realm=") for challenge in challenges), challenges


@section("interop_3_1_authentication")
def wrong_credentials_are_401(w):
    login = w.peer.account.split(":", 1)[0]
    for account in [f"{login}:wrong", "nobody-of-that-name:wrong", ":"]:
        is_error(Peer(w.peer.base, account).get(w.root), 401)


@section("interop_3_13_filters")
def a_repeated_field_is_400(w):
    is_error(w.peer.get(w.objects, [("match[type]", "malware"), ("match[type]", "indicator")]), 400)


@section("interop_3_13_2_additional_filters")
def a_top_level_property_is_a_filter(w):
    both = dict(w.mine, **{"match[confidence]": "10,30"})
    same(ids(expect(w.peer.get(w.objects, both), 200)), [w.indicators[0], w.indicators[2]])
    same(set(ids(w.peer.get(w.objects, dict(w.mine, **{"match[pattern_type]": "stix"})))), set(w.indicators))


@section("interop_3_13_2_additional_filters")
def a_bound_is_a_filter(w):
    same(ids(expect(w.peer.get(w.objects, dict(w.mine, **{"match[confidence-gte]": "20"})), 200)), w.indicators[1:])
    same(ids(expect(w.peer.get(w.objects, dict(w.mine, **{"match[confidence-lte]": "20"})), 200)), w.indicators[:2])


@section("interop_3_15_custom_properties")
def a_custom_property_of_an_envelope_is_no_obstacle(w):
    status = wait(w, expect(w.post([indicator(8)], x_conformance="yes"), 202))
    same(status["success_count"], 1)


# ---- The run ------------------------------------------------------------------------------------------------------

def known_gaps(path):
    gaps = {}
    for line in open(path, encoding="utf-8") if path else []:
        if line.strip() and not line.startswith("#"):
            name, reason = re.fullmatch(r"(\S+::\w+): (.+)", line.strip()).groups()
            gaps[name] = reason
    unknown = set(gaps) - {name for name, _ in TESTS}
    assert not unknown, f"known gaps of tests that do not exist: {sorted(unknown)}"
    return gaps


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--base", "--user", "--collection"):
        arguments.add_argument(name, required=True)
    for name in ("--reader", "--stranger", "--known-gaps", "--only"):
        arguments.add_argument(name)
    arguments = arguments.parse_args()
    gaps = known_gaps(arguments.known_gaps)
    world = World(arguments)
    counts = {"ok": 0, "known gap": 0, "skipped": 0, "failed": 0}
    for name, test in TESTS:
        if arguments.only and arguments.only not in name:
            continue
        outcome, why = "ok", ""
        try:
            test(world)
            if name in gaps:
                outcome, why = "failed", "it is listed as a known gap and passes: remove the line"
        except Skipped as reason:
            outcome, why = "skipped", str(reason)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)
            line = next(frame.lineno for frame in place if frame.name == test.__name__)
            outcome, why = "failed", f"line {line}: {type(error).__name__}: {error}"
            if name in gaps:
                outcome, why = "known gap", gaps[name]
        counts[outcome] += 1
        if outcome == "skipped":
            print(f"skipped: {name}: {why}")
        else:
            print(f"{outcome:9} {name}" + (f": {why}" if why else ""))
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
