"""All control pairs and the look-through with scipy's sparse matrices.

Control: votes V = (I + C) W for what is controlled so far, C; what is above half joins C. Only the rows that grew in the
last step are multiplied in the next. Look-through: y = s + W'y by iteration, with the holders asked about held at 1, until
nothing moves by more than 1e-12.

A second argument is a file of the holders asked about, one node a line.
"""

import numpy as np
import scipy
import scipy.sparse as sp

from common import HALF, arguments, read, tell, timed


def above(votes, rows):
    """The pairs above half, without a holder's own."""
    found = votes.copy()
    found.data = (found.data > HALF).astype(np.int32)
    found = found.tocoo()
    keep = (found.data > 0) & (rows[found.row] != found.col)
    return sp.csr_matrix((found.data[keep], (found.row[keep], found.col[keep])), shape=found.shape)


def pairs_of(matrix, rows):
    found = matrix.tocoo()
    return rows[found.row], found.col


def control(weights):
    rows = np.arange(weights.shape[0])
    votes = weights
    new = held = above(votes, rows)
    answer = [pairs_of(new, rows)]
    while True:
        active = np.flatnonzero(np.diff(new.indptr))
        if not len(active):
            break
        rows, votes, held, new = rows[active], votes[active], held[active], new[active]
        votes = votes + new @ weights
        new = above(votes, rows)
        new = new - new.multiply(held)
        new.eliminate_zeros()
        held = held + new
        answer.append(pairs_of(new, rows))
    return tuple(np.concatenate(column) for column in zip(*answer))


def look_through(shares, asked):
    """Everybody's sum over the holders asked about; they themselves stay at 1."""
    start = np.zeros(shares.shape[0])
    start[asked] = 1
    now = start
    while True:
        then = shares @ now
        then[asked] = 1
        if np.abs(then - now).max() <= 1e-12:
            return then
        now = then


path, runs, rest = arguments()
holders, companies, points = read(path)
nodes = int(max(holders.max(), companies.max())) + 1
weights = sp.csr_matrix((points.astype(np.int32), (holders, companies)), shape=(nodes, nodes))
pairs, times = timed(lambda: control(weights), runs)
more = {}
if rest:
    asked = np.loadtxt(rest[0], dtype=np.int64, ndmin=1)
    asked = asked[asked < nodes]
    shares = sp.csr_matrix((points / 1e4, (companies, holders)), shape=(nodes, nodes))
    sums, through = timed(lambda: look_through(shares, asked), runs)
    more = {"look_through_sum": float(sums.sum()), "look_through_cpu_ms": through["cpu_ms"]}
tell(f"scipy {scipy.__version__}", pairs, times, **more)
