"""What phase a volume can show, by how bright aorta, liver and spleen are in it (CT, in HU).

Before contrast agent all are below about 70 HU. In the arterial phase the aorta is bright and the
liver is not yet. In the portal venous phase the liver is brightest. Later the aorta fades towards
the liver. Dose, tube voltage, circulation and a fat liver shift all values, so the bands are wide
and overlap: they exclude what cannot be. What is certain comes from comparing the volumes of one
patient with each other and with the times between them.
"""

from dataclasses import dataclass

NATIVE = "native"
_LEAST_COVERED = 0.6
"""Share of the drawn liver that a volume has to cover."""
_LIVER_HU = (-30.0, 350.0)
_SAME_HU = 8.0
"""Two volumes of one phase differ less than this in the aorta."""
_ORDER = (NATIVE, "arterial", "portal_venous", "delayed")
_APART_SECONDS = {
    # between the starts of two phases: least, most
    ("arterial", "portal_venous"): (10.0, 100.0),
    ("arterial", "delayed"): (75.0, 1800.0),
    ("portal_venous", "delayed"): (45.0, 1800.0),
}


@dataclass(frozen=True)
class Enhancement:
    """What was measured in one volume.

    Attributes:
        aorta: Mean in the core of the aorta, median over slices, in HU; ``None`` if not found.
        liver: Median in the drawn liver, in HU; ``None`` without a drawn liver.
        spleen: Median in the spleen, in HU; ``None`` if not found.
        covered: Share of the drawn liver that lies inside the volume.
        unreadable: Why nothing could be measured.
    """

    aorta: float | None = None
    liver: float | None = None
    spleen: float | None = None
    covered: float = 1.0
    unreadable: str = ""

    @property
    def shows_liver(self) -> bool:
        """Whether the drawn liver lies in the volume and looks like a liver."""
        if self.covered < _LEAST_COVERED:
            return False
        return self.liver is None or _LIVER_HU[0] <= self.liver <= _LIVER_HU[1]

    def __str__(self) -> str:
        """Say it as in a message."""
        if self.unreadable:
            return f"not measured: {self.unreadable}"
        if self.covered < _LEAST_COVERED:
            return f"shows {self.covered:.0%} of the drawn liver"
        if not self.shows_liver:
            return f"{self.liver:.0f} HU where the liver was drawn"
        aorta = "aorta not found" if self.aorta is None else f"aorta {self.aorta:.0f}"
        liver = "no liver drawn" if self.liver is None else f"liver {self.liver:.0f}"
        spleen = "" if self.spleen is None else f", spleen {self.spleen:.0f}"
        return f"{aorta}, {liver}{spleen} HU"


def can_be(measured: Enhancement | None, phase: str) -> bool:
    """Tell whether a volume with these values can show the phase; yes where nothing is known."""
    if measured is None:
        return True
    aorta, liver, spleen = measured.aorta, measured.liver, measured.spleen
    if phase == NATIVE:
        return (aorta or 0) <= 90 and (liver or 0) <= 90 and (spleen or 0) <= 85
    if phase not in _ORDER:
        return True
    if aorta is None:
        return liver is None or phase == "arterial" or liver >= 40
    if liver is None:
        return aorta >= {"arterial": 120, "portal_venous": 80, "delayed": 65}[phase]
    above, ratio = aorta - liver, aorta / max(liver, 1.0)
    if phase == "arterial":
        return aorta >= 120 and above >= 50 and ratio >= 1.6
    if phase == "portal_venous":
        return 80 <= aorta <= 320 and liver >= 50 and above <= 150 and ratio <= 3
    return 65 <= aorta <= 220 and liver >= 40 and above <= 90 and ratio <= 2.6


def can_precede(
    before: Enhancement | None, after: Enhancement | None, phases: tuple[str, str]
) -> bool:
    """Tell whether the change from one volume to a later one fits a pair of told phases.

    This only excludes what contradicts: the aorta fades from the arterial phase on, and the
    liver brightens up to the portal venous one.
    """
    if before is None or after is None or not set(phases) <= set(_ORDER):
        return True
    aorta, liver = _change(before.aorta, after.aorta), _change(before.liver, after.liver)
    if phases[0] == NATIVE:
        return aorta is None or aorta >= 15
    if phases == ("arterial", "portal_venous"):
        return (aorta is None or aorta <= 10) and (liver is None or liver >= -10)
    return (aorta is None or aorta <= 10) and (
        liver is None or phases[0] == "arterial" or liver <= 20
    )


def fits(
    before: Enhancement,
    after: Enhancement,
    phases: tuple[str, str],
    seconds: float | None,
) -> bool:
    """Tell whether the change between two volumes speaks for a pair of untold phases.

    Args:
        before: Values of the volume of the earlier phase.
        after: Values of the volume of the later phase.
        phases: Their phases.
        seconds: From the start of one to that of the other, if known.
    """
    aorta, liver = _change(before.aorta, after.aorta), _change(before.liver, after.liver)
    if aorta is None or liver is None:
        return False
    least, most = _APART_SECONDS.get(phases, (0.0, 1e9))
    if seconds is not None and not least <= seconds <= most:
        return False
    if phases[0] == phases[1]:
        # a delayed scan may be followed by a later one, in which the aorta has faded further
        if phases[0] == "delayed":
            return -60 <= aorta < _SAME_HU and abs(liver) <= 40
        return abs(aorta) < _SAME_HU and abs(liver) < _SAME_HU and (seconds or 0.0) <= 60
    if phases[0] == NATIVE:
        return aorta >= 25
    if phases == ("arterial", "portal_venous"):
        return aorta <= -20 and liver >= 5
    if phases == ("arterial", "delayed"):
        return aorta <= -40
    return aorta <= -_SAME_HU and liver <= 15


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
