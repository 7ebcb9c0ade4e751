"""Reports: one or several run directories → one self-contained HTML page, a terminal table, a picture."""

from alft.report.page import render_report
from alft.report.plots import save_picture
from alft.report.terminal import terminal_report

__all__ = ["render_report", "save_picture", "terminal_report"]
