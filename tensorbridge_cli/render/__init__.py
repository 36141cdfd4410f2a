"""From a report to text, one file per format."""
