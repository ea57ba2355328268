"""How well scores tell pairs with the same answer from the others: what
`deepprune judge eval` reports, in the same definitions (eval/separation.go)."""

import numpy as np


def roc(scores, same):
    """The curve (missed, recognised, thresholds): of the pairs with the same
    answer the share at or below each threshold, and of the others. It starts at
    (0, 0) with the threshold -inf and has a point for every different score."""
    thresholds, at = np.unique(scores, return_inverse=True)
    missed = np.bincount(at, same, len(thresholds)).cumsum() / same.sum()
    recognised = np.bincount(at, ~same, len(thresholds)).cumsum() / (~same).sum()
    start = np.zeros(1)
    return np.append(start, missed), np.append(start, recognised), np.append(-np.inf, thresholds)


def auroc(scores, same):
    """Probability that a same pair outscores a different pair, ties counting half."""
    missed, recognised, _ = roc(scores, same)
    return np.trapezoid(recognised, missed)


def tnr(scores, same, fnr=0.2):
    """Share of the different pairs that is recognised when `fnr` of the same
    pairs is missed; between two points of the curve, interpolated."""
    missed, recognised, _ = roc(scores, same)
    i = np.searchsorted(missed, fnr, side="right") - 1
    if missed[i] == fnr or i + 1 == len(missed):
        return recognised[i]
    return recognised[i] + (recognised[i + 1] - recognised[i]) * (fnr - missed[i]) / (missed[i + 1] - missed[i])


def threshold(scores, same, fnr=0.2):
    """The highest score that misses at most `fnr` of the same pairs, if what is
    above it counts as the same; 0 if even the lowest misses more."""
    missed, _, thresholds = roc(scores, same)
    return max(0.0, thresholds[np.searchsorted(missed, fnr, side="right") - 1])


def separation(scores, same, questions=None):
    """AUROC and TNR at FNR 0.2 of all pairs, and their means over the questions
    that have pairs of both kinds; None where they are not known. questions: of
    each pair, what it is a pair of."""
    figures = dict.fromkeys(("auroc", "tnr", "within_auroc", "within_tnr"))
    figures["pairs"] = len(scores)
    if 0 < same.sum() < len(same):
        figures["auroc"], figures["tnr"] = float(auroc(scores, same)), float(tnr(scores, same))
    within = []
    for indices in grouped(questions if questions is not None else []).values():
        s, y = scores[indices], same[indices]
        if 0 < y.sum() < len(y):
            within.append((auroc(s, y), tnr(s, y)))
    if within:
        figures["within_auroc"], figures["within_tnr"] = np.mean(within, axis=0).tolist()
    return figures


def grouped(keys):
    """The indices of each key."""
    groups = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return groups
