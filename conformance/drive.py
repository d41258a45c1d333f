#!/usr/bin/env python3
"""Runs every peer against a hub of the binary: drive.py BINARY [DATA]. `run.sh` prepares what it needs.

DATA is a folder with the public feeds; without it, the stock client has a generated bundle alone to compare. A peer that
cannot run prints `skipped: NAME: why`; with RINGFENCE_REQUIRE_PEERS=1 that is a failure.
"""
import importlib.util
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import uuid

from hub import Hub
from taxii_2_1 import indicator

HERE = pathlib.Path(__file__).resolve().parent
VERIFIER = HERE.parent / "crates" / "ledger" / "verify.py"
ATTACK = "stix/bundles/attack/enterprise-attack-18.1-rebuilt.json.xz"
AMNESTY = "stix/bundles/amnesty-investigations.tar.xz"


class Run:
    def __init__(self):
        self.failed, self.skipped = [], []

    def peer(self, name, command, fails=False, env=None):
        """Runs a peer; one that is given something false has to fail."""
        began = time.monotonic()
        print(f"-- {name}", flush=True)
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        output = done.stdout.decode(errors="replace")
        is_good = (done.returncode != 0) == fails
        if not fails or not is_good:
            print(output, end="")
        self.skipped += [line for line in output.splitlines() if line.startswith("skipped: ")]
        if not is_good:
            self.failed.append(name)
        wanted = "refuses, as it should" if fails else "passes"
        print(f"   {name} {wanted if is_good else 'FAILED'} ({time.monotonic() - began:.1f} s)", flush=True)

    def skip(self, name, why):
        self.skipped.append(f"skipped: {name}: {why}")
        print(self.skipped[-1], flush=True)


def has(module):
    return importlib.util.find_spec(module) is not None


def generated(folder):
    """A bundle with spellings that a server might be tempted to tidy up."""
    path = folder / "generated.json"
    texts = [indicator(number % 256, extra='"x_\\u0061":[1.0, 1e2 ,-0,"\\/","\\ud83d\\ude80"],') for number in range(1_500)]
    path.write_text('{"type":"bundle","id":"bundle--%s","objects":[\n%s\n]}' % (uuid.uuid4(), ",\n ".join(texts)))
    return path


def feeds(data, folder):
    """The public feeds, unpacked: bundles only."""
    attack, amnesty = folder / "attack", folder / "amnesty"
    attack.mkdir()
    with lzma.open(data / ATTACK) as packed, open(attack / "enterprise-attack.json", "wb") as plain:
        shutil.copyfileobj(packed, plain)
    amnesty.mkdir()
    with tarfile.open(data / AMNESTY) as archive:
        for entry in archive:
            if entry.isfile() and entry.name.endswith((".stix2", ".stix")):
                name = entry.name.replace("/", "_").rsplit(".", 1)[0] + ".json"
                (amnesty / name).write_bytes(archive.extractfile(entry).read())
    return attack, amnesty


def taxii(run, hub, folder, data):
    writer = hub.account("--member", hub.member("Pilot", "open", "programme"))
    reader = hub.account("--member", hub.member("Works", "open", "programme", kind="participant"))
    outsider = hub.account("--member", hub.member("Outsider", "open"))
    run.peer("taxii_2_1", [sys.executable, HERE / "taxii_2_1.py", "--base", hub.url, "--user", writer, "--reader",
                           reader, "--stranger", outsider,
                           "--collection", "indicators", "--known-gaps", HERE / "known-gaps.txt"])
    sources = [generated(folder)]
    if data is None:
        print("   the public feeds are not here: the stock client compares a generated bundle only", flush=True)
    else:
        sources += feeds(data, folder)
    if not has("taxii2client"):
        run.skip("taxii2_client", "taxii2-client is not installed")
        return
    began = time.monotonic()
    for source in sources:
        report = hub.cli("publish", "--to", "open", source, statuses=(0, 3))
        print(f"   published {report['accepted']} of {report['objects']} objects of {source.name}; "
              f"refused {report['refused']}", flush=True)
    print(f"   in {time.monotonic() - began:.1f} s", flush=True)
    run.peer("taxii2_client", [sys.executable, HERE / "taxii2_client.py", "--base", hub.url, "--user", writer,
                               "--collection", "open", "--submit", "indicators", *sources])


def ledger(run, hub, folder, older):
    url = hub.url + "/ledger"
    vkey = urllib.request.urlopen(url + "/vkey").read().decode().strip()
    assert vkey == hub.vkey, "the hub announces another key than it serves"
    receipt = folder / "receipt.tlog-proof"
    token = hub.token_file.read_text().strip()
    asked = urllib.request.Request(url + "/receipt/1", headers={"Authorization": f"Bearer {token}"})
    receipt.write_bytes(urllib.request.urlopen(asked).read())
    tampered = folder / "tampered.tlog-proof"
    tampered.write_text(receipt.read_text().replace("index 1\n", "index 2\n"))
    with tempfile.TemporaryDirectory(dir=folder) as other:
        with Hub(hub.binary, other) as stranger:
            false_vkey = stranger.vkey
            false_older = pathlib.Path(folder, "false-checkpoint")
            false_older.write_bytes(urllib.request.urlopen(stranger.url + "/ledger/checkpoint").read())
    judges = {}
    if has("cryptography"):
        judges["ledger_python"] = ([sys.executable, VERIFIER], "--older", "--receipt")
    else:
        run.skip("ledger_python", "cryptography is not installed")
    go = os.environ.get("RINGFENCE_LEDGER_GO")
    if go:
        judges["ledger_go"] = ([go], "-older", "-receipt")
    else:
        run.skip("ledger_go", "golang-go and golang-golang-x-mod-dev are not installed")
    for name, (command, older_flag, receipt_flag) in judges.items():
        run.peer(name, command + [older_flag, older, receipt_flag, receipt, url, vkey])
        run.peer(f"{name} with the key of another log", command + [url, false_vkey], fails=True)
        run.peer(f"{name} with a checkpoint of another log", command + [older_flag, false_older, url, vkey], fails=True)
        run.peer(f"{name} with a receipt for another entry", command + [receipt_flag, tampered, url, vkey], fails=True)


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    data = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if data is not None and not (data / ATTACK).exists():
        data = None
    run = Run()
    with tempfile.TemporaryDirectory(prefix="ringfence-conformance-") as folder:
        folder = pathlib.Path(folder)
        with Hub(binary, folder / "hub") as hub:
            older = folder / "older-checkpoint"
            older.write_bytes(urllib.request.urlopen(hub.url + "/ledger/checkpoint").read())
            taxii(run, hub, folder, data)
            ledger(run, hub, folder, older)
    for line in run.skipped:
        print(line)
    print(f"conformance: {len(run.failed)} failed, {len(run.skipped)} skipped" + "".join(f"\n  {n}" for n in run.failed))
    required = os.environ.get("RINGFENCE_REQUIRE_PEERS") == "1"
    return 1 if run.failed or (required and run.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
