# SPDX-License-Identifier: BSL-1.0
#
# Interleaving, and what is made of it. Every round runs all servers once, in random order; ratios are
# taken inside a round and their median is reported, because the speed of a machine drifts by tens of
# per cent within minutes while the two runs of one round drift together.
import random
import statistics

KEYS = ("rps", "p50_us", "p99_us", "cpu_us", "user_us", "sys_us", "server_util", "load_util",
        "foreign_util", "rss_kb", "hwm_kb")
# Of some kinds of load only.
MORE_KEYS = ("lost", "late", "connections", "quiet_p50_us", "quiet_p99_us", "p99_growth", "poured_mib")


def interleave(names, options, run_one, progress):
    """Runs of every name: at least options.rounds, more while the ratios to the first one spread."""
    runs = {name: [] for name in names}
    base = names[0]
    for done in range(1, max(options.rounds, options.max_rounds) + 1):
        for name in random.sample(names, len(names)):
            runs[name].append(run_one(name))
            progress()
        if done >= options.rounds and all(
                spread(paired(runs[name], runs[base], "cpu_us")) <= options.stable for name in names):
            break
    return runs


def paired(mine, base, key):
    """The ratios of mine to base, round by round."""
    return [m[key] / b[key] for m, b in zip(mine, base) if b[key]]


def spread(values):
    """Half the interquartile range over the median."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle if middle else 0.0


def summary(runs):
    """The median of every figure, a row a server."""
    return [dict(name=name, rounds=len(each),
                 **{key: statistics.median(run[key] for run in each) for key in KEYS + MORE_KEYS
                    if all(key in run for run in each)})
            for name, each in runs.items()]


def ratio(runs, mine, base, key):
    values = paired(runs[mine], runs[base], key)
    if not values:
        return None
    return dict(median=statistics.median(values), spread=spread(values), low=min(values),
                high=max(values))


def ratios(runs, mine):
    """How the server `mine` compares with every other one."""
    return [dict(of=mine, to=base, cpu=ratio(runs, mine, base, "cpu_us"),
                 rps=ratio(runs, mine, base, "rps"), p50=ratio(runs, mine, base, "p50_us"),
                 p99=ratio(runs, mine, base, "p99_us"), rss=ratio(runs, mine, base, "rss_kb"))
            for base in runs if base != mine]
