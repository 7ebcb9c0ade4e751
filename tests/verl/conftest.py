"""What imports verl is run by the tests in a process of its own, and never collected."""

collect_ignore = ["chained.py", "in_process.py", "server.py"]
