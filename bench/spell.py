"""A SPELL step of batch 8 over K references of 4×64×64 latents, against reading their bytes once and torch.cdist.

* Read: the sum of the references' bytes as 64-bit integers, on the same threads, in the same run: no way of looking at
  all of them is faster. Ours may take 1.5 times as long on a CPU, 1.3 on a GPU, with less than 200 MB besides.
* cdist: torch.cdist on float32 blocks of the references, then the same sum over the pairs inside. Its distances are
  float32 and it reads and converts everything.
The references are standard normal, as scaled Stable Diffusion latents nearly are in their moments: without structure,
norms and directions that rule anything out, the worst case of the prefilter. One point of the batch is inside a ball.
The radius is that of Safe_Denoiser for SD 1.4, 38.746 (generation.md section 5). Rows named "blurred" have the points
drawn to the mean as expected samples of early steps are; "far radius" has .8 of the typical distance, where most of a
row must be read: no goal was set for it. 1e4 references are float32 in a memory-mapped file, 1e5 float16 in memory
(3.3 GB), both through the page cache or memory, never the disk; measuring them once for the search is not counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import Row, alternate, cannot, peak_extra_mb
from harness import keys
from harness.data.references import References
from harness.methods.diversity.balls import push

if TYPE_CHECKING:
    from torch import Tensor

LENGTH, BATCH, RADIUS = 4 * 64 * 64, 8, 38.746
CPU, GPU, MEMORY_MB = 1.5, 1.3, 200
GPU_COUNT = 1_200_000
A_BLOCK = 1024


def run() -> list[Row]:
    import torch

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        references = References.write(Path(folder, "set"), (10_000, LENGTH), "float32", fill)
        rows += measured("1e4 float32, memory-mapped", references, CPU)
    rows += measured("1e5 float16, in memory", in_memory(100_000, torch.float16, "cpu"), CPU)
    if not torch.cuda.is_available():
        goal = f"at most {GPU} times the read"
        return [*rows, cannot("spell, K = 1.2e6 float16 on a GPU", goal, "no GPU", "reading the bytes once")]
    return rows + measured("1.2e6 float16 on a GPU", in_memory(GPU_COUNT, torch.float16, "cuda"), GPU)


def blocks(count: int, dtype: Any, device: str) -> Iterator[Tensor]:
    """Standard normal rows (n, LENGTH), keyed by block."""
    import torch

    for i, start in enumerate(range(0, count, A_BLOCK)):
        seed = int(keys.generator(0, "world", "bench", i).integers(2**62))
        generator = torch.Generator(device).manual_seed(seed)
        size = (min(A_BLOCK, count - start), LENGTH)
        yield torch.randn(size, generator=generator, device=device).to(dtype)


def fill(rows: Tensor) -> None:
    """Write the references into (K, LENGTH) of any type, on any device."""
    done = 0
    for block in blocks(len(rows), rows.dtype, str(rows.device)):
        rows[done : done + len(block)] = block
        done += len(block)


def in_memory(count: int, dtype: Any, device: str) -> References:
    import torch

    rows = torch.empty((count, LENGTH), dtype=dtype, device=device)
    fill(rows)
    return References.of(rows)


def measured(name: str, references: References, goal: float) -> list[Row]:
    import torch

    z = references.rows
    x = next(blocks(BATCH, torch.float32, "cpu")).flip(1).to(z.device)
    x[0] = z[len(z) // 3].float() + 0.2 * x[1]
    wait: Callable[[], Any] = torch.cuda.synchronize if z.is_cuda else lambda: None

    def step(points: Tensor, radius: float) -> Callable[[], Any]:
        return lambda: (push(points, references, radius), wait())[0]

    def read() -> int:
        return int(z.view(torch.int64).sum())

    read()  # the pages of a mapped file become resident: they are the references, not extra memory
    extra = peak_extra_mb(step(x, RADIUS))
    calls = {"ours": step(x, RADIUS), "read": read, "blurred": step(0.3 * x, RADIUS)}
    timed = alternate(calls, repeat=9)
    once = timed["read"].best
    slow = alternate(
        {"far": step(x, 0.8 * 2**0.5 * LENGTH**0.5), "cdist": lambda: (by_cdist(x, z), wait())[0]}, repeat=2
    )
    apart = float((timed["ours"].value.delta - slow["cdist"].value).abs().max())
    spent = timed["ours"].best
    within = f"at most {goal} times the read, under {MEMORY_MB} MB"
    note = f"{z.numel() * z.element_size() / 1e9 / once:.1f} GB/s read; {extra:.0f} MB extra"
    met = spent <= goal * once and extra < MEMORY_MB and int(timed["ours"].value.inside[0]) == 1
    read_row = Row(f"spell, K = {name}", spent, "reading the bytes once", once, within, met, None, note)
    blurred = Row(
        f"spell, K = {name}, blurred",
        timed["blurred"].best,
        "reading the bytes once",
        once,
        within,
        timed["blurred"].best <= goal * once,
    )
    cdist = Row(
        f"spell, K = {name}",
        spent,
        "torch.cdist and the sum",
        slow["cdist"].best,
        "",
        None,
        apart,
        "equal_to: largest difference of the push, cdist in float32",
    )
    far = Row(
        f"spell, K = {name}, far radius",
        slow["far"].best,
        "reading the bytes once",
        once,
        "",
        None,
        None,
        "no goal: most of every row is read and multiplied",
    )
    return [read_row, blurred, cdist, far]


def by_cdist(x: Tensor, z: Tensor) -> Tensor:
    """The push by torch.cdist over float32 blocks."""
    import torch

    delta = torch.zeros_like(x, dtype=torch.float64)
    for start in range(0, len(z), A_BLOCK):
        block = z[start : start + A_BLOCK].float()
        distance = torch.cdist(x, block)
        for i, k in (distance < RADIUS).nonzero().tolist():
            away = x[i].double() - block[k].double()
            delta[i] += (RADIUS / float(distance[i, k]) - 1.0) * away
    return delta
