# Everything one needs: each target sets up its own environment in .venv first.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint ui clean help

help:  ## Say what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(READY)  ## Run three iterations of the demo and its control, and print the growth.
	$(BIN)/sl-dagster run --experiment demo_control --iterations 3
	$(BIN)/sl-dagster run --experiment demo --iterations 3

ui: $(READY)  ## Open the web UI on the history of all runs.
	$(BIN)/sl-dagster ui

test: $(READY)  ## Run all tests that a machine without a GPU can run.
	$(BIN)/pytest

lint: $(READY)  ## Check style and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

clean:  ## Remove the environment, all data and the history of runs.
	rm -rf $(VENV) data .dagster

# torch comes first, alone: the build that this machine offers (CPU or CUDA) must stay in place.
$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)
