"""Triangle meshes: templates, files, differential operators, quality, registration."""
