"""The seven classes are those of HAM10000, in the order of every model's outputs."""

from contract.labels import BY_CODE, CLASSES, CODES, DISCLAIMER, MALIGNANT_CODES


def test_the_classes_are_those_of_ham10000_in_model_order() -> None:
    assert CODES == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def test_the_malignant_classes_are_the_cancers_and_their_precursors() -> None:
    assert MALIGNANT_CODES == ("akiec", "bcc", "mel")


def test_every_class_is_found_by_its_code() -> None:
    assert tuple(BY_CODE) == CODES
    assert all(BY_CODE[lesion_class.code] is lesion_class for lesion_class in CLASSES)


def test_every_class_has_its_own_name_and_a_description_in_sentences() -> None:
    assert len({lesion_class.name for lesion_class in CLASSES}) == len(CLASSES)
    for lesion_class in CLASSES:
        assert lesion_class.name[0].isupper()
        assert lesion_class.description.endswith(".")
        assert 1 <= lesion_class.description.count(". ") + 1 <= 2


def test_the_disclaimer_says_not_a_diagnosis_and_see_a_doctor() -> None:
    assert DISCLAIMER.startswith("Not a diagnosis.")
    assert "doctor" in DISCLAIMER
