"""The seven classes of HAM10000, in the order in which every model answers."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class LesionClass:
    """One diagnosis: its code in HAM10000's `dx` column and what a person should know of it."""

    code: str
    name: str
    malignant: bool  # cancer, or on its way there: what the any-malignant operating point counts
    description: str  # plain language, one or two sentences


CLASSES: Final[tuple[LesionClass, ...]] = (
    LesionClass(
        code="akiec",
        name="Actinic keratosis or Bowen's disease",
        malignant=True,
        description=(
            "Rough, scaly patches from years of sun. Some turn into an invasive skin cancer, so they are treated."
        ),
    ),
    LesionClass(
        code="bcc",
        name="Basal cell carcinoma",
        malignant=True,
        description=(
            "The most common skin cancer. It grows slowly and hardly ever spreads, but it does not go away untreated."
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
        description="The most dangerous of the common skin cancers. Found early it can nearly always be cured.",
    ),
    LesionClass(
        code="nv",
        name="Melanocytic nevus",
        malignant=False,
        description="An ordinary mole. A mole that changes in size, shape or colour should be looked at.",
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
    "and it can be wrong. Show a lesion that worries you to a doctor, whatever is said here."
)
