"""The methods: one file each, one folder a family. Plug-ins come by the entry point `harness.methods`."""

from __future__ import annotations

from harness.methods.method import Method
from harness.registry import Registry

METHODS: Registry[type[Method]] = Registry(
    kind="method",
    base=lambda: Method,
    entries={
        "iid": "harness.methods.diversity.iid:Iid",
        "low_guidance": "harness.methods.diversity.low_guidance:LowGuidance",
        "diverse_diffusion": "harness.methods.diversity.diverse_diffusion:DiverseDiffusion",
        "norm_matched_noise": "harness.methods.diversity.norm_matched_noise:NormMatchedNoise",
        "norm_matched_kmedoids": "harness.methods.diversity.norm_matched_noise:NormMatchedKmedoids",
        "norm_matched_riesz": "harness.methods.diversity.norm_matched_noise:NormMatchedRiesz",
        "iid_equal_time": "harness.methods.diversity.iid_equal_time:IidEqualTime",
        "cluster_balance": "harness.methods.diversity.cluster_balance:ClusterBalance",
        "kmedoids": "harness.methods.diversity.kmedoids:Kmedoids",
        "antithetic": "harness.methods.diversity.antithetic:Antithetic",
        "riesz": "harness.methods.diversity.riesz:Riesz",
        "spell": "harness.methods.diversity.spell:Spell",
        "cads": "harness.methods.diversity.cads:Cads",
        "interval_guidance": "harness.methods.diversity.interval_guidance:IntervalGuidance",
        "particle_guidance": "harness.methods.diversity.particle_guidance:ParticleGuidance",
        "sparke": "harness.methods.diversity.sparke:Sparke",
        "untouched": "harness.methods.retrofitting.untouched:Untouched",
        "fine_tuning": "harness.methods.retrofitting.fine_tuning:FineTuning",
        "retrain": "harness.methods.unlearning.classifier.retrain:Retrain",
        "do_nothing": "harness.methods.unlearning.classifier.do_nothing:DoNothing",
        "fine_tune": "harness.methods.unlearning.classifier.fine_tune:FineTune",
        "afterlearner": "harness.methods.retrofitting.afterlearner:AfterLearner",
        "evolgan": "harness.methods.retrofitting.evolgan:EvolGan",
        "best_of_n": "harness.methods.retrofitting.best_of_n:BestOfN",
        "gradient_latent": "harness.methods.retrofitting.gradient_latent:GradientLatent",
        "truncation": "harness.methods.retrofitting.truncation:Truncation",
        "identity": "harness.methods.cloaking.identity:Identity",
        "pgd": "harness.methods.cloaking.pgd:Pgd",
    },
)
