"""Student's t, the normal and the beta law: quantiles and tails, with scipy imported on first use (0.13 s)."""

from __future__ import annotations


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t with `df` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def t_two_sided(statistic: float, df: float) -> float:
    """P(|T| >= |statistic|) for Student's t with `df` degrees of freedom."""
    from scipy.special import stdtr

    return float(min(1.0, 2.0 * stdtr(df, -abs(statistic))))


def normal_quantile(probability: float) -> float:
    """The quantile of the standard normal law."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The quantile of the beta law with shapes a, b."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, probability))


def noncentral_t_below(x: float, df: float, shift: float) -> float:
    """P(T <= x) for the non-central t with `df` degrees of freedom and non-centrality `shift`."""
    from scipy.special import nctdtr

    return float(nctdtr(df, shift, x))


def binomial_below(count: int, n: int, p: float) -> float:
    """P(X <= count) for X binomial (n, p)."""
    from scipy.special import bdtr

    return 0.0 if count < 0 else float(bdtr(min(count, n), n, p))
