# make quickstart, make test-fast, make test, or make docs: each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser
DOCS := $(VENV)/.docs

.PHONY: setup quickstart test test-fast bench docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup.sh scripts/ensure_llvm.sh
	sh scripts/setup.sh "$(PYTHON)" $(VENV)
	touch $@

# Tried once: without a browser, the tests that drive one are skipped.
$(BROWSER): $(READY) scripts/ensure_chromium.sh
	sh scripts/ensure_chromium.sh
	touch $@

quickstart: $(READY)
	$(VENV)/bin/python run.py scenes/quickstart.yaml

# Two files at a time, where there are two cores. Compiled modules are kept, whatever the shell says: tests start many
# processes.
PYTEST = PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pytest --numprocesses logical --maxprocesses 2 \
	--dist loadfile --no-loadscope-reorder

test: $(READY) $(BROWSER)
	$(PYTEST)

# Within a minute: units, small gradients, the schema, sentences. No whole runs, and no browser.
test-fast: $(READY)
	$(PYTEST) -m "not slow"

bench: $(READY)
	$(VENV)/bin/python -m benchmarks

$(DOCS): $(READY)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# Into docs/_build/html. Tutorials are run; a warning, a broken link or a cell that raises is an error.
docs: $(DOCS)
	$(VENV)/bin/python -m sphinx -W --keep-going -n -b html -d docs/_build/doctrees docs docs/_build/html

clean:
	rm -rf $(VENV) docs/_build docs/_generated build dist *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
