"""What the run says, in sentences made from its frames: each claim with its interval, each gain with its price."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.report.entries import Clarity, Delta, Direction, Tone, relative
from harness.report.rounding import MINUS, digits
from harness.report.summary import Column, Row, Summary

NBSP = "\N{NO-BREAK SPACE}"
NAMED = 4  # metrics named one by one in a sentence


class Kind(StrEnum):
    """What a sentence says about its row."""

    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"  # gains and losses
    CHANGED = "changed"
    UNCLEAR = "unclear"
    MISSING = "missing"  # failed, or inert


@dataclass(frozen=True)
class Verdict:
    """A sentence about one row (or one sweep). `subject` is its label, `kind` chooses the mark beside it."""

    subject: str
    sentence: str
    kind: Kind


def verdicts(summary: Summary) -> tuple[Verdict, ...]:
    """Sentences in the order of the table: methods and sweeps first, then baselines, controls, and what is missing."""
    swept = {row.label for rows in summary.families().values() for row in rows}
    ranked = [r for r in summary.rows if not r.inert and r.label != summary.baseline]
    rank = {"method": 0, "baseline": 1, "control": 2}
    found = [row_verdict(summary, r) for r in sorted(ranked, key=lambda r: rank.get(r.role, 0)) if r.label not in swept]
    sweeps = [sweep_verdict(summary, name, rows) for name, rows in summary.families().items()]
    return together(summary, [v for v in (*sweeps, *found) if v is not None])


def together(summary: Summary, found: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The sentences; those without a clear change become one where they are many: a list, not a page."""
    unclear = [v.subject for v in found if v.kind is Kind.UNCLEAR]
    if len(unclear) <= NAMED:
        return tuple(found)
    roles = {r.label: r.role for r in summary.rows} | {n: rows[0].role for n, rows in summary.families().items()}
    names = {
        role: [with_cost(summary, n) for n in unclear if roles[n] == role] for role in dict.fromkeys(roles.values())
    }
    first = names.pop("method", [])
    parts = [listed(first)] if first else []
    parts += [f"of the {role}s {listed(labels)}" for role, labels in names.items() if labels]
    subject = f"No clear change against {summary.baseline or 'the baseline'} in any primary metric"
    return (
        *(v for v in found if v.kind is not Kind.UNCLEAR),
        Verdict(subject, f"{subject}: {'; '.join(parts)}.", Kind.UNCLEAR),
    )


def with_cost(summary: Summary, name: str) -> str:
    """A row's label, or a sweep's name, with the denoiser calls it took where they differ from the baseline's."""
    rows = summary.families().get(name, [r for r in summary.rows if r.label == name])
    cost = cost_clause(summary, rows[0]).removeprefix("; it takes ") if len(rows) == 1 else ""
    settings = f"{len(rows)} settings" if len(rows) > 1 else cost
    return f"{name} ({settings})" if settings else name


def row_verdict(summary: Summary, row: Row) -> Verdict | None:
    """Gains, then costs, then what stays open, over the primary metrics."""
    missing = [c for c in summary.primary if not summary.entry(row.label, c.name).ok]
    if summary.primary and len(missing) == len(summary.primary):
        entry = summary.entry(row.label, summary.primary[0].name)
        return Verdict(row.label, f"{row.label} has no result: {entry.status}{because(entry.reason)}.", Kind.MISSING)
    compared = [(c, e.delta) for c in summary.primary if (e := summary.entry(row.label, c.name)).delta is not None]
    deltas = [(c, d) for c, d in compared if d is not None]
    if not deltas:
        return None
    against = deltas[0][1].against
    tones = [(c, d, summary.tone(c, d)) for c, d in deltas]
    clear = [(c, d, t) for c, d, t in tones if d.clarity is Clarity.CLEAR]
    gains = [(c, d) for c, d, t in clear if t is Tone.BETTER]
    losses = [(c, d) for c, d, t in clear if t is Tone.WORSE]
    changes = [(c, d) for c, d, t in clear if t is Tone.CHANGED]
    open_ = [c.name for c, d in deltas if d.clarity is not Clarity.CLEAR]
    parts = []
    if gains:
        parts.append(f"{row.label} {effects(summary, gains)} over {against}")
    if losses:
        costs = effects(summary, losses)
        parts.append(f"at a price: it {costs}" if gains else f"{row.label} {costs} against {against}, which is worse")
    if changes:
        parts.append(f"{'it' if parts else row.label} {effects(summary, changes)}")
    if not parts:
        names = listed(open_) if len(open_) <= NAMED else f"any of the {len(open_)} primary metrics"
        sentence = f"{row.label} shows no clear change against {against} in {names}"
        return Verdict(row.label, sentence + cost_clause(summary, row) + ".", Kind.UNCLEAR)
    if open_:
        parts.append(f"no clear change in {listed(open_[:NAMED], 'or')}{' and others' if len(open_) > NAMED else ''}")
    if row.role == "control" and gains:
        names = listed([c.name for c, _ in gains])
        parts.append(f"being a control, it shows that a gain in {names} alone is no evidence for a method")
    kind = kind_of({t for _, _, t in clear})
    return Verdict(row.label, "; ".join(parts) + cost_clause(summary, row) + ".", kind)


def effects(summary: Summary, changes: Sequence[tuple[Column, Delta]]) -> str:
    """ "raises vendi.avatars by 3.1 [2.2, 4.0] (+45 %) and recall.avatars by … and lowers …"."""
    parts = []
    for verb, sign in (("raises", 1), ("lowers", -1)):
        named = [f"{c.name} by {change(summary, c, d)}" for c, d in changes if d.value * sign > 0]
        if named:
            parts.append(f"{verb} {listed(named)}")
    return " and ".join(parts)


def change(summary: Summary, column: Column, delta: Delta) -> str:
    """ "3.1 [2.2, 4.0] (+45 %)": size and interval oriented along the change; the share where the base allows one."""
    text = delta_text(delta, unsigned=True)
    share = relative(delta, summary.entry(delta.against, column.name))
    if share is None or abs(share) > 10:
        return text
    if abs(share) < 1:
        return f"{text} ({'+' if share > 0 else MINUS}{abs(share) * 100:.2g}{NBSP}%)"
    return f"{text} (×{1 + share:.2g})"


def delta_text(delta: Delta, *, unsigned: bool = False) -> str:
    """ "+3.1 [2.2, 4.0]"; unsigned: the size of the change, its bounds oriented alike. It breaks only before them."""
    d = digits(delta.value, delta.low, delta.high)
    flip = unsigned and delta.value < 0
    value = abs(delta.value) if unsigned else delta.value
    text = d.text(value, signed=not unsigned)
    if delta.low is None or delta.high is None:
        return text
    low, high = (-delta.high, -delta.low) if flip else (delta.low, delta.high)
    return f"{text} [{d.text(low)},{NBSP}{d.text(high)}]"


def cost_clause(summary: Summary, row: Row) -> str:
    """ ", at 2.3 times the denoiser calls" where the budget differs by more than a tenth from the baseline's."""
    base = next((r for r in summary.rows if r.label == summary.baseline), None)
    if base is None or not base.cost.calls or not row.cost.calls or base.cost.per != row.cost.per:
        return ""
    ratio = row.cost.calls / base.cost.calls
    return f"; it takes {ratio:.2g} times the denoiser calls" if abs(ratio - 1) > 0.1 else ""


def sweep_verdict(summary: Summary, name: str, rows: Sequence[Row]) -> Verdict | None:
    """One sentence for all points of a sweep."""
    parts = []
    tones: set[Tone] = set()
    against = ""
    for column in summary.primary:
        deltas = [d for r in rows if not r.inert and (d := summary.entry(r.label, column.name).delta) is not None]
        clear = [d for d in deltas if d.clarity is Clarity.CLEAR]
        if not clear:
            continue
        against = clear[0].against
        tones |= {summary.tone(column, d) for d in clear}
        low, high = min(deltas, key=lambda d: d.value), max(deltas, key=lambda d: d.value)
        ends = " to ".join(digits(d.value, d.low, d.high).text(d.value, signed=True) for d in (low, high))
        parts.append(f"{column.name} by {ends} (clear at {len(clear)} of {len(rows)})")
    keys = listed([*rows[0].point])
    if not parts:
        return Verdict(
            name, f"{name}, swept over {keys}, shows no clear change at any of its {len(rows)} settings.", Kind.UNCLEAR
        )
    sentence = f"{name}, swept over {keys} in {len(rows)} settings, changes {listed(parts)} against {against}."
    return Verdict(name, sentence, kind_of(tones))


def kind_of(tones: Collection[Tone]) -> Kind:
    """The kind of a sentence from the tones of its clear changes."""
    if Tone.BETTER in tones:
        return Kind.MIXED if Tone.WORSE in tones else Kind.BETTER
    return Kind.WORSE if Tone.WORSE in tones else Kind.CHANGED


def listed(parts: Sequence[str], word: str = "and") -> str:
    """ "a, b and c"."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def because(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""


def better_side(direction: Direction) -> str:
    """On which side of zero a difference is better, as an axis says it; "" for neither."""
    return {"higher": "better →", "lower": "← better"}.get(direction.value, "")
