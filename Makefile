# Everything a contributor runs; `make` alone prints this list.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The LiteLLM of the acceptance tests: docs/litellm.md names the oldest supported one and the newest tested one.
LITELLM ?= 1.106.2
LITELLM_VENV ?= .venv-litellm
LITELLM_STAMP := $(LITELLM_VENV)/.installed-$(LITELLM)

.PHONY: help install hooks litellm run demo format lint imports layout quick types test check chaos backlog fuzz torture simulate simulate-table simulate-days bench clean

help: ## Print what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

install: $(STAMP) ## Create .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "alertworker needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[worker]' --group dev
	@touch $@

hooks: $(STAMP) ## Run `make quick` before each commit
	$(BIN)/pre-commit install

litellm: $(LITELLM_STAMP) ## A real LiteLLM proxy for the tests, in .venv-litellm; LITELLM=version LITELLM_VENV=folder

$(LITELLM_STAMP): pyproject.toml
	$(PYTHON) -m venv $(LITELLM_VENV)
	$(LITELLM_VENV)/bin/pip install --quiet 'litellm[proxy]==$(LITELLM)' --editable .
	$(LITELLM_VENV)/bin/pip check
	@rm -f $(LITELLM_VENV)/.installed*
	@touch $@

run: $(STAMP) ## Start everything on the embedded broker and database
	@exec $(BIN)/alertworker run

demo: $(STAMP) ## The same, fed with simulated traffic
	@exec $(BIN)/alertworker demo

format: $(STAMP) ## Check the formatting
	$(BIN)/ruff format --check .

lint: $(STAMP) ## Lint
	$(BIN)/ruff check .

imports: $(STAMP) ## Check that the folders import only what they may
	$(BIN)/lint-imports

layout: $(STAMP) ## Check that files are where their names say
	$(BIN)/pytest -q --noconftest tests/unit/test_layout.py

quick: format lint imports layout ## The checks that take seconds

types: $(STAMP) ## Check the types
	$(BIN)/mypy

test: $(STAMP) litellm ## Run all tests, three files at a time
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

check: quick types test ## Everything above

chaos: $(STAMP) ## Many rounds of trouble on Valkey and on Redis, each with its ledger; SEEDS=20 for more
	ALERTWORKER_CHAOS_ROUNDS=$(or $(SEEDS),10) $(BIN)/pytest -s tests/acceptance/test_chaos.py tests/integration/test_delivery_property.py

backlog: $(STAMP) ## A backlog of SECONDS=600 with live publishers, on Valkey, Redis and RabbitMQ at once
	ALERTWORKER_BACKLOG_SECONDS=$(or $(SECONDS),600) $(BIN)/pytest -rP -n 3 tests/acceptance/test_backlog.py

fuzz: $(STAMP) ## Fuzz what reads other people's bytes, each reader for TIME=60 seconds
	$(BIN)/pip install --quiet --constraint constraints.txt --group fuzz
	for target in slack relay batch http packed; do $(BIN)/python -m tests.fuzz $$target $(or $(TIME),60) || exit 1; done

torture: $(STAMP) litellm ## LiteLLM's own alerting and ours on the same faults; ROWS=name,… for some only
	$(BIN)/python -m bench.torture $(ROWS)

simulate: $(STAMP) ## Labelled incidents through the pipeline, with scores; SCENARIO=name,… SEEDS=1,2 TRAFFIC=low JSON=file
	$(BIN)/python -m bench.simulate $(SCENARIO) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(TRAFFIC),--traffic $(TRAFFIC)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(JSON),--json $(JSON)) $(if $(MARKDOWN),--markdown $(MARKDOWN))

simulate-table: $(STAMP) ## Write the scores of JSON=file into docs/simulation.md
	$(BIN)/python -m bench.simulate.table $(or $(JSON),scores.json) --write docs/simulation.md

simulate-days: $(STAMP) ## DAYS=30 healthy days through the functions that judge
	$(BIN)/python -m bench.simulate.healthy --days $(or $(DAYS),30)

bench: $(STAMP) litellm ## Measure, beside LiteLLM's own alerting and plain Celery; PARTS="worker delay" for some only, JSON=file
	$(BIN)/python -m bench $(PARTS) $(if $(JSON),--json $(JSON))

clean: ## Remove what was made
	rm -rf $(VENV) $(LITELLM_VENV) .fuzz dist build .pytest_cache .mypy_cache .ruff_cache
