"""Sources of models: the Quant service, and URLs that are read by ranges."""
