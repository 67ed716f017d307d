"""Which reference points may lie near given points: exact search in blocks, that reads little of what is far away.

Bounds from below on |x - z|² rule pairs out; nothing else does, and what is left is for the caller to decide:
1. sketches of all rows (harness/data/references.py), a hundredth of the bytes;
2. for rows that are left, partial distances over runs of coordinates that double, plus the difference of the norms over
   the coordinates not read: a row is read only as far as it takes to rule it out for every point of the batch.
Both are |x|² + |z|² - 2 x·z around the references' center, with x·z the only float32 sum. A float32 sum of n products
in any order errs by at most n u/(1 - n u) Σ|x_i z_i| ≤ n u/(1 - n u) |x||z|, u = 2⁻²⁴ (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1); `_slack` takes twice that and the roundings of what is stored, plus
the input rounding where matrix products are allowed less than float32. NaN and overflow rule nothing out.

Rows on another device than the points (a memory-mapped file beside a GPU) are copied in pieces through two pinned
buffers, the next piece while the last one is worked on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from harness.data.references import References

PAIRS_A_BLOCK = 2**19  # pairs with a bound held at once (float64: 4 MB)
NUMBERS_A_PRODUCT = 2**20  # float32 numbers of rows converted or gathered at once for a product (4 MB)
BYTES_A_PIECE = 2**25  # of rows copied to another device at once; four such buffers exist


def near(
    points: Tensor, references: References, limit: Tensor, clear: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (item (M,), row (M,)) that may be nearer than limit (N,) float64, by item, then row, within rising blocks.

    limit  read anew for each block: a caller that looks for the nearest may shrink it between blocks
    clear  (N,) float64, lowered to a bound from below on the distances of all pairs that are not yielded
    """
    import torch

    device = points.device
    references = references.on(device)
    sketch, length = references.sketched(points)
    sketch = sketch.float()
    size = max(1, PAIRS_A_BLOCK // max(1, len(points)))
    slack = _slack(sketch.shape[1], device)
    # float32 sketches and centered points; a residual norm as the root of a difference of float64 sums of D squares
    stored = 2.0**-20 + points.shape[1] ** 0.5 * 2.0**-25
    runs = None
    for start in range(0, len(references), size):
        some = slice(start, start + size)
        squares = references.squares[:, some].to(device, non_blocking=True).double()
        heights = squares.sum(0)
        error = stored * (length + float(heights.max()) ** 0.5)
        bound = ((1 - slack) * heights)[:, None] + ((1 - slack) * length * length)[None]
        bound -= 2.0 * (references.sketch[some].to(device) @ sketch.T).double()
        reach = (limit + error) ** 2
        if runs is None:
            share = float(reach.max() / (heights.mean() + (length * length).mean()))
            runs = _Runs(points, references, share)
        maybe = ~(bound > reach)
        best = torch.where(maybe, torch.inf, bound)
        parts = []
        for rows, index, piece in _pieces(references.rows, start, maybe.any(1).nonzero()[:, 0], device):
            inside, lower = runs.narrow(piece, index, squares.index_select(1, rows), maybe[rows], reach)
            best[rows] = torch.minimum(best[rows], lower)
            item, column = inside.T.nonzero(as_tuple=True)
            parts.append((item, rows[column] + start))
        if clear is not None:
            lowest = best.amin(0).clamp_min(0).sqrt() - error
            torch.minimum(clear, lowest, out=clear)
        if parts:
            item, row = (torch.cat(each) for each in zip(*parts, strict=True))
            order = item.argsort(stable=True)
            yield item[order], row[order]


class _Runs:
    """Partial distances of points to rows, run of coordinates after run.

    share  of the coordinates that no pair at a typical distance is ruled out before: they are one run
    """

    def __init__(self, points: Tensor, references: References, share: float) -> None:
        import torch

        center = references.center.double()
        self.x = (points.double() - center).float()
        x = self.x.double()
        self.buffer = torch.empty(NUMBERS_A_PRODUCT, dtype=torch.float32, device=points.device)
        edges = references.edges
        least = share * edges[-1] if share < 1 else edges[-1]
        kept = [0] + [i for i, edge in enumerate(edges) if i and edge >= least]
        self.groups = list(pairwise(kept))
        self.spans = [(edges[i], edges[j]) for i, j in self.groups]
        self.slack = [_slack(b - a, points.device) for a, b in self.spans]
        square = torch.stack([(x[:, a:b] ** 2).sum(1) for a, b in self.spans])  # (L, N)
        self.rest = square.flip(0).cumsum(0).flip(0) - square
        shift = torch.stack([x[:, a:b] @ center[a:b] for a, b in self.spans])
        offset = torch.stack([center[a:b].norm() for a, b in self.spans])[:, None]  # rows are not centered themselves
        g = torch.tensor(self.slack, dtype=torch.float64, device=points.device)[:, None]
        self.own = (1 - g) * square + 2 * shift - 2 * g * square.sqrt() * offset

    def narrow(
        self, rows: Tensor, index: Tensor, squares: Tensor, maybe: Tensor, reach: Tensor
    ) -> tuple[Tensor, Tensor]:
        """maybe (M, N) narrowed to pairs whose bound stays within reach (N,), and (M, N) bounds of those ruled out.

        rows (any, D) with index (M,) those at hand; squares (L, M). Bounds are infinite for the other pairs.
        """
        import torch

        squares = torch.stack([squares[i:j].sum(0) for i, j in self.groups])
        inside, ruled = maybe.clone(), torch.full(maybe.shape, torch.inf, dtype=torch.float64, device=maybe.device)
        rest = squares.flip(0).cumsum(0).flip(0) - squares
        left = torch.arange(len(index), device=index.device)
        total = torch.zeros_like(ruled)
        for i, (a, b) in enumerate(self.spans):
            if not len(left):
                break
            total += self.own[i]
            total += ((1 - self.slack[i]) * squares[i])[:, None]
            total -= 2.0 * _products(self.x[:, a:b], rows, index, a, b, self.buffer)
            mine, theirs = self.rest[i].clamp_min(0).sqrt(), rest[i].clamp_min(0).sqrt()[:, None]
            gap = ((mine - theirs).abs_() - 2.0**-20 * (mine + theirs)).clamp_min_(0)
            bound = gap.square_().add_(total)
            out = (bound > reach) & maybe
            maybe = maybe & ~out
            ruled.index_copy_(0, left, torch.where(out, bound, ruled.index_select(0, left)))
            inside.index_copy_(0, left, maybe)
            some = maybe.any(1)
            if 2 * int(some.sum()) < len(left):  # what gathering costs pays when most are out
                some = some.nonzero()[:, 0]
                left, index, maybe, total = (t.index_select(0, some) for t in (left, index, maybe, total))
                squares, rest = squares.index_select(1, some), rest.index_select(1, some)
        return inside, ruled


def _products(x: Tensor, rows: Tensor, index: Tensor, a: int, b: int, buffer: Tensor) -> Tensor:
    """rows[index, a:b] times x (N, b - a), float32 (M, N); index rises."""
    import torch

    result = torch.empty((len(index), len(x)), dtype=torch.float32, device=x.device)
    step = max(1, len(buffer) // (b - a))
    whole = len(index) == int(index[-1]) - int(index[0]) + 1  # no gather where rows follow each other
    for start in range(0, len(index), step):
        some = index[start : start + step]
        if whole:
            first = int(index[0]) + start
            block = rows[first : first + len(some), a:b]
        else:
            block = rows[:, a:b].index_select(0, some)
        if block.dtype != torch.float32:
            room = buffer[: block.numel()].view(block.shape)
            block = room.copy_(block)
        result[start : start + len(some)] = (x @ block.T).T
    return result


def _slack(length: int, device: Any) -> float:
    """Bound on the error of a float32 product of vectors x, z of so many numbers, in units of |x||z|."""
    import torch

    try:
        fast = device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32
        allowed = "high" if fast else "highest"
        allowed = max(torch.get_float32_matmul_precision(), allowed, key=list(_INPUT_ROUNDING).index)
    except RuntimeError:  # settings of two generations of names mixed: torch refuses to say
        allowed = "medium"
    return (length + 16) * 2.0**-23 + _INPUT_ROUNDING[allowed]


_INPUT_ROUNDING = {"highest": 0.0, "high": 2.0**-9, "medium": 2.0**-6}  # float32, TF32, bfloat16: both factors, twice


def _pieces(rows: Tensor, start: int, left: Tensor, device: Any) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For rows start + left: (M,) which of `left` they are by their value, where they are in the piece, the piece."""
    import torch

    if not len(left):
        return
    if rows.device == device:
        yield left, left + start, rows
        return
    done = 0
    for piece in streamed(rows, left.cpu() + start, device):
        yield left[done : done + len(piece)], torch.arange(len(piece), device=device), piece
        done += len(piece)


def streamed(rows: Tensor, index: Tensor, device: Any) -> Iterator[Tensor]:
    """rows[index] on another device, in pieces; each is overwritten once the next but one is asked for."""
    import torch

    step = max(1, BYTES_A_PIECE // (rows.shape[1] * rows.element_size()))
    parts: list[Tensor] = [index[start : start + step] for start in range(0, len(index), step)]
    cuda: Any = torch.cuda if device.type == "cuda" else None
    shape = (min(step, len(index)), rows.shape[1])
    host = [torch.empty(shape, dtype=rows.dtype, pin_memory=cuda is not None) for _ in range(2)]
    there = [torch.empty(shape, dtype=rows.dtype, device=device) for _ in range(2)]
    sent, used = ([cuda.Event() for _ in range(2)] if cuda else [] for _ in range(2))
    aside: Any = cuda.Stream(device) if cuda else None
    if cuda:
        aside.wait_stream(cuda.current_stream(device))  # memory of the device buffers may still be read under it

    def send(i: int) -> None:
        slot, count = i % 2, len(parts[i])
        if cuda:
            sent[slot].synchronize()  # the copy out of this host buffer is over
        torch.index_select(rows, 0, parts[i], out=host[slot][:count])
        if not cuda:
            there[slot][:count].copy_(host[slot][:count])
            return
        with cuda.stream(aside):
            aside.wait_event(used[slot])  # nobody reads this device buffer any more
            there[slot][:count].copy_(host[slot][:count], non_blocking=True)
            sent[slot].record(aside)

    for i in range(len(parts) + 1):
        if i < len(parts):
            send(i)
        if i:
            slot = (i - 1) % 2
            if cuda:
                cuda.current_stream(device).wait_event(sent[slot])
            yield there[slot][: len(parts[i - 1])]
            if cuda:
                used[slot].record(cuda.current_stream(device))
    if cuda:
        cuda.current_stream(device).wait_stream(aside)
