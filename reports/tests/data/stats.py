"""Writes what other implementations find, for the tests of reports/src/stats to compare with.

    python3 -m venv venv && venv/bin/pip install scipy statsmodels lifelines arviz
    venv/bin/python reports/tests/data/stats.py

One file a subject, beside this one, each with the versions that made it. `null` stands for
what cannot be bounded.
"""

import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
ALTERNATIVES = ["less", "greater", "two-sided"]


def write(subject, cases, **versions):
    versions = {"numpy": np.__version__, "scipy": scipy.__version__} | versions
    lines = ",\n".join(f'  "{name}": [\n' + ",\n".join("    " + json.dumps(c) for c in of) + "\n  ]" for name, of in cases.items())
    text = '{\n  "versions": ' + json.dumps(versions) + ",\n" + lines + "\n}\n"
    json.loads(text)
    (HERE / f"{subject}.json").write_text(text)


def finite(values):
    return [None if v is None or not math.isfinite(v) else float(v) for v in values]


def distribution():
    z = [-37.0, -20.0, -8.0, -5.0, -3.0, -1.96, -1.0, -0.5, -1e-3, 0.0, 1e-9, 0.1, 0.7, 1.7, 2.5, 6.0, 12.0, 30.0]
    p = [1e-300, 1e-100, 1e-20, 1e-12, 1e-6, 1e-3, 0.01, 0.025, 0.05, 0.0749, 0.0751, 0.3, 0.5, 0.51, 0.92, 0.93, 0.975, 0.999, 1 - 1e-9]
    write("distribution", {
        "normal": [{"z": v, "at_most": stats.norm.cdf(v), "at_least": stats.norm.sf(v)} for v in z],
        "quantile": [{"p": v, "z": stats.norm.ppf(v)} for v in p],
        "chi_squared": [{"x": x, "degrees": k, "at_least": stats.chi2.sf(x, k)}
                        for k in [1, 2, 3, 4, 7, 10, 31, 100] for x in [1e-6, 0.01, 0.5, 1.0, 3.84, 9.0, 31.0, 120.0, 700.0]],
    })


def samples(rng, n, ties):
    values = rng.lognormal(size=n) * 3
    return [float(v) for v in (np.round(values) if ties else np.round(values, 6))]


def exact_rank_sum(a, b):
    """The p-values of all ways to choose: the conditional distribution of the rank sum."""
    ranks = stats.rankdata(a + b)
    seen = ranks[: len(a)].sum()
    sums = np.array([ranks[list(c)].sum() for c in itertools.combinations(range(len(ranks)), len(a))])
    low, high = np.mean(sums <= seen + 1e-9), np.mean(sums >= seen - 1e-9)
    return [low, high, min(1.0, 2 * min(low, high))]


def exact_signed_rank(d):
    d = [v for v in d if v != 0]
    if not d:
        return [1.0, 1.0, 1.0]
    ranks = stats.rankdata(np.abs(d))
    seen = ranks[np.array(d) > 0].sum()
    sums = np.array([ranks @ np.array(c) for c in itertools.product([0, 1], repeat=len(d))])
    low, high = np.mean(sums <= seen + 1e-9), np.mean(sums >= seen - 1e-9)
    return [low, high, min(1.0, 2 * min(low, high))]


def ways(items, size=None):
    """How many choices have which sum, in whole numbers."""
    table = {(0, 0): 1}
    for item in items:
        for (k, s), w in list(table.items()):
            table[k + 1, s + item] = table.get((k + 1, s + item), 0) + w
    return table


def rank_sum_ways(m, n):
    # R's cwilcox: the number of ways to a U, by the recursion over both sizes.
    memo = {}

    def count(m, n):
        if (m, n) not in memo:
            if m == 0 or n == 0:
                memo[m, n] = [1]
            else:
                a, b = count(m - 1, n), count(m, n - 1)
                memo[m, n] = [(a[u - n] if 0 <= u - n < len(a) else 0) + (b[u] if u < len(b) else 0) for u in range(m * n + 1)]
        return memo[m, n]

    return count(m, n)


def cut(ways, tail):
    """As qwilcox and qsignrank: how many have at most this much below, in whole numbers."""
    total, below, k = sum(ways), 0, 0
    for w in ways:
        below += w
        if below > tail * total * (1 + 1e-9):
            break
        k += 1
    return k


def interval(ordered, k):
    return [None, None] if k == 0 else [float(ordered[k - 1]), float(ordered[-k])]


def ranks():
    rng = np.random.default_rng(7)
    two, one = [], []
    for m, n, ties in [(3, 3, False), (4, 6, False), (6, 6, True), (3, 8, True), (7, 5, True), (12, 15, False), (30, 30, False), (50, 41, False), (60, 55, False), (70, 52, True), (51, 3, True)]:
        a, b = samples(rng, m, ties), samples(rng, n, ties)
        if m + n <= 16:
            how, p = "enumeration", exact_rank_sum(a, b)
        else:
            how = "asymptotic" if max(m, n) > 50 else "exact"
            p = [stats.mannwhitneyu(a, b, alternative=s, method=how).pvalue for s in ALTERNATIVES]
        found = []
        if max(m, n) <= 50:
            differences = sorted(x - y for x in a for y in b)
            found = [{"confidence": c, "interval": interval(differences, cut(rank_sum_ways(m, n), (1 - c) / 2))} for c in [0.8, 0.9, 0.95, 0.99]]
        two.append({"a": a, "b": b, "how": how, "p": p, "estimate": float(np.median(np.subtract.outer(a, b))), "intervals": found})
    for n, ties in [(1, False), (4, False), (6, True), (10, True), (12, True), (15, False), (50, False), (60, False), (75, True)]:
        d = [v - 3 for v in samples(rng, n, ties)]
        d = [round(v, 6) for v in d]
        if n <= 12:
            how, p = "enumeration", exact_signed_rank(d)
        else:
            how = "exact" if n <= 50 else "asymptotic"
            p = [stats.wilcoxon(d, alternative=s, method=how, correction=True, zero_method="wilcox").pvalue for s in ALTERNATIVES]
        walsh = sorted((d[i] + d[j]) / 2 for i in range(n) for j in range(i, n))
        found = []
        if n <= 50:
            table = [1]
            for item in range(1, n + 1):
                table = [(table[s] if s < len(table) else 0) + (table[s - item] if 0 <= s - item < len(table) else 0) for s in range(len(table) + item)]
            found = [{"confidence": c, "interval": interval(walsh, cut(table, (1 - c) / 2))} for c in [0.8, 0.9, 0.95, 0.99]]
        one.append({"d": d, "how": how, "p": p, "estimate": float(np.median(walsh)), "intervals": found})
    write("ranks", {"two": two, "one": one})


def spending():
    def obrien_fleming(alpha, t):
        return 2 - 2 * stats.norm.cdf(stats.norm.ppf(1 - alpha / 2) / math.sqrt(t))

    def pocock(alpha, t):
        return alpha * math.log(1 + (math.e - 1) * t)

    cases = []
    for alpha in [0.01, 0.025, 0.05]:
        for looks in [[5, 10], [4, 6, 9, 20], [10]]:
            for name, of in [("obrien-fleming", obrien_fleming), ("pocock", pocock)]:
                spent = [of(alpha, n / looks[-1]) for n in looks]
                cases.append({"spending": name, "alpha": alpha, "looks": looks, "spent": spent, "alpha_at": [float(v) for v in np.diff([0, *spent])]})
    write("spending", {"plans": cases})


if __name__ == "__main__":
    distribution()
    ranks()
    spending()
