"""From a request to a finished report."""
