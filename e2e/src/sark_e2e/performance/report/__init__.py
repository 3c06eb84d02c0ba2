"""The report: a pure function from raw files to Markdown and charts."""
