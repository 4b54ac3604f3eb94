"""What each stage made, one panel a stage; the run's place shows the one that is chosen."""

from __future__ import annotations

from datatune_tui.panels.candidates import CandidatesPanel
from datatune_tui.panels.columns import ColumnsPanel
from datatune_tui.panels.evaluation import EvaluationPanel
from datatune_tui.panels.examples import ExamplesPanel
from datatune_tui.panels.experiment import ExperimentPanel
from datatune_tui.panels.exported import ExportPanel
from datatune_tui.panels.mix import MixPanel
from datatune_tui.panels.panel import Panel
from datatune_tui.panels.plan import PlanPanel
from datatune_tui.panels.synthetic import SyntheticPanel
from datatune_tui.panels.training import TrainingPanel
from datatune_tui.panels.words import ExpandPanel

PANELS: dict[str, type[Panel]] = {
    "expand": ExpandPanel,
    "retrieve": CandidatesPanel,
    "rerank": CandidatesPanel,
    "schema": ColumnsPanel,
    "plan": PlanPanel,
    "execute": ExamplesPanel,
    "generate": SyntheticPanel,
    "mix": MixPanel,
    "finetune": TrainingPanel,
    "evaluate": EvaluationPanel,
    "export": ExportPanel,
    "compare": ExperimentPanel,
}
"""By stage."""
