"""Reports: one or several run directories → one self-contained HTML page, a terminal table, a picture."""
