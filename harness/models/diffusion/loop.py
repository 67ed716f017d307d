"""The one denoising loop: ours, over the components of a pipeline, with hooks for methods.

Order inside a step: network call(s) → guidance → clean-sample correction → score increment → scheduler → latent.
Network calls go over all items of all given groups in micro-batches; hooks see one group at a time. Only overridden
hooks run, and a hook that returns the object it was given leaves the network's own output alone, so that without an
active hook the result is the stock pipeline's bit for bit. Every draw comes from a key; nothing global is read or set.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import keys
from harness.data.images import to_uint8
from harness.models.diffusion import noises
from harness.models.diffusion.adapter import Denoiser
from harness.models.diffusion.conditioning import Pair, conditions_at, embedded, guided, refuse_inert, runs, stack
from harness.models.diffusion.features import counters
from harness.models.diffusion.hooks import Condition, Couples, Group, Hooks, Step
from harness.models.diffusion.microbatch import MicroBatches, is_out_of_memory
from harness.models.diffusion.prediction import SMALLEST_NOISE, Prediction, clean, shift_clean, shift_score
from harness.models.diffusion.samples import Samples
from harness.models.diffusion.timetable import Timetable
from harness.models.diffusion.waves import by_history, in_sequence, single
from harness.models.model import OutOfMemory

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Samples", "active_hooks", "sample"]

HOOKS = ("initial_noise", "condition", "negative", "guidance", "score", "latent", "select")


def active_hooks(method: Hooks) -> frozenset[str]:
    """The hooks that the method's class overrides."""
    cls = type(method)
    names = {h for h in HOOKS if getattr(cls, h) is not getattr(Hooks, h)}
    if cls.clean_sample is not Hooks.clean_sample or cls.clean_samples is not Hooks.clean_samples:
        names.add("clean_sample")
    return frozenset(names)


def sample(
    model: Denoiser,
    method: Hooks,
    groups: Sequence[Group],
    *,
    seed: int,
    steps: int | None = None,
    guidance: float | None = None,
    micro_batch: int = 32,
    progress: Callable[[float], None] | None = None,
    fault: Callable[[], None] | None = None,
    purpose: keys.Purpose = "init_noise",
    decode: bool = True,
) -> Samples:
    """Images of all groups under one method.

    steps, guidance   default to the model's
    micro_batch       items a network call at most
    progress   called with the number of items finished, fractions for work under way
    purpose    of the initial noise: "calibration" for pilot draws
    Raises OutOfMemory when one item does not fit, ValueError on groups of another seed.
    """
    import torch

    if not groups:
        raise ValueError("no groups to sample")
    if wrong := {g.seed for g in groups} - {seed}:
        raise ValueError(f"groups of seed {sorted(wrong)} in a call for seed {seed}")
    if micro_batch < 1:
        raise ValueError(f"micro_batch must be at least 1, found {micro_batch}")
    batches = MicroBatches(micro_batch, fault)
    before = [dict(spent) for spent in counters(method)]
    active = active_hooks(method)
    if getattr(model, "embeds_guidance", False):
        refuse_inert(method, active)
    run = _Run(
        model,
        method,
        active,
        steps or model.steps,
        model.guidance if guidance is None else guidance,
        batches,
        seed,
        purpose,
        progress or (lambda _: None),
    )
    try:
        with torch.no_grad():
            latents = _waves(run, groups)
            ordered = torch.cat([latents[id(g)] for g in groups])
            started = time.perf_counter()
            images = _decoded(run, ordered) if decode else np.zeros((len(ordered), 0, 0, 3), np.uint8)
            run.seconds["decode"] += time.perf_counter() - started
    except Exception as error:
        if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
            raise
        # a method's own work needs the whole group: halving the micro-batch cannot help it
        raise OutOfMemory(batches.size, tuple(batches.tried), f"in method {method.name!r}: {error}") from error
    run.calls["padding"] = batches.padding
    for spent, earlier in zip(counters(method), before, strict=True):
        run.calls.update({k: n - earlier.get(k, 0) for k, n in spent.items() if n > earlier.get(k, 0)})
    flat = ordered.flatten(1).float().cpu().numpy()
    facts = [run.facts[id(g)] for g in groups]
    return Samples(
        images=images,
        latents=flat,
        noise={k: np.concatenate([f[k] for f in facts]) for k in facts[0]},
        calls=dict(run.calls),
        activity=tuple((g.prompt_index, g.index, *row) for g in groups for row in g.activity),
        micro_batch=batches.size,
        tries=len(batches.tried),
        digests={
            **{k: noises.digest([run.traces[id(g)][k] for g in groups]) for k in (run.traces[id(groups[0])])},
            "latents": noises.digest([flat]),
            "images": noises.digest([images]),
        },
        seconds=dict(run.seconds),
    )


@dataclass
class _Run:
    """State of one call of `sample`; `facts`, `traces` are by the identity of the caller's group."""

    model: Denoiser
    method: Hooks
    active: frozenset[str]
    count: int
    scale: float
    batches: MicroBatches
    seed: int
    purpose: keys.Purpose
    progress: Callable[[float], None]
    done: float = 0.0

    def __post_init__(self) -> None:
        self.calls: Counter[str] = Counter(conditional=0, unconditional=0, auxiliary=0, decoder=0)
        self.seconds: dict[str, float] = {"condition": 0.0, "denoise": 0.0, "decode": 0.0}
        self.encoded: dict[str, tuple[Condition, Condition]] = {}
        self.facts: dict[int, dict[str, NDArray[np.float32]]] = {}
        self.traces: dict[int, dict[str, NDArray[Any]]] = {}

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        if prompt not in self.encoded:
            started = time.perf_counter()
            self.encoded[prompt] = self.model.conditions(prompt)
            self.seconds["condition"] += time.perf_counter() - started
        return self.encoded[prompt]


def _waves(run: _Run, groups: Sequence[Group]) -> dict[int, Tensor]:
    """Final latents by group, in the order that the method's coupling asks for."""
    import torch

    coupling = run.method.coupling()
    if coupling is Couples.HISTORY:
        return by_history(groups, lambda wave: _denoise(run, wave))
    if coupling is not Couples.SEQUENCE:
        return _denoise(run, groups)
    parts = {id(g): single(g) for g in groups}
    latents = in_sequence(parts, lambda wave: _denoise(run, wave))
    for whole, singles in parts.items():
        facts, traces = ([kept.pop(id(p)) for p in singles] for kept in (run.facts, run.traces))
        run.facts[whole] = {k: np.concatenate([f[k] for f in facts]) for k in facts[0]}
        run.traces[whole] = {k: np.concatenate([t[k] for t in traces]) for k in traces[0]}
    return {whole: torch.cat([latents[id(p)] for p in singles]) for whole, singles in parts.items()}


def _denoise(run: _Run, groups: Sequence[Group]) -> dict[int, Tensor]:
    """Final latents (B, C, h, w) by group, of groups that run side by side."""
    import torch

    if not groups:
        return {}
    started = time.perf_counter()
    table = run.model.timetable(run.count)
    factor = run.method.oversample() if "select" in run.active else 1
    views = [with_candidates(g, factor) for g in groups]
    ends = np.cumsum([len(v) for v in views]).tolist()
    spans = [slice(e - len(v), e) for v, e in zip(views, ends, strict=True)]
    noise = [_initial(run, g, v) for g, v in zip(groups, views, strict=True)]
    x = table.start(torch.cat(noise).to(run.model.device, run.model.dtype))
    base = [[run.conditions(v.prompt) for _ in range(len(v))] for v in views]
    rows = [pair for per_group in base for pair in per_group]
    middle = {table.steps[0].index, table.steps[-1].count // 2}
    condition_before = run.seconds["condition"]
    for step in table.steps:
        y = _predict(run, table, step, x, views, spans, rows)
        y = _corrected(run, table, step, x, y, views, spans)
        x = table.advance(y, step.index, x, _step_noise(run, table, step, views))
        if "latent" in run.active and not table.between_stages(step.index):
            x = _after(run, table, step, x, views, spans)
        if step.index in middle:
            for group, span in zip(groups, spans, strict=True):
                run.traces[id(group)][f"x@{step.index + 1}"] = x[span].float().cpu().numpy()
        run.progress(run.done + sum(map(len, groups)) * (step.index + 1) / (step.count + 1))
    run.seconds["denoise"] += time.perf_counter() - started - (run.seconds["condition"] - condition_before)
    run.done += sum(map(len, groups))
    run.progress(run.done)
    result = {}
    for group, view, span in zip(groups, views, spans, strict=True):
        kept = list(range(len(group)) if view is group else run.method.select(x[span].float(), view))
        if len(kept) != len(group):
            raise ValueError(f"{run.method.name}.select kept {len(kept)} of a group of {len(group)}")
        result[id(group)] = x[span] if view is group else x[span][kept]
    return result


def with_candidates(group: Group, factor: float) -> Group:
    """The group with floor(B · factor) candidates, a sample number for each; the group itself below B + 1."""
    count = int(len(group) * factor + 1e-9)  # 10 · 1.1 is 11, whatever its last bit says
    if count <= len(group):
        return group
    return replace(group, samples=(group.samples * -(-count // len(group)))[:count])


def _initial(run: _Run, group: Group, view: Group) -> Tensor:
    """Initial noise (M, C, h, w) of a group's candidates, float32 on the CPU, after the method's hook."""
    import torch

    shape = run.model.latent_shape
    drawn = [keys.normal(shape, run.seed, run.purpose, group.prompt_index, s) for s in group.samples]
    more = range(len(group), len(view))
    drawn += [group.normal(shape, view.samples[j], "candidate", j // len(group)) for j in more]
    shared = torch.stack(drawn)
    noise = run.method.initial_noise(shared, view) if "initial_noise" in run.active else shared
    if noise is not shared:
        changed = (noise != shared).flatten(1).any(1)
        group.log("noise.changed", 0, float(changed.float().mean()))
    run.facts[id(group)] = noises.facts(noise[: len(group)])
    positive, negative = run.conditions(group.prompt)
    run.traces[id(group)] = {
        "noise": noise.numpy(),
        "condition": positive.embeddings.float().cpu().numpy(),
        "negative": negative.embeddings.float().cpu().numpy(),
    }
    return noise


def _step_noise(run: _Run, table: Timetable, step: Step, views: Sequence[Group]) -> Tensor | None:
    import torch

    if not table.stochastic:
        return None
    shape = run.model.latent_shape
    purpose: keys.Purpose = "step_noise" if run.purpose == "init_noise" else run.purpose
    drawn = []
    for v in views:
        for j, s in enumerate(v.samples):
            again = sum(1 for earlier in v.samples[:j] if earlier == s)  # candidates of one sample differ
            drawn.append(keys.normal(shape, run.seed, purpose, v.prompt_index, s, "step", step.index, again))
    return torch.stack(drawn).to(run.model.device, run.model.dtype)


def _predict(
    run: _Run,
    table: Timetable,
    step: Step,
    x: Tensor,
    views: Sequence[Group],
    spans: Sequence[slice],
    rows: Sequence[Pair],
) -> Tensor:
    """The guided network output for all items."""
    import torch

    weights: list[float] = []
    for v in views:
        w = run.method.guidance(run.scale, step, v) if "guidance" in run.active else run.scale
        if w != run.scale:
            v.log("guidance.changed", step.index, 1.0)
        weights += [w] * len(v)
    distilled: bool = getattr(run.model, "embeds_guidance", False)  # w is an input: one call, no second branch
    asked = [1.0] * len(weights) if distilled else weights
    branches = conditions_at(run.method, run.active, step, views, spans, rows, asked)
    inputs = table.network_input(x, step.index)
    t = table.timesteps[step.index]

    def call(items: list[int], kept: int) -> Tensor:
        used = [asked[i] for i in items[:kept]]
        conditional, unconditional = any(w != 0 for w in used), any(w != 1 for w in used)
        xs = inputs[items]
        parts = [stack([branches[1][i] for i in items])] if unconditional else []
        parts += [stack([branches[0][i] for i in items])] if conditional else []
        given = embedded(stack(parts), [weights[i] for i in items]) if distilled else stack(parts)
        out = run.model.denoise(torch.cat([xs] * len(parts)), t, given)
        run.calls["conditional"] += kept * conditional
        run.calls["unconditional"] += kept * unconditional
        if len(parts) == 1:
            return out[:kept]
        y_u, y_c = out.chunk(2)
        return torch.cat([guided(y_u[s], y_c[s], w) for s, w in runs(used)])

    before = run.calls.copy()

    def counted(items: list[int], kept: int) -> Tensor:
        if items[0] == 0:  # a repeated network call (smaller micro-batch) is counted once
            run.calls.clear()
            run.calls.update(before)
        return call(items, kept)

    return torch.cat(run.batches.run(len(x), counted))


def _corrected(
    run: _Run, table: Timetable, step: Step, x: Tensor, y: Tensor, views: Sequence[Group], spans: Sequence[slice]
) -> Tensor:
    """The network output after clean-sample corrections and score increments; `y` itself where there are none."""
    wants = {"clean_sample", "score"} & run.active
    if not wants or step.b < SMALLEST_NOISE or step.sigma < SMALLEST_NOISE:
        return y
    kind, a, b = table.prediction, step.a, step.b
    seen = x.float() * table.factor(step.index) if table.factor(step.index) != 1.0 else x.float()
    result = y
    if "clean_sample" in wants and (a > 0 or kind != "epsilon"):
        x0s = [clean(kind, y[s].float(), seen[s], a, b) for s in spans]
        for v, span, old, new in zip(views, spans, x0s, run.method.clean_samples(x0s, step, views), strict=True):
            if new is old:
                continue
            delta = new.float() - old
            norms = delta.flatten(1).norm(dim=1)
            v.log("x0.changed", step.index, float((norms > 0).float().mean()))
            v.log("x0.delta", step.index, float(norms.mean()))
            result = result.clone() if result is y else result
            result[span] = shift_clean(kind, y[span].float(), delta, a, b).to(y.dtype)
    if "score" in wants and a >= SMALLEST_NOISE:
        for v, span in zip(views, spans, strict=True):
            g = run.method.score(seen[span], step, v)
            if g is not None:
                v.log("score.changed", step.index, float((g != 0).flatten(1).any(1).float().mean()))
                result = result.clone() if result is y else result
                result[span] = shift_score(kind, result[span].float(), g.float(), a, b).to(y.dtype)
    return result


def _after(
    run: _Run, table: Timetable, step: Step, x: Tensor, views: Sequence[Group], spans: Sequence[slice]
) -> Tensor:
    factor = table.factor(step.index + 1)
    if table.prediction is Prediction.FLOW and not step.last:  # (1-u) x0 + u ε, made variance-preserving
        ahead = table.steps[step.index + 1]
        factor /= math.hypot(ahead.a, ahead.b)
    result = x
    for v, span in zip(views, spans, strict=True):
        old = x[span].float() * factor
        new = run.method.latent(old, step, v)
        if new is not old:
            v.log("latent.changed", step.index, float((new != old).flatten(1).any(1).float().mean()))
            result = result.clone() if result is x else result
            result[span] = (new / factor).to(x.dtype)
    return result


def _decoded(run: _Run, latents: Tensor) -> NDArray[np.uint8]:
    def call(items: list[int], kept: int) -> NDArray[np.uint8]:
        pixels = run.model.decode(latents[items])[:kept]
        return to_uint8(pixels.permute(0, 2, 3, 1).cpu().numpy())

    images = np.concatenate(run.batches.run(len(latents), call))
    run.calls["decoder"] += len(latents)
    return images
