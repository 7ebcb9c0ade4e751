"""Calls that contradict their annotations fail in the tests: by type everywhere, by shape where one is named."""

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError

from alft import consensus
from alft.answers import Extraction
from alft.text import counted
from tests.checked_types import shaped


def test_a_value_of_another_type_fails():
    with pytest.raises(BeartypeCallHintParamViolation, match="count"):
        counted("many", "question")  # type: ignore[arg-type]
    with pytest.raises(BeartypeCallHintParamViolation, match="boxes"):
        Extraction("7", boxes="one")  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_together_fail():
    nu = np.full((2, 3), 1 / 3)
    assert consensus.arithmetic(nu, np.full(2, 0.5)) == pytest.approx(nu[0])
    with pytest.raises(TypeCheckError, match="weights"):
        consensus.arithmetic(nu, np.full(4, 0.25))


def test_the_modules_that_name_shapes_are_found(tmp_path):
    package = tmp_path / "alft"
    (package / "sub").mkdir(parents=True)
    for name, text in {
        "own": "from jaxtyping import Float\n\nViews = Float[np.ndarray, 'view answer']\nOTHER = 3\n",
        "sub/borrowed": "from alft.own import (\n    OTHER,\n    Views,\n)\n",
        "sub/late": "if TYPE_CHECKING:\n    import torch\n",
        "plain": "from alft.own import OTHER\n",
        "sub/__init__": "from alft.own import Views\n",
    }.items():
        (package / f"{name}.py").write_text(text)
    assert sorted(shaped(package)) == ["alft.own", "alft.sub.borrowed", "alft.sub.late"]
