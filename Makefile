# Two commands do all the set-up: `make reproduce` and `make test`.
PYTHON ?= python3
SCALE ?= default
BIN = .venv/bin

SET ?=
.PHONY: reproduce verify reference test lint security help docs site artifact clean
.DEFAULT_GOAL := help

help: ## say what can be made; once installed, also figures, tables, experiments, scales
	@grep -hE '^[a-z_%]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /: /; s/%/NAME/'
	@test ! -e .venv/installed || $(BIN)/python -m equinox.report describe --results results

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

reproduce: .venv/installed ## the whole evaluation, then its claims table (SCALE=smoke: 3 minutes)
	$(BIN)/snakemake --config scale=$(SCALE)
	@cat results/$(SCALE)/claims.md

fig_%: .venv/installed ## one figure; with SET="design_space__budget__power_w=150" one of your own
	$(BIN)/snakemake $@ --config scale=$(SCALE) $(if $(SET),experiment=mine) $(SET)

verify: .venv/installed ## compare the last run with the reference run of its scale
	$(BIN)/python -m equinox.report.verify --tables results/$(SCALE)/tables --reference docs/reference-run/$(SCALE)

test: .venv/installed ## all tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: .venv/installed ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

security: .venv/installed ## known weaknesses of our code and CI (offline) and of the packages (asks the package index)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[security]'
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive equinox workflow docs
	$(BIN)/zizmor --offline --persona pedantic --quiet .github
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

docs: ## make the last run, scale default, the one that docs/ shows and `make verify` compares with
	mkdir -p docs
	cp results/default/claims.md results/default/figures/pareto_front.svg docs/
	$(MAKE) reference SCALE=default

reference: .venv/installed ## make the last run the one that `make verify` compares with
	$(BIN)/python -m equinox.report.verify --tables results/$(SCALE)/tables --reference docs/reference-run/$(SCALE) --record

site: .venv/installed ## the documentation site, in build/site
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --strict

artifact: .venv/installed ## code, config, results and checksums of the last run in one archive
	$(BIN)/python -m equinox.report artifact --results results/$(SCALE) --output build/equinox-$(SCALE).tar.gz

clean: ## remove all results
	rm -rf results/smoke results/default
