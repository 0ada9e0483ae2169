"""Reference formulas of the losses in float64, by loops, as their papers write them.

Each takes student and teacher [N, C, H, W] and a mask [N, H, W], or labels with -1 in its place.
"""

import math

import numpy as np


def distribution(x):
    exp = np.exp(x - x.max())
    return exp / exp.sum()


def kl(p, q):
    return float(np.sum(p * np.log(p / q)))


def unit(x):
    return x / math.sqrt(x @ x)


def z_score(x):
    return (x - x.mean()) / math.sqrt(np.mean((x - x.mean()) ** 2))


def pearson(a, b):
    return np.corrcoef(a, b)[0, 1]


def pixels(x, valid):
    """Vectors of the valid positions: [M, C]."""
    return np.array([x[n, :, i, j] for n, i, j in np.argwhere(valid)])


def both(s, t, valid):
    return list(zip(pixels(s, valid), pixels(t, valid), strict=True))


def pixel_kl(s, t, valid, temperature):
    values = [
        kl(distribution(b / temperature), distribution(a / temperature))
        for a, b in both(s, t, valid)
    ]
    return temperature**2 * np.mean(values)


def standardised_kl(s, t, valid, temperature):
    values = [
        kl(distribution(z_score(b) / temperature), distribution(z_score(a) / temperature))
        for a, b in both(s, t, valid)
    ]
    return temperature**2 * np.mean(values)


def cosine_feature(s, t, valid):
    return np.mean([1 - unit(a) @ unit(b) for a, b in both(s, t, valid)])


def fitnet(s, t, valid):
    return np.mean([np.mean((a - b) ** 2) for a, b in both(s, t, valid)])


def channel_wise(s, t, valid, temperature):
    images = [
        np.mean(
            [
                kl(distribution(tc[v] / temperature), distribution(sc[v] / temperature))
                for sc, tc in zip(sn, tn, strict=True)
            ]
        )
        for sn, tn, v in zip(s, t, valid, strict=True)
        if v.any()
    ]
    return temperature**2 * np.mean(images)


def dkd(s, t, labels, temperature=4, alpha=1, beta=8):
    values = []
    for (a, b), k in zip(both(s, t, labels >= 0), labels[labels >= 0], strict=True):
        p, q = distribution(b / temperature), distribution(a / temperature)
        rest_p, rest_q = np.delete(p, k), np.delete(q, k)
        target = kl(np.array([p[k], 1 - p[k]]), np.array([q[k], 1 - q[k]]))
        others = kl(rest_p / rest_p.sum(), rest_q / rest_q.sum())
        values.append(alpha * target + beta * others)
    return temperature**2 * np.mean(values)


def dist(s, t, valid, temperature=1, beta=1, gamma=1):
    p, q = (np.array([distribution(x / temperature) for x in pixels(y, valid)]) for y in (s, t))
    between = np.mean([1 - pearson(a, b) for a, b in zip(p, q, strict=True)])
    within = np.mean([1 - pearson(a, b) for a, b in zip(p.T, q.T, strict=True)])
    return beta * between + gamma * within


def soft_jaccard(s, t, valid, threshold=0.01):
    # |p - q| is the union less the intersection, of which the sum is p + q.
    p, q = (np.array([distribution(x) for x in pixels(y, valid)]) for y in (s, t))
    scores = [
        np.minimum(a, b).sum() / np.maximum(a, b).sum()
        for a, b in zip(p.T, q.T, strict=True)
        if b.max() > threshold
    ]
    return 1 - np.mean(scores)


def is_edge(labels, n, i, j, width):
    near = labels[n, max(i - width, 0) : i + width + 1, max(j - width, 0) : j + width + 1]
    return labels[n, i, j] >= 0 and any(k not in (-1, labels[n, i, j]) for k in near.flat)


def boundary_split(s, t, labels, width=1):
    edge = np.zeros(labels.shape, dtype=bool)
    for n, i, j in np.ndindex(labels.shape):
        edge[n, i, j] = is_edge(labels, n, i, j, width)
    body = (labels >= 0) & ~edge
    return pixel_kl(s, t, edge, 1) + channel_wise(s, t, body, 1)


def standardised(x, valid):
    return np.array([z_score(channel) for channel in pixels(x, valid).T]).T


def pkd(s, t, valid):
    channels = zip(pixels(s, valid).T, pixels(t, valid).T, strict=True)
    return np.mean([1 - pearson(a, b) for a, b in channels])


def cosine_smooth_l1(s, t, valid):
    pairs = list(zip(standardised(s, valid), standardised(t, valid), strict=True))
    cosine = np.mean([1 - unit(a) @ unit(b) for a, b in pairs])
    smooth = [d * d / 2 if d < 1 else d - 0.5 for a, b in pairs for d in np.abs(a - b)]
    return 0.5 * cosine + 0.5 * np.mean(smooth)


def attention_transfer(s, t, valid):
    images = []
    for n in range(len(valid)):
        if valid[n].any():
            a, b = (unit((pixels(x[n : n + 1], valid[n : n + 1]) ** 2).sum(1)) for x in (s, t))
            images.append(((a - b) ** 2).sum())
    return np.mean(images)


def by_image(x, valid):
    """Unit vectors of each image with a valid position."""
    return [
        np.array([unit(v) for v in pixels(x[n : n + 1], valid[n : n + 1])])
        for n in range(len(valid))
        if valid[n].any()
    ]


def pair_wise(s, t, valid):
    images = zip(by_image(s, valid), by_image(t, valid), strict=True)
    return np.mean([np.mean((a @ a.T - b @ b.T) ** 2) for a, b in images])


def affinity_kl(s, t, s_keys, t_keys, temperature):
    rows = zip(s @ s_keys.T / temperature, t @ t_keys.T / temperature, strict=True)
    return [kl(distribution(b), distribution(a)) for a, b in rows]


def self_similarity(s, t, valid, temperature=0.07):
    images = zip(by_image(s, valid), by_image(t, valid), strict=True)
    return np.mean([v for a, b in images for v in affinity_kl(a, b, a, b, temperature)])


def cross_image(s, t, valid, temperature=0.1):
    s, t = by_image(s, valid), by_image(t, valid)
    pairs = [(i, j) for i in range(len(s)) for j in range(len(s))]
    return np.mean([np.mean(affinity_kl(s[i], t[i], s[j], t[j], temperature)) for i, j in pairs])


def memory_affinity(s, t, valid, keys, temperature=0.1):
    s, t = (np.concatenate(by_image(x, valid)) for x in (s, t))
    return np.mean(affinity_kl(s, t, keys, keys, temperature))


def channels(x, valid):
    """Of each image with valid positions, the map of each channel as a unit vector: [C, n]."""
    images = [n for n in range(len(valid)) if valid[n].any()]
    return [np.array([unit(c.ravel()) for c in x[n] * valid[n]]) for n in images]


def channel_relations(s, t, valid, temperature=0.1):
    s, t = channels(s, valid), channels(t, valid)
    pairs = [(i, j) for i in range(len(s)) for j in range(len(s))]
    return np.mean([np.mean(affinity_kl(s[i], t[i], s[j], t[j], temperature)) for i, j in pairs])


def channel_direction(s, t, valid):
    s, t = (np.concatenate(channels(x, valid)) for x in (s, t))
    return np.mean(2 - 2 * (s * t).sum(1))


def intra_class(s, t, labels):
    values = []
    for n, i, j in np.argwhere(labels >= 0):
        of_class = labels[n : n + 1] == labels[n, i, j]
        a, b = (unit(x[n, :, i, j]) @ unit(pixels(x[n : n + 1], of_class).mean(0)) for x in (s, t))
        values.append((a - b) ** 2)
    return np.mean(values)


def dense_contrast(s, t, valid, groups, patch, temperature):
    """Without pooling."""
    values = []
    _, c, h, w = s.shape
    width = c // groups
    for n, i, j in np.argwhere(valid):
        if i >= h - h % patch or j >= w - w % patch:
            continue
        corner = i - i % patch, j - j % patch
        inside = [(corner[0] + y, corner[1] + x) for y in range(patch) for x in range(patch)]
        inside = [(y, x) for y, x in inside if valid[n, y, x]]
        for g in range(groups):
            part = s[n, g * width : (g + 1) * width, i, j]

            def similarity(k, y, x, n=n, part=part):
                other = t[n, k * width : (k + 1) * width, y, x]
                return math.exp(-np.abs(part - other).sum() / temperature)

            own = similarity(g, i, j)
            rest = sum(
                similarity(k, y, x)
                for k in range(groups)
                for y, x in inside
                if k != g and valid[n, y, x]
            )
            values.append(-math.log(own / (own + rest)))
    return np.mean(values)
