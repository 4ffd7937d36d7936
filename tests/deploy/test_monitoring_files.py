"""The dashboard and the alerts: promtool accepts their expressions, and /metrics has what they name."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRIC = re.compile(r"\bweightinit_[a-z_]+\b")


def list_alerts():
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule["expr"] for rule in group["rules"]]


def list_queries():
    """Return the expressions of the panels, with values for Grafana's variables."""
    texts = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [re.sub(r"\$__\w+", "5m", text).replace("$", "") for text in texts]


def run_promtool(*arguments):
    ended = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_alerts_are_valid():
    run_promtool("check", "rules", str(ALERTS))


def test_each_alert_fires_for_its_fault_only():
    run_promtool("test", "rules", str(DEPLOY / "prometheus/alerts.test.yml"))


def test_each_alert_is_tested():
    tested = (DEPLOY / "prometheus/alerts.test.yml").read_text("utf-8")
    names = re.findall(r"- alert: (\w+)", ALERTS.read_text("utf-8"))
    assert [name for name in names if f"alertname: {name}\n" not in tested] == []


def test_the_expressions_of_the_dashboard_are_valid(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(list_queries())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    run_promtool("check", "rules", str(file))


def test_the_panels_have_their_own_ids_and_places():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_uses_the_chosen_data_source_and_replicas(panel):
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in panel["targets"]:
        assert target["expr"].count("weightinit_") == target["expr"].count(
            'job=~"$job", instance=~"$instance"'
        )


@pytest.fixture(scope="module")
def known(service_url):
    """The names of all samples in /metrics."""
    httpx.get(f"{service_url}/v1/parameters?shape=3,3")
    text = httpx.get(f"{service_url}/metrics").text
    return {found[1] for found in re.finditer(r"(?m)^(\w+)(?:{.*})? \S+$", text)}


def test_metrics_has_every_metric_of_the_alerts_and_the_dashboard(known):
    variables = [one["query"]["query"] for one in DASHBOARD["templating"]["list"][1:]]
    named = {name for text in (*list_alerts(), *list_queries(), *variables) for name in METRIC.findall(text)}
    assert len(named) > 10
    assert named - known == set()


def test_the_page_lists_every_metric_and_no_other(known):
    page = (DEPLOY.parent / "docs/operations.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| `(weightinit_\w+)` \| (\w+) \|", page)
    listed = {name + "_count" * (kind == "histogram") for name, kind in rows}
    ours = {name for name in known if name.startswith("weightinit_")}
    assert listed == {name for name in ours if not name.endswith(("_bucket", "_sum"))}
