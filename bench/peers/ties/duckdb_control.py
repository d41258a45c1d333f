"""All control pairs with DuckDB, in the form that the first option names.

    loop     the fixpoint as a loop of statements over temporary tables
    keyed    one recursive query with USING KEY, whose rows are replaced as votes are added

Standard SQL forbids aggregates in the recursive term, so these are the two ways there are. As many threads as cores.
"""

import duckdb

from common import arguments, tell, timed

KEYED = """
with recursive votes(x, c, v, joined) using key (x, c) as (
    select h, c, p, p > 5000 from ties where h <> c
  union
    select d.x, d.c, coalesce(r.v, 0) + d.v, coalesce(r.v, 0) <= 5000 and coalesce(r.v, 0) + d.v > 5000
    from (
        select w.x as x, t.c as c, sum(t.p)::integer as v
        from votes w join ties t on t.h = w.c where w.joined and t.c <> w.x group by all
    ) d left join recurring.votes r on r.x = d.x and r.c = d.c
)
select x, c from votes where v > 5000
"""


def keyed(database):
    return database.execute(KEYED).fetchnumpy()


def loop(database):
    run = database.execute
    run("create or replace temp table held as select h as x, c from ties where p > 5000 and h <> c")
    run("create or replace temp table grown as from held")
    run("create or replace temp table added (x integer, c integer, v integer)")
    while run("select count(*) from grown").fetchone()[0]:
        run(
            """create or replace temp table step as
            select g.x, t.c, sum(t.p)::integer as v from grown g join ties t on t.h = g.c
            where t.c <> g.x group by all"""
        )
        run("insert into added from step")
        run(
            """create or replace temp table grown as
            select s.x, s.c from (select x, c, sum(v) as v from added semi join step using (x, c) group by all) s
            left join ties t on t.h = s.x and t.c = s.c
            anti join held on held.x = s.x and held.c = s.c
            where s.v + coalesce(t.p, 0) > 5000"""
        )
        run("insert into held from grown")
    return run("from held").fetchnumpy()


path, runs, (form,) = arguments()
database = duckdb.connect()
database.execute(
    """create table ties as select h, c, sum(p)::integer as p
    from read_csv(?, header=false, columns={'h': 'INTEGER', 'c': 'INTEGER', 'p': 'INTEGER'}) group by all""",
    [path],
)
pairs, times = timed(lambda: {"loop": loop, "keyed": keyed}[form](database), runs)
tell(f"DuckDB {duckdb.__version__}, {form}", (pairs["x"], pairs["c"]), times)
