"""What a user reads when a suite is wrong: exact words, place, the line with a caret, and all problems at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.suite import SuiteError, load_suite, plan

Write = Callable[..., str]

# change of the base suite → place, message, text of the line, column of the caret
CASES: dict[str, tuple[dict[str, str], str]] = {
    "an unknown key": (
        {"version: 2": "version: 2\nmetrcs: []"},
        """\
mine.yaml:3:1: unknown key 'metrcs'; did you mean 'metrics'?
    metrcs: []
    ^""",
    ),
    "a missing key": (
        {"model: toy\n": ""},
        """\
mine.yaml:1:1: missing key 'model'
    suite: mine
    ^""",
    ),
    "text for a number": (
        {"version: 2": "version: two"},
        """\
mine.yaml:2:10: version: expected a whole number, found 'two'
    version: two
             ^""",
    ),
    "a number in quotes": (
        {"version: 2": "version: '2'"},
        """\
mine.yaml:2:10: version: expected a whole number, found '2'
    version: '2'
             ^""",
    ),
    "a number for a list": (
        {"seeds: [0, 1]": "seeds: 3"},
        """\
mine.yaml:7:8: seeds: expected a list, found 3
    seeds: 3
           ^""",
    ),
    "an empty list": (
        {"metrics: [fd.avatars, vendi.avatars]": "metrics: []"},
        """\
mine.yaml:13:10: metrics: must not be empty
    metrics: []
             ^""",
    ),
    "a negative seed": (
        {"seeds: [0, 1]": "seeds: [0, -1]"},
        """\
mine.yaml:7:12: seeds.1: should be greater than or equal to 0, found -1
    seeds: [0, -1]
               ^""",
    ),
    "a seed twice": (
        {"seeds: [0, 1]": "seeds: [0, 1, 0]"},
        """\
mine.yaml:7:15: seed 0 stands twice
    seeds: [0, 1, 0]
                  ^""",
    ),
    "an unknown split": (
        {"compare_to: iid": "split: reprot"},
        """\
mine.yaml:8:8: split: expected 'report' or 'tune', found 'reprot'; did you mean 'report'?
    split: reprot
           ^""",
    ),
    "a name that is no file name": (
        {"suite: mine": "suite: my/suite"},
        """\
mine.yaml:1:8: a suite's name starts with a letter or digit and holds letters, digits, dots, dashes and \
underscores, found 'my/suite'
    suite: my/suite
           ^""",
    ),
    "a component that is neither name nor mapping": (
        {"model: toy": "model: [toy]"},
        """\
mine.yaml:4:8: model: expected a name, or a mapping with `name` and parameters, found a list
    model: [toy]
           ^""",
    ),
    "a component without a name": (
        {"model: toy": "model: {guidance: 2}"},
        """\
mine.yaml:4:8: missing key 'name'
    model: {guidance: 2}
           ^""",
    ),
    "an unknown task": (
        {"name: text_to_image": "name: text_to_imge"},
        """\
mine.yaml:3:14: unknown task 'text_to_imge'; did you mean 'text_to_image'?
    task: {name: text_to_imge, prompts: avatars/open, first: 2, images_per_prompt: 4}
                 ^""",
    ),
    "an unknown model": (
        {"model: toy": "model: avatar-sd"},
        """\
mine.yaml:4:8: unknown model 'avatar-sd'; did you mean 'avatars-sd'?
    model: avatar-sd
           ^""",
    ),
    "an unknown prompt set": (
        {"prompts: avatars/open": "prompts: avatars/opne"},
        """\
mine.yaml:3:38: unknown prompt set 'avatars/opne'; did you mean 'avatars/open'?
    task: {name: text_to_image, prompts: avatars/opne, first: 2, images_per_prompt: 4}
                                         ^""",
    ),
    "an unknown data set": (
        {"name: avatars/prompts": "name: avatars/promts"},
        """\
mine.yaml:6:21: unknown data set 'avatars/promts'; did you mean 'avatars/prompts'?
      reference: {name: avatars/promts, per_prompt: 5}
                        ^""",
    ),
    "an unknown data role": (
        {"reference: {": "refrence: avatars/heldout\n  reference: {"},
        """\
mine.yaml:6:3: unknown data role 'refrence' (one of reference, protected, heldout, source); did you mean 'reference'?
      refrence: avatars/heldout
      ^""",
    ),
    "an unknown method": (
        {"  - cads": "  - casd"},
        """\
mine.yaml:12:5: unknown method 'casd'; did you mean 'cads'?
      - casd
        ^""",
    ),
    "an unknown baseline": (
        {"baselines: [iid]": "baselines: [iid, low_guidance@dvae]"},
        """\
mine.yaml:9:18: unknown baseline 'low_guidance@dvae'; did you mean 'low_guidance@dave'?
    baselines: [iid, low_guidance@dvae]
                     ^""",
    ),
    "an unknown control": (
        {"baselines: [iid]": "baselines: [iid]\ncontrols: [norm_match_noise]"},
        """\
mine.yaml:10:12: unknown control 'norm_match_noise'; did you mean 'norm_matched_noise'?
    controls: [norm_match_noise]
               ^""",
    ),
    "an unknown metric": (
        {"metrics: [fd.avatars,": "metrics: [lpisp.alex.pairs, fd.avatars,"},
        """\
mine.yaml:13:11: unknown metric 'lpisp.alex.pairs'; did you mean 'lpips.alex.pairs'?
    metrics: [lpisp.alex.pairs, fd.avatars, vendi.avatars]
              ^""",
    ),
    "a metric whose name means two things": (
        {"metrics: [fd.avatars,": "metrics: [psr, fd.avatars,"},
        """\
mine.yaml:13:11: a bare 'psr' does not exist: it may mean dodging (ver.dodge_cond.NAME) or impersonation (imp.raw.NAME)
    metrics: [psr, fd.avatars, vendi.avatars]
              ^""",
    ),
    "alternatives in braces, one of them unknown": (
        {"metrics: [fd.avatars,": 'metrics: ["fd.{avatars,avatar}",'},
        """\
mine.yaml:13:11: unknown metric 'fd.avatar'; did you mean 'fd.avatars'?
    metrics: ["fd.{avatars,avatar}", vendi.avatars]
              ^""",
    ),
    "a metric with a wrong placeholder": (
        {"metrics: [fd.avatars,": "metrics: [fd.avatar,"},
        """\
mine.yaml:13:11: unknown metric 'fd.avatar'; did you mean 'fd.avatars'?
    metrics: [fd.avatar, vendi.avatars]
              ^""",
    ),
    "an unknown parameter": (
        {"radius_quantile: 0.3": "radius_quantil: 0.3"},
        """\
mine.yaml:11:19: method 'spell': unknown parameter 'radius_quantil'; did you mean 'radius_quantile'?
      - {name: spell, radius_quantil: 0.3}
                      ^""",
    ),
    "an unknown parameter of a metric": (
        {"vendi.avatars]": "{name: vendi.avatars, qq: 1}]"},
        """\
mine.yaml:13:45: metric 'vendi.avatars': unknown parameter 'qq'; did you mean 'q'?
    metrics: [fd.avatars, {name: vendi.avatars, qq: 1}]
                                                ^""",
    ),
    "a parameter of the wrong type": (
        {"radius_quantile: 0.3": "radius_quantile: wide"},
        """\
mine.yaml:11:36: method 'spell': input should be a valid number, unable to parse string as a number, found 'wide'
      - {name: spell, radius_quantile: wide}
                                       ^""",
    ),
    "a parameter out of bounds": (
        {"radius_quantile: 0.3": "radius_quantile: 1.5"},
        """\
mine.yaml:11:36: method 'spell': must be at most 1, found 1.5
      - {name: spell, radius_quantile: 1.5}
                                       ^""",
    ),
    "a missing parameter": (
        {"prompts: avatars/open, ": ""},
        """\
mine.yaml:3:7: task 'text_to_image': missing parameter 'prompts'
    task: {name: text_to_image, first: 2, images_per_prompt: 4}
          ^""",
    ),
    "parameters that contradict each other": (
        {"radius_quantile: 0.3": "among: nothing"},
        """\
mine.yaml:11:5: method 'spell': nothing repels: set `protected`, or `among` to group or history
      - {name: spell, among: nothing}
        ^""",
    ),
    "a task that cannot be laid out": (
        {"images_per_prompt: 4": "images_per_prompt: 4, group_size: 3"},
        """\
mine.yaml:3:7: task 'text_to_image': group_size 3 does not divide images_per_prompt 4
    task: {name: text_to_image, prompts: avatars/open, first: 2, images_per_prompt: 4, group_size: 3}
          ^""",
    ),
    "a sweep of an unknown parameter": (
        {"radius_quantile: 0.3": "sweep: {radius_quantil: [0.1]}"},
        """\
mine.yaml:11:27: method 'spell': sweep of unknown parameter 'radius_quantil'; did you mean 'radius_quantile'?
      - {name: spell, sweep: {radius_quantil: [0.1]}}
                              ^""",
    ),
    "a sweep value out of bounds": (
        {"radius_quantile: 0.3": "sweep: {radius_quantile: [0.1, 2]}"},
        """\
mine.yaml:11:50: method 'spell': radius_quantile: must be at most 1, found 2.0
      - {name: spell, sweep: {radius_quantile: [0.1, 2]}}
                                                     ^""",
    ),
    "a sweep value twice": (
        {"radius_quantile: 0.3": "sweep: {radius_quantile: [0.1, 0.1]}"},
        """\
mine.yaml:11:50: sweep of 'radius_quantile': 0.1 stands twice
      - {name: spell, sweep: {radius_quantile: [0.1, 0.1]}}
                                                     ^""",
    ),
    "a sweep without values": (
        {"radius_quantile: 0.3": "sweep: {radius_quantile: []}"},
        """\
mine.yaml:11:44: methods.0.sweep.radius_quantile: must not be empty
      - {name: spell, sweep: {radius_quantile: []}}
                                               ^""",
    ),
    "a method of a kind that the task does not take": (
        {"  - cads": "  - toy_edit"},
        """\
mine.yaml:12:5: method 'toy_edit' is of kind edit; task 'text_to_image' takes sampling, search
      - toy_edit
        ^""",
    ),
    "a search that nothing can be told": (
        {"  - cads": "  - evolgan"},
        """\
mine.yaml:12:5: evolgan is a search: text_to_image needs the option `judge`, an image scorer, to tell it scores
      - evolgan
        ^""",
    ),
    "prompts that are tuned on and reported": (
        {"first: 2,": "first: 2, tune_prompts: avatars/open,"},
        """\
mine.yaml:3:7: task 'text_to_image': 2 tune prompts are reported too, the first 'a portrait of a person'
    task: {name: text_to_image, prompts: avatars/open, first: 2, tune_prompts: avatars/open, images_per_prompt: 4}
          ^""",
    ),
    "a metric that the task cannot feed": (
        {"metrics: [fd.avatars,": "metrics: [toy.logits, fd.avatars,"},
        """\
mine.yaml:13:11: metric 'toy.logits' needs 'logits' of generated items, which task 'text_to_image' cannot feed; \
of generated items it has FEEDS
    metrics: [toy.logits, fd.avatars, vendi.avatars]
              ^""",
    ),
    "a metric without its reference": (
        {"data:\n  reference: {name: avatars/prompts, per_prompt: 5}\n": ""},
        """\
mine.yaml:11:11: metric 'fd.avatars' compares with the data role 'reference', which is not in the suite's \
`data` section
    metrics: [fd.avatars, vendi.avatars]
              ^""",
    ),
    "a method that reads data that is not there": (
        {"radius_quantile: 0.3": "protected: protected"},
        """\
mine.yaml:11:30: method 'spell': protected names the data role 'protected', which is not in the `data` section
      - {name: spell, protected: protected}
                                 ^""",
    ),
    "a metric twice": (
        {"vendi.avatars]": "{name: fd.avatars}]"},
        """\
mine.yaml:13:23: metric 'fd.avatars' stands twice with the same parameters
    metrics: [fd.avatars, {name: fd.avatars}]
                          ^""",
    ),
    "a primary metric that is not measured": (
        {"compare_to: iid": "primary: [fd.avatar]"},
        """\
mine.yaml:8:11: primary: 'fd.avatar' is not among the metrics; did you mean 'fd.avatars'?
    primary: [fd.avatar]
              ^""",
    ),
    "an unknown row to compare with": (
        {"compare_to: iid": "compare_to: idd"},
        """\
mine.yaml:8:13: unknown row 'idd'; did you mean 'iid'?
    compare_to: idd
                ^""",
    ),
    "two rows of one label": (
        {"  - cads": "  - cads\n  - {name: cads, s: 0.1}"},
        """\
mine.yaml:13:5: a second row called 'cads' (the first is methods.1); give one of them another label with `as:`
      - {name: cads, s: 0.1}
        ^""",
    ),
    "a key twice": (
        {"compare_to: iid": "seeds: [3]"},
        """\
mine.yaml:8:1: key 'seeds' stands twice in one mapping, first in line 7
    seeds: [3]
    ^""",
    ),
    "something to extend that does not exist": (
        {"version: 2": "extends: quickstrat"},
        """\
mine.yaml:2:10: extends 'quickstrat': neither a file nor a shipped suite (SHIPPED); did you mean 'quickstart'?
    extends: quickstrat
             ^""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_message_names_place_words_and_the_nearest_valid_name(case: str, write: Write) -> None:
    from harness.suite import suite_names
    from harness.tasks.text_to_image import TextToImage

    changes, message = CASES[case]
    feeds = TextToImage("avatars/open").feeds()
    message = message.replace("SHIPPED", ", ".join(suite_names()))
    message = message.replace("FEEDS", ", ".join(sorted(kind for kind, role in feeds if role == "generated")))
    with pytest.raises(SuiteError) as caught:
        load_suite(write(changes))
    assert str(caught.value) == message


def test_all_problems_of_a_file_come_at_once_in_the_order_of_their_lines(write: Write) -> None:
    wrong = {
        "version: 2": "version: two",
        "model: toy": "model: {name: toy, guidance: -1}",
        "name: avatars/prompts": "name: avatars/promts",
        "seeds: [0, 1]": "sedes: [0, 1]",
        "radius_quantile: 0.3": "radius_quantil: 0.3",
        "vendi.avatars]": "vendi.avatrs]",
    }
    with pytest.raises(SuiteError) as caught:
        load_suite(write(wrong))
    assert [(p.mark.line, p.message) for p in caught.value.problems] == [
        (2, "version: expected a whole number, found 'two'"),
        (4, "model 'toy': must be at least 0, found -1.0"),
        (6, "unknown data set 'avatars/promts'"),
        (7, "unknown key 'sedes'"),
        (11, "method 'spell': unknown parameter 'radius_quantil'"),
        (13, "unknown metric 'vendi.avatrs'"),
    ]


def test_a_broken_entry_hides_no_problem_of_its_neighbours(write: Write) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(write({"  - cads": "  - 7\n  - casd", "vendi.avatars]": "[nested], vendi.avatrs]"}))
    assert [p.mark.line for p in caught.value.problems] == [12, 13, 14, 14]


def test_a_message_about_an_inherited_line_names_the_file_it_stands_in(write: Write) -> None:
    write(name="base.yaml", changes={"radius_quantile: 0.3": "radius_quantile: 7"})
    with pytest.raises(SuiteError) as caught:
        load_suite(write("suite: child\nextends: base.yaml\nseeds: [x]\n"))
    assert sorted(str(p.mark) for p in caught.value.problems) == ["base.yaml:11:36", "mine.yaml:3:9"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seds=[1]", "--set seds=[1]: unknown key 'seds'; did you mean 'seeds'?"),
        ("model.guidanc=5", "--set model.guidanc=5: model 'toy': unknown parameter 'guidanc'; "
         "did you mean 'guidance'?"),
        ("model.guidance=-5", "--set model.guidance=-5: model 'toy': must be at least 0, found -5.0"),
        ("methods.9.s=1", "--set methods.9.s=1: methods has 2 entries, counted from 0; there is no 9"),
        ("methods.sepll.s=1", "--set methods.sepll.s=1: methods has no entry 'sepll'; did you mean 'spell'?"),
        ("guidance", "--set guidance: expected KEY=VALUE, for example model.guidance=5"),
        ("suite.name=x", "--set suite.name=x: suite is 'mine' and has no 'name'"),
        ("model=!!python/object:os.system {}", "--set model=!!python/object:os.system {}: tags are not allowed: "
         "tag:yaml.org,2002:python/object:os.system"),
        ("model=[", "--set model=[: not YAML: expected the node content, but found '<stream end>' while parsing a "
         "flow node"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_shown_as_it_was_typed(setting: str, message: str, write: Write) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(write(), [setting])
    assert str(caught.value) == message


def test_wrong_settings_are_all_named(write: Write) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(write(), ["a", "methods.9=cads", "seeds.7=1"])
    assert len(caught.value.problems) == 3


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(SuiteError, match=r"^gone\.yaml: no such file$"):
        load_suite("gone.yaml")
    with pytest.raises(
        SuiteError, match=r"^quickstrat: neither a file nor a shipped suite .*did you mean 'quickstart'"
    ):
        load_suite("quickstrat")
    (folder / "dir").mkdir()
    with pytest.raises(SuiteError, match=r"^dir: is a folder, not a suite$"):
        load_suite("dir")


def test_a_file_that_is_not_text(folder: Path) -> None:
    (folder / "mine.yaml").write_bytes(b"suite: \xff\xfe")
    with pytest.raises(SuiteError, match=r"^mine\.yaml:1:1: not UTF-8 text: byte 7"):
        load_suite("mine.yaml")


def test_missing_weights_say_what_where_how_and_what_instead(write: Write) -> None:
    loaded = load_suite(write({"model: toy": "model: {name: toy, absent: true}"}))
    with pytest.raises(SuiteError) as caught:
        plan(loaded)
    assert str(caught.value).splitlines()[0] == (
        "mine.yaml:4:8: model 'toy': missing toy weights; looked in here, there; fetch it with: harness zoo train toy; "
        "or use model avatars-sd"
    )


def test_a_row_that_only_names_nothing(write: Write) -> None:
    with pytest.raises(SuiteError, match=r"^--only spel: fits no row of the suite; did you mean 'spell'\?$"):
        plan(load_suite(write()), ["spel"])


def test_the_excerpt_of_a_long_line_is_cut_around_the_caret(write: Write) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(write({"seeds: [0, 1]": f"seeds: [{', '.join(map(str, range(200)))}, x]"}))
    line, caret = caught.value.problems[0].mark.excerpt(80).split("\n")
    assert len(line) <= 80
    assert line[caret.index("^")] == "x"
