"""The demo: the chart installed, a source side, one model brought, served and asked."""
