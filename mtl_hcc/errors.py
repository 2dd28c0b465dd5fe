"""What users read when something is wrong: what was found, what was expected, where, what to do."""


class MtlHccError(Exception):
    """Base of all errors that a user can mend.

    The message is put together from its parts so that none is forgotten.

    Args:
        found: What was found, as one clause, e.g. ``"no delayed phase"``.
        where: File, patient and column, e.g. ``"patient P012, images/P012"``.
        expected: What was expected instead, as one clause.
        remedy: What the user can do next, as one sentence.

    Example:
        >>> print(MtlHccError("no delayed phase", where="patient P012", remedy="Add the file."))
        patient P012: no delayed phase. Add the file.
    """

    def __init__(
        self, found: str, *, where: str = "", expected: str = "", remedy: str = ""
    ) -> None:
        self.found, self.where, self.expected, self.remedy = found, where, expected, remedy
        message = f"{where}: {found}" if where else found
        message = message.rstrip(".") + "."
        if expected:
            message += f" Expected {expected.rstrip('.')}."
        if remedy:
            message += f" {remedy}"
        super().__init__(message)


class TableError(MtlHccError):
    """The clinical table, or one of its columns, cannot be used."""


class CohortError(MtlHccError):
    """The cohort's folder, or its relation to the table, is not as the contract says."""


class ImageError(MtlHccError):
    """An image or a mask cannot be used."""


class StoreError(MtlHccError):
    """The prepared store cannot be read or written."""


class SplitError(MtlHccError):
    """The patients cannot be split as asked for."""


class ConfigError(MtlHccError):
    """A setting is unknown, misspelt, or does not fit the others."""


class CheckpointError(MtlHccError):
    """A checkpoint cannot be loaded, or belongs to another config."""


class PredictionsError(MtlHccError):
    """A table of predictions does not follow the contract."""


class RunError(MtlHccError):
    """A run folder is absent, unfinished or damaged."""


class TrainingError(MtlHccError):
    """The training cannot go on: a loss, a gradient or a weight is not a finite number."""
