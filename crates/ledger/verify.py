#!/usr/bin/env python3
"""Verifies a Ringfence ledger without any of Ringfence's code.

    verify.py LOG VKEY [--older CHECKPOINT] [--receipt TLOG_PROOF]

LOG is a folder or URL with `checkpoint` and `tile/` below it (C2SP tlog-tiles). VKEY is the log's public key, got from
somebody you trust. Every entry, every tile and the signed root are checked; with --older, that the log continues that
checkpoint; with --receipt, that the receipt proves its entry. Needs Python 3.8 and `cryptography` (for Ed25519).
"""
import argparse
import base64
import functools
import hashlib
import pathlib
import sys
import urllib.error
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

decode = functools.partial(base64.b64decode, validate=True)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(hashes):
    """The RFC 6962 root: join neighbours, level by level; an odd last one moves up as it is."""
    while len(hashes) > 1:
        joined = [sha256(b"\x01", hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = joined + hashes[len(joined) * 2:]
    return hashes[0] if hashes else sha256()


def read(log, path):  # None if there is no such file
    try:
        if log.startswith(("http://", "https://")):
            return urllib.request.urlopen(log.rstrip("/") + "/" + path).read()
        return pathlib.Path(log, path).read_bytes()
    except (FileNotFoundError, urllib.error.HTTPError) as error:
        if getattr(error, "code", 404) == 404:
            return None
        raise


def read_tiles(log, level, count):
    """The tiles of one level over `count` items: path, width in this log, width of what was read, bytes."""
    for index in range(-(-count // 256)):
        width = min(256, count - index * 256)
        *groups, last = (group.zfill(3) for group in f"{index:,}".split(","))
        full = "/".join([f"tile/{level}", *("x" + group for group in groups), last])
        path = full if width == 256 else f"{full}.p/{width}"
        data, got_width = read(log, path), width
        if data is None and width < 256:  # a partial tile may be gone once the full one is there
            data, got_width = read(log, full), 256
        if data is None:
            raise ValueError(f"`{path}` is missing")
        yield path, width, got_width, data


def open_checkpoint(data, vkey):
    """Checks the log's signature and returns (origin, size, root)."""
    name, key_id, key = vkey.strip().split("+", 2)
    key = decode(key)
    if len(key) != 33 or key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
        raise ValueError("the vkey is not an Ed25519 key with its id")
    text, blank, lines = data.decode("utf-8").rpartition("\n\n")
    signed = False
    for dash, signer, blob in (line.split(" ") for line in lines.split("\n")[:-1]):
        blob = decode(blob)
        if (dash, signer, blob[:4].hex()) == ("\u2014", name, key_id):
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], text.encode() + b"\n")
            signed = True
    origin, size, top = text.split("\n")[:3] if signed and blank else ("", "", "")
    if origin != name or not size.isascii() or not size.isdigit():
        raise ValueError("the checkpoint is not signed by this key, or not of its log")
    return origin, int(size), decode(top)


def check_tiles(log, size):
    """Reads every entry, grows the tree from them, compares every tile; returns the leaf hashes and a count."""
    leaves, count, level = [], 0, 0
    for path, width, got_width, bundle in read_tiles(log, "entries", size):
        at, got = 0, []
        while at < len(bundle):
            start, at = at + 2, at + 2 + int.from_bytes(bundle[at:at + 2], "big")
            got.append(sha256(b"\x00", bundle[start:at]))
        if at != len(bundle) or len(got) != got_width:
            raise ValueError(f"`{path}` does not hold {got_width} entries")
        leaves += got[:width]
    hashes = leaves
    while hashes:
        for index, (path, _, got_width, data) in enumerate(read_tiles(log, level, len(hashes))):
            if len(data) != got_width * 32 or not data.startswith(b"".join(hashes[index * 256:index * 256 + 256])):
                raise ValueError(f"`{path}` does not fit the entries")
            count += 1
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return leaves, count


def check_receipt(text, vkey):
    """Checks a C2SP tlog-proof whose `extra` is a Ringfence opening; returns (index, size, the entry's body)."""
    head, _, checkpoint = text.partition("\n\n")
    header, extra, index, *proof = head.split("\n")
    if (header, extra[:6], index[:6]) != ("c2sp.org/tlog-proof@v1", "extra ", "index "):
        raise ValueError("the receipt is malformed")
    opening, index = decode(extra[6:]), int(index[6:])
    _, size, top = open_checkpoint(checkpoint.encode(), vkey)
    at, last, up = index, size - 1, sha256(b"\x00", sha256(b"ringfence-entry-v1\n", opening))
    for sibling in map(decode, proof):  # RFC 9162 §2.1.3.2
        if len(sibling) != 32 or last <= 0:
            raise ValueError("the receipt has too many hashes, or a malformed one")
        alone = at == last
        up = sha256(b"\x01", sibling, up) if alone or at % 2 else sha256(b"\x01", up, sibling)
        while alone and at % 2 == 0:  # the last of an odd level moved up without a sibling
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    if not 0 <= index < size or last != 0 or up != top:
        raise ValueError("the receipt does not lead to the signed root")
    return index, size, opening[32:].decode()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("log", "vkey", "--older", "--receipt"):
        arguments.add_argument(name)
    args = arguments.parse_args()
    origin, size, top = open_checkpoint(read(args.log, "checkpoint") or b"", args.vkey)
    leaves, tiles = check_tiles(args.log, size)
    if root(leaves) != top:
        raise ValueError("the root over the entries is not the signed one")
    print(f"{origin}: {size} entries, {tiles} tiles, root {base64.b64encode(top).decode()}")
    if args.older:
        _, older_size, older_top = open_checkpoint(read("", args.older) or b"", args.vkey)
        if older_size > size or root(leaves[:older_size]) != older_top:
            raise ValueError(f"the log does not continue the older checkpoint of {older_size} entries")
        print(f"continues the older checkpoint of {older_size} entries")
    if args.receipt:
        receipt = (read("", args.receipt) or b"").decode()
        print("the receipt proves entry {} of {}: {}".format(*check_receipt(receipt, args.vkey)))


if __name__ == "__main__":
    try:
        main()
    except (InvalidSignature, ValueError, OSError) as error:
        sys.exit(f"verify.py: {str(error) or 'a signature by this key is false'}")
