"""The findings of the check for one stack."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One problem."""

    where: str  # the address of a resource, a data source or an output; or the stack
    step: str  # translate, validate, plan or apply
    message: str

    def __str__(self) -> str:
        return f"{self.step}: {self.where}: {' '.join(self.message.split())}"


@dataclass
class StackReport:
    """The counts and the findings of one stack."""

    stack: str
    resources: int = 0  # that the program registers, without components
    valid: int = 0  # resources with arguments that the provider accepts
    planned: int = 0  # changes in the plan: every resource, and data sources that can be read only later
    created: int | None = None  # in the emulated AWS; None: not asked for
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Write the summary, then a line for each finding."""
        created = "" if self.created is None else f", {self.created} created"
        counts = f"{self.resources} resources, {self.valid} valid, {self.planned} planned{created}"
        problems = "1 problem" if len(self.findings) == 1 else f"{len(self.findings)} problems"
        yield f"{self.stack}: {counts}, {problems}"
        for finding in self.findings:
            yield f"  {finding}"
