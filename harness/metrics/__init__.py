"""The metrics: one file each. This list is the catalogue; plug-ins come by the entry point `harness.metrics`."""

from __future__ import annotations

from harness.metrics.embeddings import CLIP_MODELS, extractors, spaces
from harness.metrics.faces.names import SHIPPED, faces
from harness.metrics.judge_names import RECOGNISERS, RUNNERS, SCORERS, with_own
from harness.metrics.metric import Metric
from harness.registry import Registry

CLASSIFIERS = ("avatars", "digits")
ATTRIBUTES = (
    *("style", "skin", "hair_color", "hair_style", "glasses", "hat", "expression", "clothes", "background", "pose"),
    *("garment", "digit"),
)
COLORS = ("red", "green", "blue", "none")
LPIPS_NETS = ("alex", "vgg", "squeeze")

METRICS: Registry[type[Metric]] = Registry(
    kind="metric",
    base=lambda: Metric,
    values={
        "extractor": extractors,
        "space": spaces,
        "clip": lambda: CLIP_MODELS,
        "classifier": lambda: CLASSIFIERS,
        "attribute": lambda: ATTRIBUTES,
        "color": lambda: COLORS,
        "net": lambda: LPIPS_NETS,
        "scorer": lambda: with_own(SCORERS),
        "runner": lambda: with_own(RUNNERS),
        "face": faces,
        "recogniser": lambda: with_own(RECOGNISERS),
    },
    shipped={
        "scorer": lambda: SCORERS,
        "runner": lambda: RUNNERS,
        "recogniser": lambda: RECOGNISERS,
        "face": lambda: SHIPPED,
    },
    entries={
        "fid": "harness.metrics.fid:Fid",
        "fid.legacy_pytorch": "harness.metrics.fid:FidLegacyPytorch",
        "fid.legacy_tensorflow": "harness.metrics.fid:FidLegacyTensorflow",
        "kid": "harness.metrics.kid:Kid",
        "kid.legacy_pytorch": "harness.metrics.kid:KidLegacyPytorch",
        "kid.legacy_tensorflow": "harness.metrics.kid:KidLegacyTensorflow",
        "fd.{space}": "harness.metrics.frechet_distance:FrechetDistance",
        "kd.{space}": "harness.metrics.kernel_distance:KernelDistance",
        "precision.{extractor}": "harness.metrics.manifold:Precision",
        "recall.{extractor}": "harness.metrics.manifold:Recall",
        "density.{extractor}": "harness.metrics.manifold:Density",
        "coverage.{extractor}": "harness.metrics.manifold:Coverage",
        "vendi.{extractor}": "harness.metrics.spectrum:Vendi",
        "vendi.{extractor}.prompt": "harness.metrics.spectrum:VendiPrompt",
        "rke.{extractor}": "harness.metrics.spectrum:RKE",
        "rke.{extractor}.prompt": "harness.metrics.spectrum:RKEPrompt",
        "pd.{extractor}.pairs": "harness.metrics.perceptual:FeaturePairs",
        "pd.{extractor}.source": "harness.metrics.perceptual:FeatureSource",
        "lpips.{net}.pairs": "harness.metrics.perceptual:LpipsPairs",
        "lpips.{net}.source": "harness.metrics.perceptual:LpipsSource",
        "nn.{extractor}.median": "harness.metrics.nearest_neighbour:NeighbourMedian",
        "nn.{extractor}.ratio": "harness.metrics.nearest_neighbour:NeighbourRatio",
        "copy.{extractor}": "harness.metrics.copy_rate:CopyRate",
        "clip.{clip}": "harness.metrics.clip_score:ClipScore",
        "ssim": "harness.metrics.image_similarity:Ssim",
        "psnr": "harness.metrics.image_similarity:Psnr",
        "ms_ssim": "harness.metrics.image_similarity:MsSsim",
        "ms_ssim.pairs": "harness.metrics.image_similarity:MsSsimPairs",
        "shield.inside.{extractor}": "harness.metrics.shield:ShieldRate",
        "attr.tv.{attribute}": "harness.metrics.attribute_shares:TotalVariation",
        "attr.tv_corrected.{attribute}": "harness.metrics.attribute_shares:TotalVariationCorrected",
        "attr.min_class.{attribute}": "harness.metrics.attribute_shares:MinClass",
        "attr.min_class_corrected.{attribute}": "harness.metrics.attribute_shares:MinClassCorrected",
        "attr.kl.{attribute}": "harness.metrics.attribute_divergence:Divergence",
        "attr.kl_corrected.{attribute}": "harness.metrics.attribute_divergence:DivergenceCorrected",
        "quality.{scorer}": "harness.metrics.quality:Quality",
        "attr.match.{classifier}": "harness.metrics.attribute_match:AttributeMatch",
        "color.dominance.all": "harness.metrics.color_dominance:AllColors",
        "color.dominance.two": "harness.metrics.color_dominance:TwoColors",
        "color.dominance.mean": "harness.metrics.color_dominance:MeanColors",
        "color.dominance.share.{color}": "harness.metrics.color_dominance:ColorShare",
        "color.de2000": "harness.metrics.color_difference:PairDifference",
        "color.palette_entropy": "harness.metrics.color_difference:PaletteEntropy",
        "color.name_vendi": "harness.metrics.color_difference:NameVendi",
        "color.hue": "harness.metrics.color_hue:HueDiversity",
        "wer.{recogniser}": "harness.metrics.word_error_rate:WordErrorRate",
        "wer.{recogniser}.macro": "harness.metrics.word_error_rate:WordErrorRateMacro",
        "cer.{recogniser}": "harness.metrics.word_error_rate:CharacterErrorRate",
        "cer.{recogniser}.macro": "harness.metrics.word_error_rate:CharacterErrorRateMacro",
        "search.gap": "harness.metrics.search_account:SearchGap",
        "bleu": "harness.metrics.bleu:Bleu",
        "chrf": "harness.metrics.chrf:Chrf",
        "exact": "harness.metrics.exact:Exact",
        "code.ca.{runner}": "harness.metrics.code_tests:ComputationalAccuracy",
        "code.pass_at_k.{runner}": "harness.metrics.code_tests:PassAtK",
        "unlearn.UA": "harness.metrics.unlearning.accuracy:UnlearningAccuracy",
        "unlearn.RA": "harness.metrics.unlearning.accuracy:RetainAccuracy",
        "unlearn.TA": "harness.metrics.unlearning.accuracy:TestAccuracy",
        "unlearn.TA_forgotten": "harness.metrics.unlearning.accuracy:ForgottenTestAccuracy",
        "ver.tar_clean.{face}": "harness.metrics.faces.verification:CleanAcceptance",
        "ver.dodge_raw.{face}": "harness.metrics.faces.verification:DodgingRaw",
        "ver.dodge_cond.{face}": "harness.metrics.faces.verification:Dodging",
        "ver.dodge_gain.{face}": "harness.metrics.faces.verification:DodgingGain",
        "ver.leak.{face}": "harness.metrics.faces.verification:Leak",
        "ver.self.{face}": "harness.metrics.faces.verification:SelfDodging",
    },
)
