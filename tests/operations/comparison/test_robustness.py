"""The gates on changed pictures: a group may rise by the noise, and a missing measurement never passes."""

import pytest

from contract.bundle import Robustness
from operations.comparison.robustness import MAX_NOISE, apply_robustness_gates
from tests.low_risk_shares import low_risk_shares
from training.evaluation.robustness.names import GROUPS, NAMES, NOISE_FLOOR


def failed(challenger: Robustness | None, champion: Robustness | None) -> list[str]:
    return [
        f"{result.gate}: {result.sentence}"
        for result in apply_robustness_gates(challenger, champion)
        if not result.passed
    ]


def of_all(group: str, share: float) -> dict[str, float]:
    return {name: share for name, named in NAMES.items() if named.group == group}


def test_each_group_has_a_gate_and_an_equal_model_passes() -> None:
    bad = low_risk_shares({"dark_circle_1.0": 0.35, "light_0.4": 0.43})
    results = apply_robustness_gates(bad, bad)
    assert len(results) == len(GROUPS)
    assert all(result.passed for result in results)


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "file"])
def test_the_mean_of_a_group_may_rise_by_the_noise_of_saving_again(group: str) -> None:
    champion = low_risk_shares(of_all(group, 0.1) | {NOISE_FLOOR: 0.008}, width=0.012)  # noise: up to 0.02
    assert failed(low_risk_shares(of_all(group, 0.12)), champion) == []
    (sentence,) = failed(low_risk_shares(of_all(group, 0.1205)), champion)
    assert "become low_risk, champion 10.0% (limit: 2.0% more, the noise)" in sentence


def test_one_worse_change_counts_by_its_share_of_the_group() -> None:
    marks = [name for name, named in NAMES.items() if named.group == "marks"]
    assert failed(low_risk_shares({marks[0]: 0.04}), low_risk_shares({})) == []
    assert len(failed(low_risk_shares({marks[0]: 0.05}), low_risk_shares({}))) == 1


def test_a_noise_that_few_pictures_leave_uncertain_is_bounded() -> None:
    champion = low_risk_shares({}, width=0.2)
    assert failed(low_risk_shares(of_all("light", MAX_NOISE)), champion) == []
    assert len(failed(low_risk_shares(of_all("light", MAX_NOISE + 0.001)), champion)) == 1


def test_a_challenger_without_results_does_not_pass_and_learns_how_to_get_them() -> None:
    for champion in (None, low_risk_shares({})):
        (sentence,) = failed(None, champion)
        assert sentence.startswith("changed pictures: were not measured")
        assert "--data" in sentence


def test_without_results_of_the_champion_every_change_must_reach_its_goal() -> None:
    assert failed(low_risk_shares(of_all("border", 0.02) | of_all("turn", 0.01)), None) == []
    (sentence,) = failed(low_risk_shares({"dark_circle_1.0": 0.35, "dark_circle_1.1": 0.03}), None)
    assert "dark circle, diameter 1.0: 35.0% become low_risk (goal: at most 2%), and 1 more" in sentence
    (sentence,) = failed(low_risk_shares({"turned_90": 0.011}), None)
    assert "turned by 90 degrees: 1.1% become low_risk (goal: at most 1%)" in sentence


def test_without_results_of_the_champion_a_turn_must_keep_the_leading_class() -> None:
    assert failed(low_risk_shares({}, class_changes={"turned_180": 0.06}), None) == []
    (sentence,) = failed(low_risk_shares({}, class_changes={"turned_180": 0.14}), None)
    assert "turned by 180 degrees: the leading class changes in 14.0% (goal: at most 6%)" in sentence


def test_a_group_that_only_the_champion_has_does_not_pass() -> None:
    everything = low_risk_shares({})
    known = {name: effect for name, effect in everything.changes.items() if effect.group != "blur"}
    (sentence,) = failed(everything.model_copy(update={"changes": known}), everything)
    assert sentence.startswith("changed pictures, blur: were not measured for both models")
