"""Where models come from: the Quant service, and URLs that are read by ranges."""
