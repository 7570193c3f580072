"""Reports on a study's runs, with intervals: as Markdown, HTML, JSON, CSV, LaTeX and plots."""
