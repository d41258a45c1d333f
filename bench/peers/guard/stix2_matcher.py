"""The reference matcher on single comparisons: FILE has a pattern and the objects of an observation a line, as JSON.

Prints how many comparisons a second of CPU time it makes, and how often pattern and observation matched. Patterns are
parsed beforehand. It is measured with one observation at a time and with a hundred at once; the better of both counts.
"""

import json
import sys
import time
from importlib.metadata import version

from stix2matcher.matcher import Pattern

TIME = "2026-01-01T00:00:00Z"
AT_ONCE = 100


def bundle(number, objects):
    observed = {
        "type": "observed-data",
        "spec_version": "2.1",
        "id": f"observed-data--00000000-0000-4000-8000-{number:012}",
        "created": TIME,
        "modified": TIME,
        "first_observed": TIME,
        "last_observed": TIME,
        "number_observed": 1,
        "object_refs": [one["id"] for one in objects],
    }
    return {"type": "bundle", "id": f"bundle--00000000-0000-4000-8000-{number:012}", "objects": [observed, *objects]}


def main():
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    patterns = [Pattern(line["pattern"], stix_version="2.1") for line in lines]
    observed = [bundle(number, line["objects"]) for number, line in enumerate(lines)]
    count = len(lines)

    began = time.process_time()
    matched = 0
    for number, pattern in enumerate(patterns):
        for other in (number, (number + 1) % count):
            matched += bool(pattern.match([observed[other]]))
    one_at_a_time = 2 * count / (time.process_time() - began)

    began = time.process_time()
    tried = 0
    for number in range(0, count, AT_ONCE):
        some = observed[number : number + AT_ONCE]
        for pattern in patterns[number : number + 10]:
            pattern.match(some)
            tried += len(some)
    at_once = tried / (time.process_time() - began)

    print(
        json.dumps(
            {
                "version": "stix2-matcher " + version("stix2-matcher"),
                "rate": max(one_at_a_time, at_once),
                "matched": matched,
            }
        )
    )


main()
