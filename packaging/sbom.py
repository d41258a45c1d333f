#!/usr/bin/env python3
"""The bill of materials of the program, as CycloneDX 1.5 on standard output.

It is what Cargo.lock and the crates' own manifests say: every crate that is compiled into the program or runs while it is
built, with version, licence, checksum and what it depends on. Crates that only tests use are no part of it. The same tree
gives the same bytes.
"""

import json
import os
import subprocess
import sys
import tomllib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TARGET = "x86_64-unknown-linux-gnu"


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    with open(os.path.join(ROOT, "Cargo.lock"), "rb") as file:
        lock = tomllib.load(file)
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}

    def name(identifier):
        package = packages[identifier]
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def needs(identifier):
        """What it depends on but for tests."""
        return sorted(
            dependency["pkg"]
            for dependency in nodes[identifier]["deps"]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        )

    program = next(i for i in metadata["workspace_members"] if packages[i]["name"] == "ringfence")
    seen, waiting = set(), [program]
    while waiting:
        identifier = waiting.pop()
        if identifier not in seen:
            seen.add(identifier)
            waiting.extend(needs(identifier))

    def component(identifier):
        package = packages[identifier]
        entry = {
            "type": "application" if identifier == program else "library",
            "bom-ref": name(identifier),
            "name": package["name"],
            "version": package["version"],
            "purl": name(identifier),
        }
        if package["license"]:
            # Before SPDX had expressions, crates wrote a slash for "or".
            entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return entry

    json.dump(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {"component": component(program)},
            "components": [component(i) for i in sorted(seen - {program}, key=name)],
            "dependencies": [
                {"ref": name(i), "dependsOn": sorted(map(name, needs(i)))} for i in sorted(seen, key=name)
            ],
        },
        sys.stdout,
        indent=1,
    )
    print()


main()
