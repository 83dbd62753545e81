# `make help` lists what there is. Everything lives in .venv and .devstack of this checkout.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
ENGINE ?= camunda
export ENGINE

.DEFAULT_GOAL := help
.PHONY: help setup demo run test coverage chaos bench docs lint clean lock

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 18

$(STAMP): requirements.lock setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Stepgram needs Python 3.11 or newer; name it: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "python -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "installing the pinned packages into .venv (a minute, once) ..."
	@awk '/^[^ ]/ { mine = /^pip==/ } mine' requirements.lock > .venv/pip.lock
	@$(INSTALL) --require-hashes -r .venv/pip.lock # a Python's own may be old, and four times slower
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --quiet --no-build-isolation -e . # setuptools warns of what an editable installation is
	@$(BIN)/python -m compileall -qq --workers 0 .venv/lib || true # pip takes one core, an import memory
	@touch $@

setup: $(STAMP) ## install everything into .venv

demo: $(STAMP) ## the main job end to end, on real parts: prints the conversation and checks the result
	@$(BIN)/python -m devstack.demo

run: $(STAMP) ## the same stack for you: open the printed page, or give BOT_TOKEN of a real bot
	@$(BIN)/python -m devstack.run

# Two processes, each with a stack of its own: while one waits for what starts and dies, the other works.
SIDE_BY_SIDE := -n 2 --dist loadscope --no-loadscope-reorder
test: $(STAMP) ## every test
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

coverage: $(STAMP) ## every test, with the branch coverage of what runs in the tests' own processes
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=term:skip-covered $(ARGS)

SEED ?=
DURATION_S ?= 60
chaos: $(STAMP) ## people run processes while everything around them dies: SEED=n replays, DURATION_S=s
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --duration-s $(DURATION_S)

bench: $(STAMP) ## measure side by side, about ten minutes on an idle machine; ONLY=P1,P3 chooses
	@$(BIN)/python -m benchmarks --only "$(ONLY)"

docs: $(STAMP) ## write what is drawn from the code anew: the reference's tables, the Modeler's templates
	@$(BIN)/python -m shared.authoring.reference docs/reference/contract.md
	@$(BIN)/python -m shared.authoring.templates bpmn/element-templates/stepgram.json

lint: $(STAMP) ## ruff, mypy and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config setup.cfg

lock: ## pin the packages anew
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra dev setup.cfg -o requirements.lock

clean: ## stop the development stack and remove what was built
	@test ! -x $(BIN)/python || $(BIN)/python -m devstack down || true
	@rm -rf .venv .devstack .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build
