"""What the Python peers share: reading a graph of ties, taking the time, telling the answer.

A program is called as `PROGRAM GRAPH RUNS`; the graph has lines of `holder,company,basis points`. It prints one line of
JSON, which bench/src/ties/peers.rs reads. CPU time is the process's own, from rusage, the median of the runs; reading the
graph is not counted, and neither is counting the answer.
"""

import gc
import json
import resource
import statistics
import sys
import time

import numpy as np

HALF = 5_000


def read(path):
    """The graph as three arrays: holders, companies, basis points."""
    with open(path, "rb") as file:
        numbers = np.fromstring(file.read().replace(b"\n", b","), dtype=np.int32, sep=",")
    return tuple(np.ascontiguousarray(column) for column in numbers.reshape(-1, 3).T)


def checksum(holders, companies):
    """The xor of a mix of each pair."""
    key = (holders.astype(np.uint64) << np.uint64(32)) | companies.astype(np.uint64)
    key *= np.uint64(0x9E3779B97F4A7C15)
    key ^= key >> np.uint64(29)
    key *= np.uint64(0xBF58476D1CE4E5B9)
    return f"{np.bitwise_xor.reduce(key) if len(key) else 0:016x}"


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mb():
    """Not ru_maxrss, which would tell the starting process's memory, too."""
    with open("/proc/self/status") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return kilobytes * 1024 / 1e6


def timed(work, runs):
    """What the work gave, with its median CPU and wall times in milliseconds."""
    spent, took, found = [], [], None
    for _ in range(runs):
        found = None
        gc.collect()
        before, begun = cpu(), time.perf_counter()
        found = work()
        took.append((time.perf_counter() - begun) * 1e3)
        spent.append((cpu() - before) * 1e3)
    return found, {"cpu_ms": statistics.median(spent), "wall_ms": statistics.median(took), "peak_mb": peak_mb()}


def arguments():
    _, graph, runs, *rest = sys.argv
    return graph, int(runs), rest


def tell(version, pairs, times, **more):
    holders, companies = pairs
    answer = {"version": version, "pairs": len(holders), "checksum": checksum(holders, companies)}
    print(json.dumps(answer | times | more))
