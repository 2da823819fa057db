# make quickstart, or make test: each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser

.PHONY: setup quickstart test bench clean

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
test: $(READY) $(BROWSER)
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pytest --numprocesses logical --maxprocesses 2 --dist loadfile

bench: $(READY)
	$(VENV)/bin/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
