"""Units: nats inside, another unit at the edge."""

import math

import numpy as np
import pytest
import torch

from xent import units
from xent.errors import OptionError


def test_nats_stay_as_they_are():
    value = np.asarray([0.1, 0.2])
    assert units.from_nats(value) is value
    assert units.from_nats(value, None) is value


@pytest.mark.parametrize(("base", "nats"), [(2, math.log(2)), (2.0, math.log(2)), (math.e, 1.0), (10, math.log(10))])
def test_one_unit_is_the_logarithm_of_its_base(base, nats):
    assert units.from_nats(nats, base) == 1
    assert units.from_nats(3 * nats, np.float64(base)) == pytest.approx(3, rel=1e-15)


def test_library_and_dtype_are_kept():
    assert units.from_nats(np.ones(2, np.float32), 2).dtype == np.float32
    assert units.from_nats(torch.ones(2), 2).dtype == torch.float32
    assert units.from_nats(math.inf, 2) == math.inf


@pytest.mark.parametrize("base", [1, 1.0, 0, 0.5, -2, math.nan, math.inf, True, "2", "bits", [2], 2j])
def test_other_bases_are_refused(base):
    with pytest.raises(OptionError, match=r"^base is .*above 1\.\n"):
        units.from_nats(1.0, base)


def test_names_of_units():
    assert units.unit_base("nats") is None
    assert units.unit_base("bits") == 2
    assert isinstance(units.unit_base("bits"), float)


@pytest.mark.parametrize("unit", ["bit", "Nats", "", None, 2, ["bits"]])
def test_other_units_are_refused(unit):
    with pytest.raises(OptionError, match=r'^unit is .*"nats" or "bits"'):
        units.unit_base(unit)
