# The three that matter:
#
#   make lab     installs what is missing, then shows the gateway at work in network namespaces
#   make quick   the tests that are done in half a minute, for whoever is changing something
#   make test    installs what is missing, then runs all tests
#
# The first and the last want root, for network namespaces. Nothing is left running, and the host's own network is not
# touched.

PYTHON ?= python3
ENVIRONMENT := .venv
BIN := $(ENVIRONMENT)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: lab quick test pythons check lint layout types news api format docs coverage bench conformance fuzz deb deb-test vm lock clean

lab: .make/runtime
	@$(BIN)/tproxygw lab demonstrate

# All of them some modules at a time; those that TESTS names by trial itself.
test: .make/environment
	$(if $(TESTS),$(BIN)/trial,$(BIN)/python -m tests.parts) $(TRIAL) $(TESTS)

quick: .make/environment
	$(BIN)/python -m tests.quick $(TRIAL)

# The same by each Python from 3.11 on that this machine has; those of Debian's other releases with DEBIAN="trixie forky".
pythons: .make/environment
	.ci/pythons

check: lint layout types news api

lint: .make/environment
	$(BIN)/ruff check

layout: .make/environment
	$(BIN)/ruff format --check

types: .make/environment
	$(BIN)/mypy

# Pages about every module, class and function of gateway/: build/api/index.html. A link that leads nowhere fails.
api: .make/environment
	$(BIN)/pydoctor

# What is to be in CHANGELOG.md at the next release.
news: .make/environment
	$(BIN)/towncrier build --draft --version next

format: .make/environment
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The reference of all settings, from the classes that declare them.
docs: .make/environment
	$(BIN)/tproxygw reference > docs/configuration.md

# How much of each module its own tests run: OWN="--below 0.8 tests.policy" for a part. Some minutes.
coverage: .make/environment
	$(BIN)/python -m tests.own $(OWN)

# Other people's test suites, driven through the gateway: up to twenty minutes.
conformance: .make/environment
	$(BIN)/python -m conformance

# A coverage-guided fuzzer over every inspector and the policy loader, a minute each; FUZZ="--minutes 10 http" for more of one.
# What it found new is in build/fuzz, and the next run begins with it.
fuzz: .make/environment
	$(PIP) --editable '.[fuzz]'
	$(BIN)/python -m fuzz $(FUZZ)

# Plain forwarding, HAProxy, Squid, mitmproxy and the gateway side by side.
bench: .make/environment .make/packages-bench .make/mitmproxy
	$(BIN)/python -m bench --write docs/performance.md

# The Debian package, for the release of Debian that this is run on: dist/tproxygw_*.deb
deb: .make/packages-deb
	rm -f dist/*.deb
	debian/build

# It is installed, started, upgraded, removed and purged in a clean Debian with systemd, and lintian reads it.
deb-test: .make/environment .make/debian-root deb
	lintian --fail-on error,warning dist/*.deb
	PYTHONPATH=debian $(BIN)/trial $(TRIAL) test_package test_life test_units test_workers

# Some of the tests by the kernels of Debian's releases in an emulated machine: KERNELS=trixie for one of them, TESTS="..." for
# others. About half an hour for each, as there is no need of KVM.
vm: .make/environment .make/packages-vm
	.ci/vm

# The versions of the libraries in the package, each with the hashes of its files.
lock:
	$(PYTHON) -m venv .make/pip-tools
	.make/pip-tools/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" .make/pip-tools/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras \
	    --no-annotate --no-emit-index-url --no-emit-find-links --output-file debian/requirements.txt setup.cfg

clean:
	rm -rf $(ENVIRONMENT) $(ENVIRONMENT)-mitmproxy .make build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis

# Stamps: what was done is not done again before its list changes.

# What the gateway itself needs: that is all that `make lab` waits for.
.make/runtime: setup.cfg pyproject.toml .make/packages-lab
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENVIRONMENT)
	$(PIP) --editable .
	@touch $@

.make/environment: .make/runtime .make/packages
	$(PIP) --editable '.[test,check]'
	@touch $@

# Its requirements are not ours: an environment of its own.
.make/mitmproxy: .make/environment
	$(PYTHON) -m venv $(ENVIRONMENT)-mitmproxy
	$(ENVIRONMENT)-mitmproxy/bin/python -m pip install --quiet --disable-pip-version-check mitmproxy
	@touch $@

.make/debian-root: debian/root-packages | .make/packages-deb
	rm -rf build/root
	debootstrap --variant=minbase --include=$$(sed 's/[#].*//' $< | xargs | tr ' ' ,) \
	    $$(. /etc/os-release && echo $$VERSION_CODENAME) build/root >.make/debootstrap.log
	@touch $@

.make/%: .ci/%
	@mkdir -p .make
	.ci/install $<
	@touch $@
