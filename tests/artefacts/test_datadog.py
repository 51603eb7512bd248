"""What Datadog's agent is told to fetch is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from holdfast.telemetry.catalogue import BY_NAME

CONF = Path(__file__).parents[2] / "deploy/observability/datadog/openmetrics.d/conf.yaml"


def test_its_check_takes_every_metric_of_the_catalogue_and_names_none_that_is_gone() -> None:
    (instance,) = yaml.safe_load(CONF.read_text())["instances"]
    wanted = instance["metrics"]
    missed = [name for name in BY_NAME if not any(re.search(one, name) for one in wanted)]
    assert missed == []
    assert [one for one in wanted if not any(re.search(one, name) for name in BY_NAME)] == []
    assert instance["openmetrics_endpoint"].endswith(":9090/metrics")
