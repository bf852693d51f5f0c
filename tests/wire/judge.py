"""Kinds of violations, and tests of whether anything about a close tells them apart, or is constant.

Ranks alone are compared, so nothing is assumed of the machine's delays but that they do not depend
on the kind. Each single test fails by chance in one of a million runs: over all that scripts/violations
makes, in less than one of a thousand runs.
"""
import itertools
import math
import random
import statistics
import sys

CHANCE = 1e-6  # of each test
EQUAL = 0.02  # seconds within which two times count as equal
LATE = 60  # seconds that a busy machine may add to a single close

# Bytes of a frame, and what is flipped in them; CHECKSUM is the XOR of LENGTH, CODE and SEQ.
BENT = {
    "CODE": {7: 2, 15: 2},
    "SEQ": {11: 1, 15: 1},
    "CHECKSUM": {15: 1},
    "payload": {16: 1},
    "MAC": {-1: 1},
    "LENGTH, 1 KiB": {2: 4, 14: 4},
    "LENGTH, 512 KiB": {1: 8, 13: 8},
}


def bend(frame, kind):
    bent = bytearray(frame)
    for at, bits in BENT[kind].items():
        bent[at] ^= bits
    return bytes(bent)


# ---- Ranks ----

def ranks_of(samples):
    """The ranks of several samples put together, ties sharing theirs; and the sum of t³ - t over ties."""
    order = sorted((value, i) for i, sample in enumerate(samples) for value in sample)
    ranks, ties, at = [[] for _ in samples], 0, 0
    for _, group in itertools.groupby(order, key=lambda pair: pair[0]):
        group = list(group)
        n = len(group)
        for _, i in group:
            ranks[i].append(at + (n + 1) / 2)
        at, ties = at + n, ties + n ** 3 - n
    return ranks, ties


def chi_square_exceeds(x, freedom):
    """The chance of x or more."""
    half = x / 2
    if freedom % 2 == 0:
        return math.exp(-half) * sum(half ** i / math.factorial(i) for i in range(freedom // 2))
    return math.erfc(half ** 0.5) + math.exp(-half) * sum(
        half ** (i - 0.5) / math.gamma(i + 0.5) for i in range(1, (freedom + 1) // 2))


def kruskal_wallis(samples):
    """The chance of differences like these between samples of one law."""
    ranks, ties = ranks_of(samples)
    n = sum(map(len, samples))
    if ties == n ** 3 - n:
        return 1.0
    h = 12 / (n * (n + 1)) * sum(sum(r) ** 2 / len(r) for r in ranks) - 3 * (n + 1)
    return chi_square_exceeds(max(h / (1 - ties / (n ** 3 - n)), 0), len(samples) - 1)


def mann_whitney(a, b):
    """The same for two."""
    (ranks, _), ties = ranks_of([a, b])
    n = len(a) + len(b)
    if ties == n ** 3 - n:
        return 1.0
    variance = len(a) * len(b) / 12 * (n + 1 - ties / (n * (n - 1)))
    z = (sum(ranks) - len(a) * (n + 1) / 2) / variance ** 0.5
    return math.erfc(abs(z) / 2 ** 0.5)


# ---- Constants ----

def poisson_exceeds(mean, count):
    """The chance of count or more."""
    term = math.exp(-mean)
    below = 0.0
    for i in range(count):
        below += term
        term *= mean / (i + 1)
    # Far out the rest of the series is exact, where 1 - below is not.
    rest = sum(itertools.accumulate((mean / (count + i) for i in range(1, 60)), lambda a, b: a * b,
                                    initial=1.0)) * term
    return min(1 - below, rest) if rest < 1 else 1 - below


def most_equal(times):
    """How many times lie within EQUAL of each other at most."""
    times, first, most = sorted(times), 0, 0
    for last, time in enumerate(times):
        while time - times[first] > EQUAL:
            first += 1
        most = max(most, last - first + 1)
    return most


def equal_by_chance(times, width):
    """The chance that so many times drawn within `width` are equal. Twice the density is allowed: a
    busy machine's delays are uneven."""
    return min(1.0, len(times) * poisson_exceeds(2 * len(times) * EQUAL / width, most_equal(times)))


# ---- Together ----

def told_apart(samples, what):
    """Which kinds differ: Kruskal and Wallis over all, Mann and Whitney for each two."""
    found = []
    chance = kruskal_wallis(list(samples.values()))
    if chance < CHANCE:
        found.append(f"{what} tells the kinds (Kruskal-Wallis, p = {chance:.1e})")
    for one, other in itertools.combinations(sorted(samples), 2):
        chance = mann_whitney(samples[one], samples[other])
        if chance < CHANCE:
            found.append(f"{what} tells '{one}' from '{other}' (Mann-Whitney, p = {chance:.1e})")
    return found


def judge_times(times, least, most):
    """What tells the kinds, or shows a constant; times: for each kind, of the close; drawn between
    least and most."""
    everything = [t for all_ in times.values() for t in all_]
    found = told_apart(times, "the time of the close")
    if statistics.stdev(everything) < 0.7 * (most - least) / 12 ** 0.5:
        found.append("all close after a constant")
    for kind, mine in [*times.items(), ("all", everything)]:
        if equal_by_chance(mine, most - least) < CHANCE:
            found.append(f"{kind}: {most_equal(mine)} of {len(mine)} times are equal")
        if min(mine) < least - 0.3 or max(mine) > most + LATE:
            found.append(f"{kind}: closes between {min(mine):.3f} and {max(mine):.3f} s")
    return found


def summary(times):
    """A line for each kind, then what the tests say."""
    for kind, mine in sorted(times.items()):
        yield (f"{kind:16} {len(mine):4} closes after {statistics.fmean(mine):.3f} s "
               f"(deviation {statistics.stdev(mine):.3f}, {min(mine):.3f} to {max(mine):.3f})")
    pairs = itertools.combinations(times.values(), 2)
    everything = [t for mine in times.values() for t in mine]
    yield (f"Kruskal-Wallis p = {kruskal_wallis(list(times.values())):.3f}, least of Mann-Whitney "
           f"p = {min(mann_whitney(a, b) for a, b in pairs):.4f}, at most {most_equal(everything)} of "
           f"{len(everything)} times within {EQUAL * 1000:.0f} ms")


def check_tests():
    """The tests themselves must find what they are for, and nothing else."""
    least, most = 0.3, 2.8
    draw = lambda a, b: [random.uniform(a, b) for _ in range(200)]
    planted = {
        "sooner": {"SEQ": draw(least, least + 0.6 * (most - least))},
        "a little later": {"MAC": draw(least + 0.7, most + 0.7)},
        "constant": {kind: [random.gauss(1.5, 0.2) for _ in range(200)] for kind in BENT},
        "a third equal": {"payload": draw(least, most)[:130] + [random.gauss(1.0, 0.002)
                                                                for _ in range(70)]},
    }
    for _ in range(20):
        fair = {kind: draw(least, most) for kind in BENT}
        if found := judge_times(fair, least, most):
            sys.exit(f"violations: the tests find what is not there: {found}")
    for name, changed in planted.items():
        if not judge_times(dict(fair, **changed), least, most):
            sys.exit(f"violations: the tests do not find '{name}'")
