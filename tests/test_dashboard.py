"""The workspace and the report of a W&B project, as they would be sent."""

import json
import re
from types import SimpleNamespace

import pytest
import wandb
from wandb_file import OfflineRun
from wandb_workspaces.reports.v2 import interface as reports
from wandb_workspaces.workspaces import internal as workspaces

from mtl_hcc import dashboard
from mtl_hcc.figures import FIGURES
from mtl_hcc.tracking.wandb_dashboard import specifications, task_kinds

pytestmark = pytest.mark.xdist_group("phantom run")

TASKS = {"os": "survival", "rfs": "survival", "mvi": "class"}
NAME = re.compile(r"(?:train|validation|external|test|weights|system|figures|tables)/\w+")
CONFIG = "configs/ct_mtl.yaml"


@pytest.fixture
def spoken() -> dict[str, dict]:
    return {name: json.loads(text) for name, text in specifications("team", "liver", TASKS).items()}


@pytest.mark.parametrize("page", ["workspace.json", "report.json"])
def test_every_name_that_is_shown_is_one_that_a_run_logs(spoken, page, phantom_run):
    (folder,) = (phantom_run.run / "wandb").glob("offline-run-*")
    offline = OfflineRun(folder)
    logged = set(offline.history) | set(offline.summary)
    shown = set(NAME.findall(json.dumps(spoken[page])))
    assert len(shown) > 25
    # The phantom's splits are train, validation and external; k-fold runs log test/ instead.
    assert {name for name in shown if not name.startswith("test/")} <= logged


@pytest.mark.parametrize("page", ["workspace.json", "report.json"])
def test_learning_curves_weights_leaderboard_and_figures_are_shown(spoken, page):
    text = json.dumps(spoken[page])
    for task in TASKS:
        assert f"weights/{task}" in text
        assert f"train/loss_{task}" in text
    for name in ("concordance_harrell_os", "concordance_harrell_rfs", "auc_mvi"):
        assert f"external/{name}" in text
    for name in set(FIGURES) - {"ablation"}:  # of a study, not of a run
        assert f"figures/{name}" in text
    assert "tables/metrics" in text


def test_train_and_validation_share_a_panel_over_epochs(spoken):
    sections = spoken["workspace.json"]["section"]["panelBankConfig"]["sections"]
    panels = next(each for each in sections if each["name"] == "Learning curves")["panels"]
    metrics = [panel["config"]["metrics"] for panel in panels]
    assert ["train/c_index_os", "validation/c_index_os"] in metrics
    assert ["train/auc_mvi", "validation/auc_mvi"] in metrics
    assert {panel["config"]["xAxis"] for panel in panels} == {"epoch"}


def test_runs_are_grouped_so_that_folds_and_seeds_stand_together(spoken):
    (grid, *_) = [b for b in spoken["report.json"]["blocks"] if b["type"] == "panel-grid"]
    (runs,) = grid["metadata"]["runSets"]
    assert runs["grouping"] == [{"section": "run", "name": "group"}]
    assert "project" not in runs, "the report's own project"


def test_panels_of_the_report_do_not_overlap(spoken):
    for block in spoken["report.json"]["blocks"]:
        if block["type"] != "panel-grid":
            continue
        sections = block["metadata"]["panelBankSectionConfig"]["panels"]
        corners = [(panel["layout"]["x"], panel["layout"]["y"]) for panel in sections]
        assert len(set(corners)) == len(corners)
        assert all(panel["layout"]["x"] + panel["layout"]["w"] <= 24 for panel in sections)


def test_kinds_of_tasks_come_from_the_heads():
    heads = {
        "os": {"class_path": "mtl_hcc.nn.CoxHead", "init_args": {}},
        "mvi": {"class_path": "ClassHead"},
    }
    assert task_kinds(heads) == {"os": "survival", "mvi": "class"}


def test_the_command_writes_what_it_would_send_and_sends_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reports, "execute_graphql", refuse)
    monkeypatch.setattr(workspaces, "upsert_view2", refuse)
    flags = ["--entity", "team", "--config", CONFIG, "--specification", str(tmp_path)]
    assert dashboard.main(flags) in (None, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "workspace.json"]
    assert "Nothing was sent" in capsys.readouterr().out


def test_what_is_sent_is_the_specification(monkeypatch, capsys):
    sent = {}

    class Api:
        default_entity = "team"
        client = SimpleNamespace(app_url="https://wandb.test")

        def projects(self, entity):
            return []

        def create_project(self, project, entity):
            sent["project"] = (entity, project)

    def take_report(api, query, variables):
        sent["report"] = json.loads(variables["spec"])
        view = {"id": "1", "name": "n", "displayName": "d", "description": "", "updatedAt": None}
        view |= {"createdAt": None, "spec": variables["spec"], "type": "runs"}
        view["project"] = {"name": "liver", "entityName": "team"}
        return {"upsertView": {"view": view, "inserted": True}}

    def take_workspace(view):
        sent["workspace"] = json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))
        return {"upsertView": {"view": {"name": "nw-x-v", "id": "2"}}}

    monkeypatch.setattr(dashboard, "check_login", lambda: None)
    monkeypatch.setattr(wandb, "Api", Api)
    monkeypatch.setattr(reports, "_get_api", Api)
    monkeypatch.setattr(reports, "execute_graphql", take_report)
    monkeypatch.setattr(workspaces, "upsert_view2", take_workspace)
    dashboard.main(["--entity", "team", "--project", "liver", "--config", CONFIG])
    expected = specifications("team", "liver", TASKS)
    for page in ("workspace", "report"):
        assert without_ids(sent[page]) == without_ids(json.loads(expected[f"{page}.json"]))
    printed = capsys.readouterr().out
    assert printed.count("https://wandb.test/team/liver") == 2


def test_without_a_login_the_message_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(dashboard.main(["--entity", "team", "--config", CONFIG]))
    assert stopped.value.code == 2
    assert "wandb login" in capsys.readouterr().err


def test_a_config_without_heads_is_named(tmp_path, capsys):
    path = tmp_path / "other.yaml"
    path.write_text("model: {}\n")
    assert dashboard.main(["--entity", "team", "--config", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def refuse(*args, **kwargs):
    raise AssertionError("something would have been sent")


def without_ids(value):
    """Panels and run sets get a random id each time."""
    if isinstance(value, dict):
        return {k: without_ids(v) for k, v in value.items() if k not in ("__id__", "id", "key")}
    return [without_ids(each) for each in value] if isinstance(value, list) else value
