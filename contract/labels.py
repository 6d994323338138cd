"""The seven classes of HAM10000, in the order of every model's outputs."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class LesionClass:
    """One diagnosis: its code in the `dx` column of HAM10000, and a description for people."""

    code: str
    name: str
    malignant: bool  # cancer or a precursor of it: counted by the any-malignant operating point
    description: str  # plain language, one or two sentences


CLASSES: Final[tuple[LesionClass, ...]] = (
    LesionClass(
        code="akiec",
        name="Actinic keratosis or Bowen's disease",
        malignant=True,
        description=(
            "Rough, scaly patches from years of sun. Some become an invasive skin cancer, so they are treated."
        ),
    ),
    LesionClass(
        code="bcc",
        name="Basal cell carcinoma",
        malignant=True,
        description=(
            "The most common skin cancer. It grows slowly and rarely spreads, but it does not heal without treatment."
        ),
    ),
    LesionClass(
        code="bkl",
        name="Benign keratosis",
        malignant=False,
        description=(
            "Harmless growths of older skin: seborrheic keratoses, solar lentigines, lichen-planus-like keratoses."
        ),
    ),
    LesionClass(
        code="df",
        name="Dermatofibroma",
        malignant=False,
        description="A small, firm, harmless lump, often on the legs and often after an insect bite or a scratch.",
    ),
    LesionClass(
        code="mel",
        name="Melanoma",
        malignant=True,
        description="The most dangerous of the common skin cancers. Found early, it can nearly always be cured.",
    ),
    LesionClass(
        code="nv",
        name="Melanocytic nevus",
        malignant=False,
        description="An ordinary mole. A doctor should look at a mole that changes in size, shape or colour.",
    ),
    LesionClass(
        code="vasc",
        name="Vascular lesion",
        malignant=False,
        description=(
            "Harmless lesions of small blood vessels: cherry angiomas, angiokeratomas, pyogenic granulomas, bleeding."
        ),
    ),
)

CODES: Final[tuple[str, ...]] = tuple(lesion_class.code for lesion_class in CLASSES)
BY_CODE: Final[dict[str, LesionClass]] = {lesion_class.code: lesion_class for lesion_class in CLASSES}
MALIGNANT_CODES: Final[tuple[str, ...]] = tuple(c.code for c in CLASSES if c.malignant)

DISCLAIMER: Final = (
    "Not a diagnosis. This is research software built on HAM10000; it has not been tested in clinical use "
    "and it can be wrong. If a lesion worries you, show it to a doctor, whatever this software says."
)
