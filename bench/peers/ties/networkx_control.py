"""All control pairs with networkx: a worklist for each holder over a graph in Python's dictionaries."""

import gc

import networkx as nx
import numpy as np

from common import HALF, arguments, read, tell, timed


def control(graph):
    adjacency = graph.adj
    pairs = []
    for source in graph:
        if not adjacency[source]:
            continue
        votes, work, held = {}, [source], {source}
        while work:
            for company, tie in adjacency[work.pop()].items():
                if company in held:
                    continue
                count = votes.get(company, 0) + tie["p"]
                votes[company] = count
                if count > HALF:
                    held.add(company)
                    work.append(company)
                    pairs.append((source, company))
    return pairs


path, runs, _ = arguments()
graph = nx.DiGraph()
graph.add_weighted_edges_from(zip(*(column.tolist() for column in read(path))), weight="p")
gc.freeze()
pairs, times = timed(lambda: control(graph), runs)
found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
tell(f"networkx {nx.__version__}", (found[:, 0], found[:, 1]), times)
