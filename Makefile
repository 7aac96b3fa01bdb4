# The two that matter:
#
#   make lab     installs what is missing, then shows the gateway at work in network namespaces
#   make test    installs what is missing, then runs all tests
#
# Both want root, for network namespaces. Nothing is left running, and the host's own network is not touched.

PYTHON ?= python3
ENVIRONMENT := .venv
BIN := $(ENVIRONMENT)/bin
TESTS ?= tests

.PHONY: lab test check lint layout types news format docs bench conformance clean

lab: .make/environment
	@$(BIN)/tproxygw lab demonstrate

test: .make/environment
	$(BIN)/trial $(TRIAL) $(TESTS)

check: lint layout types news

lint: .make/environment
	$(BIN)/ruff check

layout: .make/environment
	$(BIN)/ruff format --check

types: .make/environment
	$(BIN)/mypy

# What is to be in CHANGELOG.md at the next release.
news: .make/environment
	$(BIN)/towncrier build --draft --version next

format: .make/environment
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The reference of all settings, from the classes that declare them.
docs: .make/environment
	$(BIN)/tproxygw reference > docs/configuration.md

# Other people's test suites, driven through the gateway: up to fifteen minutes.
conformance: .make/environment
	$(BIN)/python -m conformance

# Plain forwarding, HAProxy, Squid, mitmproxy and the gateway side by side.
bench: .make/environment .make/packages-bench .make/mitmproxy
	$(BIN)/python -m bench --write docs/performance.md

clean:
	rm -rf $(ENVIRONMENT) $(ENVIRONMENT)-mitmproxy .make build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis

# Stamps: what was done is not done again before its list changes.

.make/environment: setup.cfg pyproject.toml .make/packages
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENVIRONMENT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	@touch $@

# Its requirements are not ours: an environment of its own.
.make/mitmproxy: .make/environment
	$(PYTHON) -m venv $(ENVIRONMENT)-mitmproxy
	$(ENVIRONMENT)-mitmproxy/bin/python -m pip install --quiet --disable-pip-version-check mitmproxy
	@touch $@

.make/%: .ci/%
	@mkdir -p .make
	.ci/install $<
	@touch $@
