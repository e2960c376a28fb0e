"""The demo: installs the chart and a model source, serves one model and sends it requests."""
