PYTHON ?= python3.11
VENV := .venv
PEERS := .peers-venv
RUN := $(VENV)/bin
# Most of a test is tracing, in one thread; the tests of a file share models and stay together.
PYTEST := $(RUN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: demo test test-fast lint docs peers clean

# The main job on data that is already there: the documentation inside the installed packages.
demo: $(VENV)/installed
	$(RUN)/keras-roberta demo --out demo-out --overwrite

# Everything: style, the documentation with its links, all tests.
test: $(VENV)/installed lint docs
	$(PYTEST) --durations=10

test-fast: $(VENV)/installed
	$(PYTEST) -m "not slow"

lint: $(VENV)/installed
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

# The site in site/; a broken link or a name that is not there ends it. The variable silences
# Material's notice about MkDocs 2.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=true $(RUN)/python -m mkdocs build --strict --quiet

# PyTorch and Transformers, for benchmarks alone, apart from the library's own environment.
peers: $(PEERS)/installed

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --upgrade "pip>=24"
	$(RUN)/python -m pip install -e ".[test]"
	touch $@

$(PEERS)/installed: Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install "torch==2.13.0" "transformers>=5.23,<6" safetensors numpy onnx onnxruntime onnxscript
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info demo-out site
