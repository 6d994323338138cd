"""The licence of HAM10000: shown before the download, and written to the folder of the pictures."""

from typing import Final

FILE: Final = "LICENCE.txt"  # in the folder of the pictures

TERMS: Final = """\
HAM10000 is published under the Creative Commons Attribution-NonCommercial 4.0 International licence (CC BY-NC 4.0,
https://creativecommons.org/licenses/by-nc/4.0/). You may use, adapt and share it
  - with attribution, and
  - for non-commercial purposes only; this includes a model that is trained on it.

Cite it as:
  Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset, a large collection of multi-source dermatoscopic images
  of common pigmented skin lesions. Scientific Data 5, 180161 (2018). doi:10.1038/sdata.2018.161
  Archive of record: Harvard Dataverse, doi:10.7910/DVN/DBW86T
"""
