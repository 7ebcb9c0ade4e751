"""Reports: one or several run directories → one self-contained HTML page, a terminal table, a picture."""

from alft.reporting.page import render_report
from alft.reporting.plots import save_picture
from alft.reporting.terminal import terminal_runs

__all__ = ["render_report", "save_picture", "terminal_runs"]
