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


def normal_cut(mean, variance, tail):
    return max(0, math.floor(mean + stats.norm.ppf(tail) * math.sqrt(variance) - 0.5) + 1)


def interval(ordered, k):
    return [None, None] if k == 0 else [float(ordered[k - 1]), float(ordered[-k])]


def ranks():
    rng = np.random.default_rng(7)
    two, one = [], []
    for m, n, ties in [(3, 3, False), (4, 6, False), (6, 6, True), (3, 8, True), (7, 5, True), (12, 15, False), (30, 30, False), (50, 41, False), (60, 55, False), (70, 52, True), (51, 3, True), (4, 60, False), (2, 290, False), (2, 291, False)]:
        a, b = samples(rng, m, ties), samples(rng, n, ties)
        counted = (m + n) ** 3 * min(m, n) <= 100**3 * 50
        if math.comb(m + n, m) < 30_000:
            how, p = "enumeration", exact_rank_sum(a, b)
        else:
            how = "exact" if counted else "asymptotic"
            p = [stats.mannwhitneyu(a, b, alternative=s, method=how).pvalue for s in ALTERNATIVES]
        differences = sorted(x - y for x in a for y in b)
        table = rank_sum_ways(m, n) if counted else None
        k = {c: cut(table, (1 - c) / 2) if counted else normal_cut(m * n / 2, m * n * (m + n + 1) / 12, (1 - c) / 2) for c in [0.8, 0.9, 0.95, 0.99]}
        found = [{"confidence": c, "interval": interval(differences, k)} for c, k in k.items()]
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
        k = {c: normal_cut(n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24, (1 - c) / 2) for c in [0.8, 0.9, 0.95, 0.99]}
        if n <= 50:
            table = [1]
            for item in range(1, n + 1):
                table = [(table[s] if s < len(table) else 0) + (table[s - item] if 0 <= s - item < len(table) else 0) for s in range(len(table) + item)]
            k = {c: cut(table, (1 - c) / 2) for c in k}
        found = [{"confidence": c, "interval": interval(walsh, k)} for c, k in k.items()]
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


def proportion():
    intervals = [{"k": k, "n": n, "interval": [float(v) for v in stats.binomtest(k, n).proportion_ci(0.95, "exact")]}
                 for n in [1, 2, 5, 6, 12, 59, 300, 5000] for k in sorted({0, 1, n // 3, n - 1, n})]
    tails = [{"k": k, "n": n, "p": p, "at_least": float(stats.binom.sf(k - 1, n, p))}
             for n, p in [(6, 0.1), (20, 0.5), (59, 0.05), (400, 0.3)] for k in sorted({0, 1, n // 4, n // 2, n}) if stats.binom.sf(k - 1, n, p) > 1e-5]
    write("proportion", {"intervals": intervals, "at_least": tails})


def holm():
    import statsmodels
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(3)
    families = [[0.01, 0.02, 0.03, 0.04, 0.05], [0.05], [0.5, 0.5, 0.001, 0.001], [0.0, 1.0, 0.2]]
    families += [[round(float(p), 6) for p in rng.beta(0.4, 2, size=n)] for n in [3, 7, 20]]
    write("holm", {"families": [{"p": p, "adjusted": [float(v) for v in multipletests(p, method="holm")[1]]} for p in families]},
          statsmodels=statsmodels.__version__)


def bootstrap():
    rng = np.random.default_rng(11)

    def mean(x, axis):
        return np.mean(x, axis=axis)

    def variance(x, axis):
        return np.var(x, axis=axis)

    def ratio(x, y, axis):
        return np.mean(x, axis=axis) / np.mean(y, axis=axis)

    def slope(x, y, axis):
        return np.mean(x * y, axis=axis) / np.mean(x * x, axis=axis)

    cases = []
    x, y, z = rng.lognormal(size=25), rng.exponential(size=30) + 0.5, rng.normal(size=25)
    for name, data, statistic, paired, confidence, resamples in [
        ("mean", (x,), mean, False, 0.95, 499),
        ("variance", (x,), variance, False, 0.8, 499),
        ("variance of normal", (z,), variance, False, 0.95, 999),
        ("ratio of two", (x, y), ratio, False, 0.95, 499),
        ("slope of pairs", (x, z + 2 * x), slope, True, 0.8, 399),
    ]:
        found = stats.bootstrap(data, statistic, n_resamples=resamples, method="BCa", paired=paired,
                                vectorized=True, confidence_level=confidence, rng=rng)
        if paired:
            n = len(data[0])
            without = [[float(statistic(*[np.delete(d, k) for d in data], axis=-1)) for k in range(n)]]
        else:
            without = [[float(statistic(*[np.delete(d, k) if i == j else d for j, d in enumerate(data)], axis=-1)) for k in range(len(data[i]))]
                       for i in range(len(data))]
        cases.append({"statistic": name, "confidence": confidence, "of_all": float(statistic(*data, axis=-1)), "without": without,
                      "interval": [float(v) for v in found.confidence_interval], "redrawn": [float(v) for v in found.bootstrap_distribution]})
    write("bootstrap", {"bca": cases})


def effective():
    import arviz

    rng = np.random.default_rng(5)
    cases = []
    for phi, n in [(0.0, 4), (0.0, 5), (0.5, 6), (0.3, 20), (0.5, 101), (0.9, 200), (-0.5, 150), (0.0, 240), (0.95, 60)]:
        values = [float(rng.normal())]
        for _ in range(n - 1):
            values.append(phi * values[-1] + float(rng.normal()))
        values = np.round(values, 4)
        size = float(arviz.ess(values[None, :], method="identity"))
        cases.append({"phi": phi, "values": [float(v) for v in values], "size": size, "standard_error": float(np.std(values, ddof=1) / math.sqrt(size))})
    write("effective", {"series": cases}, arviz=arviz.__version__)


def survival():
    import lifelines
    from lifelines.statistics import logrank_test, multivariate_logrank_test
    from lifelines.utils import qth_survival_time

    rng = np.random.default_rng(9)

    def draw(n, scale, until, whole):
        t = rng.exponential(scale, size=n)
        t = np.ceil(t * 2) if whole else np.round(t, 3)
        return np.minimum(t, until), t <= until

    curves, tests = [], []
    for n, scale, until, whole, confidence in [(6, 2, 4, False, 0.95), (12, 3, 9, True, 0.95), (20, 5, 8, False, 0.9), (40, 5, 20, True, 0.99), (59, 1, 2.5, False, 0.95)]:
        times, ended = draw(n, scale, until, whole)
        times, ended = list(times) + [until + 1.0], list(ended) + [False]
        fitted = lifelines.KaplanMeierFitter(alpha=1 - confidence).fit(times, ended)
        both = fitted.confidence_interval_
        steps = [{"at": float(at), "survival": float(fitted.survival_function_.loc[at].iloc[0]), "interval": [float(v) for v in both.loc[at]]}
                 for at in sorted({t for t, e in zip(times, ended) if e})]
        quantiles = [{"q": q, "quantile": finite([fitted.percentile(1 - q + 1e-9)])[0],
                      "interval": finite([qth_survival_time(1 - q, both.iloc[:, k]) for k in [0, 1]])} for q in [0.25, 0.5, 0.9]]
        curves.append({"times": [float(t) for t in times], "ended": [bool(e) for e in ended], "confidence": confidence, "steps": steps, "quantiles": quantiles})
    for sizes, whole in [((6, 6), False), ((10, 14), True), ((9, 8, 12), False), ((20, 15, 10, 25), True)]:
        groups = [draw(n, 2 + k, 6, whole) for k, n in enumerate(sizes)]
        times, ended = (np.concatenate(c) for c in zip(*groups))
        found = multivariate_logrank_test(times, np.repeat(range(len(sizes)), sizes), ended)
        if len(groups) == 2:
            two = logrank_test(groups[0][0], groups[1][0], groups[0][1], groups[1][1])
            assert abs(two.test_statistic - found.test_statistic) < 1e-9
        tests.append({"groups": [{"times": [float(v) for v in t], "ended": [bool(v) for v in e]} for t, e in groups],
                      "chi_squared": float(found.test_statistic), "p": float(found.p_value)})
    write("survival", {"curves": curves, "log_rank": tests}, lifelines=lifelines.__version__)


def power():
    """Simulated, with normal noise: good to three digits."""
    rng = np.random.default_rng(13)
    cases = []
    for design, n, shift, alpha, alternative in [("two", 6, 1.5, 0.05, "two-sided"), ("two", 12, 1.0, 0.05, "two-sided"), ("two", 12, 1.0, 0.05, "greater"),
                                                 ("two", 20, 0.5, 0.1, "greater"), ("pairs", 8, 1.0, 0.05, "two-sided"), ("pairs", 15, 0.6, 0.05, "greater")]:
        rounds = 20000
        if design == "two":
            a, b = rng.normal(size=(rounds, n)) + shift, rng.normal(size=(rounds, n))
            p = stats.mannwhitneyu(a, b, axis=1, alternative=alternative, method="exact").pvalue
        else:
            p = stats.wilcoxon(rng.normal(size=(rounds, n)) + shift, axis=1, alternative=alternative, method="exact").pvalue
        cases.append({"design": design, "n": n, "shift": shift, "alpha": alpha, "alternative": alternative, "power": float(np.mean(p <= alpha + 1e-12))})
    write("power", {"power": cases})


if __name__ == "__main__":
    for subject in [distribution, ranks, spending, proportion, holm, bootstrap, effective, survival, power]:
        subject()
