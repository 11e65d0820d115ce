# Every target works from a fresh clone: .venv is created from the hashed lock on first use.
.DEFAULT_GOAL := help
PY := .venv/bin/python
SHELL := /bin/bash
CODE := operator cli sandbox demo e2e dev tests bench examples conftest.py
# Spelling and wording are checked in everything that people read.
PROSE := operator cli charts docs .github $(wildcard *.md)
# Programs that tests start would compile the package each time.
unexport PYTHONDONTWRITEBYTECODE
# Environments that a target needs are created in parallel.
MAKEFLAGS += --jobs=2

.PHONY: help bench bench-attack bench-dashboard bench-full bench-micro bench-notifications bench-soak bench-terminal cli cli-dashboard dist dist-cli docs images push digests release kind-load sbom demo demo-registry demo-down packages test test-gateways test-kind test-kind-part test-unit mutations rules check generate messages lock clean

.venv/.ready: requirements/dev.txt pyproject.toml cli/pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install -q --no-compile --require-hashes -r requirements/dev.txt
	.venv/bin/pip install -q --no-deps --no-build-isolation -e . -e ./cli
	touch $@

# The libraries of the fetcher and of the operator exclude each other, as in the two images.
.venv-fetch/.ready: requirements/fetch-dev.txt
	python3 -m venv .venv-fetch
	.venv-fetch/bin/pip install -q --no-compile --require-hashes -r requirements/fetch-dev.txt
	touch $@

# The server of an MLflow registry, without the libraries of training that `mlflow` installs.
.venv-mlflow/.ready: .venv/.ready requirements/mlflow.txt
	python3 -m venv --without-pip .venv-mlflow
	.venv/bin/pip --python .venv-mlflow/bin/python install -q --no-compile --require-hashes -r requirements/mlflow.txt
	touch $@

# OpenSSF's library, which signs models for tests.
.venv-signing/.ready: .venv/.ready requirements/signing.txt
	python3 -m venv --without-pip .venv-signing
	.venv/bin/pip --python .venv-signing/bin/python install -q --no-compile --require-hashes -r requirements/signing.txt
	touch $@

# What reads the files of examples/pipelines, for tests.
.venv-pipelines/.ready: .venv/.ready requirements/pipelines.txt
	python3 -m venv --without-pip .venv-pipelines
	.venv/bin/pip --python .venv-pipelines/bin/python install -q --no-compile --require-hashes -r requirements/pipelines.txt
	touch $@

# Airflow excludes kfp.
.venv-airflow/.ready: .venv/.ready requirements/airflow.txt
	python3 -m venv --without-pip .venv-airflow
	.venv/bin/pip --python .venv-airflow/bin/python install -q --no-compile --require-hashes -r requirements/airflow.txt
	touch $@

.venv-sbom/.ready: requirements/sbom.txt
	python3 -m venv .venv-sbom
	.venv-sbom/bin/pip install -q --no-compile --require-hashes -r requirements/sbom.txt
	touch $@

# The packages of the operator's image, which the bench measures.
.venv-runtime/.ready: requirements/runtime.txt
	python3 -m venv .venv-runtime
	.venv-runtime/bin/pip install -q --require-hashes -r requirements/runtime.txt
	touch $@

help:                         ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: .venv/.ready            ## show good and bad versions with the real MLServer, on what the machine offers; DEMO="--mode kind" or "--help"
	CANARIUM_SANDBOX_INSTALL=1 $(PY) -m demo $(DEMO)

demo-registry: .venv/.ready   ## show how an alias of a real MLflow server is rolled out and rolled back; DEMO="--help"
	CANARIUM_SANDBOX_INSTALL=1 $(PY) -m demo.registry $(DEMO)

demo-down: .venv/.ready       ## delete the cluster of the demos
	$(PY) -m sandbox down

packages:                     ## install what `make test` needs from Debian, or print the command (without root)
	@dev/install-packages

# Two workers keep two cores busy. With three, real servers start so slowly next to each other that
# probes and deadlines fail (a load of 28 was measured). The hash seed decides the order of sets and
# so what the derandomized simulations explore: with a fixed one, a run can be repeated.
test: packages                ## run all tests: unit, integration, simulation, end-to-end (40 minutes on two cores)
	@$(MAKE) --no-print-directory .venv/.ready .venv-fetch/.ready .venv-mlflow/.ready .venv-signing/.ready .venv-pipelines/.ready .venv-airflow/.ready
	PYTHONHASHSEED=0 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=5

test-gateways: .venv/.ready   ## test routes behind Envoy Gateway (built once, five minutes)
	$(PY) -m pytest e2e/test_gateway.py e2e/test_grpc.py e2e/gateway_limits.py --gateway=envoy-gateway
	$(PY) -m pytest e2e/gateway_limits.py

# Needs Docker. KIND_IMAGE names a node image, KIND_BIN a kind binary that is not downloaded.
# CASES="e2e/test_rollout.py -k crashes" selects tests.
CASES ?= e2e
test-kind: .venv/.ready       ## run the end-to-end tests on kind, and print which of them it does not offer; CASES=e2e/test_rollout.py
	$(PY) -m pytest --cluster=kind --cluster-name=canarium-e2e $(CASES)

# Where no Docker runs, in one out of Debian packages (sandbox/README.md): root, no registry.
KIND_PART = e2e/test_rollout.py e2e/upgrade/test_upgrade.py -k "step_by_step or cannot_load or upgrade_and_rollback"
test-kind-part: .venv/.ready  ## run what CI runs on kind: installation by helm, a canary, a rollback, an upgrade of the chart
	PYTHONPATH=e2e $(PY) -m support.layers
	$(PY) -m sandbox engine run -- $(MAKE) --no-print-directory test-kind CASES='$(KIND_PART)'

test-unit: .venv/.ready       ## run the quick loop: no cluster, API server or simulation (under 60 s on two cores)
	$(PY) -m pytest -q -n 2 --dist worksteal -p no:pytest-kind tests -m "not api and not slow"

mutations: .venv/.ready       ## undo each fix in turn and check that a test fails
	$(PY) -m mutations $(FAULTS)

rules: .venv/.ready           ## list the rules and the tests that prove each; ABOUT="no traffic" selects by words
	@$(PY) -m pytest -q --collect-only --rules --about "$(ABOUT)" --no-header $$(grep -rlE --include='test_*.py' '\brule\(' tests e2e) | sed '/::/d'

.venv/.bench: .venv/.ready requirements/bench.txt
	.venv/bin/pip install -q --require-hashes -r requirements/bench.txt
	touch $@

# PEERS=1 selects all of them; or a list, such as PEERS=rollouts-raised,flagger.
PEERED = $(if $(PEERS),--peers $(filter-out 1,$(PEERS)))

bench: .venv/.bench .venv-runtime/.ready           ## measure scale, latency and cost at 200 and 1,000 objects; PEERS=1 adds other tools
	$(PY) -m bench $(PEERED)

bench-full: .venv/.bench .venv-runtime/.ready      ## the same, and at 10,000 objects
	$(PY) -m bench --sizes 200,1000,10000 --report bench/results/report.md $(PEERED)

bench-attack: .venv/.ready    ## measure rollbacks of one namespace next to ten hostile ones
	$(PY) -m bench.attack

bench-soak: .venv/.ready      ## update 1,000 models for two hours beside faults, and check that nothing grows; SOAK="--minutes 10"
	$(PY) -m bench.soak $(SOAK)

bench-dashboard: .venv/.ready  ## measure 50 browsers and the first page of 2,000 models in the dashboard
	$(PY) -m bench.dashboard

bench-notifications: .venv/.ready  ## measure rollouts beside sinks that are slow, silent, failing or down, and check that nothing is lost
	$(PY) -m bench.notifications

bench-terminal: .venv/.ready   ## measure the command line and its first screens beside 10,000 models
	$(PY) -m bench.terminal

bench-micro: .venv/.bench     ## measure the pure core in µs, next to the previous commit
	$(PY) -m bench.micro

check: .venv/.ready           ## check format, lint, types, layers, generated files, spelling, wording (under 15 s)
	@$(MAKE) --no-print-directory --output-sync --keep-going check-words check-types check-generated check-code

# Parts of `make check`, on two cores at once, the longest first. All of them run, even if one fails.
.PHONY: check-words check-types check-generated check-code

check-words:
	$(PY) -m prose
	.venv/bin/codespell $(PROSE)

check-types:
	.venv/bin/mypy
	.venv/bin/lint-imports

check-generated:
	$(PY) -m generators --check
	$(PY) tests/argocd/generate.py --check

check-code:
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/ruff check $(CODE)

generate: .venv/.ready        ## write the CRDs, references, the chart's schema and README
	$(PY) -m generators
	$(PY) tests/argocd/generate.py

messages: .venv/.ready        ## write tests/golden/messages*.md, every message that people read (minutes)
	PYTHONPATH=tests/unit $(PY) -m core.messages
	PYTHONPATH=tests/unit $(PY) -m core.other_messages
	PYTHONPATH=tests/unit $(PY) -m core.validation_messages

# The images that the chart names, and the lock of each (see the Dockerfile).
DOCKER ?= docker
IMAGES ?= canarium canarium-fetch canarium-dashboard canarium-notifier canarium-cli
LOCK.canarium := runtime
LOCK.canarium-fetch := fetch
LOCK.canarium-dashboard := dashboard
LOCK.canarium-notifier := notifier
LOCK.canarium-cli := cli
TARGET.canarium-cli := --target cli
VERSION = $(shell sed -n 's/^appVersion: //p' charts/canarium/Chart.yaml)
KIND_CLUSTER ?= kind

# BUILD="--build-arg PYTHON=registry.example.org/python:3.13.16-slim-trixie" is passed to `docker build`.
images: $(IMAGES:%=image.%)   ## build the images with Docker; PLATFORM=linux/arm64 for nodes of another architecture

image.%:
	$(DOCKER) build $(if $(PLATFORM),--platform $(PLATFORM)) $(BUILD) $(TARGET.$*) --build-arg LOCK=$(LOCK.$*) --build-arg VERSION=$(VERSION) -t canarium.dev/$*:$(VERSION) .

push: $(if $(REGISTRY),$(IMAGES:%=push.%),no-registry)  ## build the images, push them to REGISTRY=registry.example.org/ml, and print the values of the chart
	@echo 'helm upgrade --install canarium charts/canarium -n canarium --create-namespace --wait \'
	@echo '  --set image.repository=$(REGISTRY)/canarium,fetch.image.repository=$(REGISTRY)/canarium-fetch \'
	@echo '  --set dashboard.image.repository=$(REGISTRY)/canarium-dashboard,notifications.image.repository=$(REGISTRY)/canarium-notifier \'
	@echo '  --set test.image.repository=$(REGISTRY)/canarium-cli'

no-registry:
	@echo "usage: make push REGISTRY=registry.example.org/ml" >&2; exit 2

push.%: image.%
	$(DOCKER) tag canarium.dev/$*:$(VERSION) $(REGISTRY)/$*:$(VERSION)
	$(DOCKER) push $(REGISTRY)/$*:$(VERSION)

digests: $(if $(REGISTRY),,no-registry)  ## write dist/images.txt, the digests of the images that were pushed to REGISTRY
	@mkdir -p dist
	set -o pipefail; $(DOCKER) image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' \
	  $(IMAGES:%=$(REGISTRY)/%:$(VERSION)) | grep '^$(REGISTRY)/' > dist/images.txt

kind-load: images             ## build the images and load them into kind; KIND_CLUSTER=name for a cluster with another name
	kind load docker-image --name $(KIND_CLUSTER) $(IMAGES:%=canarium.dev/%:$(VERSION))

.venv-cli/.ready: requirements/cli.txt requirements/build.txt pyproject.toml cli/pyproject.toml
	python3 -m venv .venv-cli
	.venv-cli/bin/pip install -q --no-compile --require-hashes -r requirements/cli.txt -r requirements/build.txt
	.venv-cli/bin/pip install -q --no-deps --no-build-isolation . ./cli
	touch $@

cli: .venv-cli/.ready         ## install `kubectl modeldeploy` from this checkout, and print how to put it on the PATH
	@echo 'export PATH="$(CURDIR)/.venv-cli/bin:$$PATH"'

cli-dashboard: .venv-cli/.ready  ## add what `kubectl modeldeploy dashboard` needs to the command line of `make cli`
	.venv-cli/bin/pip install -q --no-compile --require-hashes -r requirements/dashboard.txt

dist: .venv/.ready            ## build the wheels of operator and command line, reproducibly
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PY) -m hatchling build -t wheel
	cd cli && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) ../$(PY) -m hatchling build -t wheel -d ../dist

.venv-docs/.ready: requirements/docs.txt
	python3 -m venv .venv-docs
	.venv-docs/bin/pip install -q --no-compile --require-hashes -r requirements/docs.txt
	touch $@

# The successor of mkdocs-material builds the same site first, so that a change to it stays possible.
docs: export NO_MKDOCS_2_WARNING := 1
docs: .venv-docs/.ready       ## build the documentation as a site into .build/site; warnings are errors
	.venv-docs/bin/python dev/site_pages.py .build/docs
	.venv-docs/bin/zensical build --strict --clean
	.venv-docs/bin/mkdocs build --quiet --strict

.venv-pex/.ready: requirements/pex.txt
	python3 -m venv .venv-pex
	.venv-pex/bin/pip install -q --no-compile --require-hashes -r requirements/pex.txt
	touch $@

# One file for this platform; SCIE=1 puts an interpreter into it, which pex downloads from GitHub.
dist-cli: dist .venv-pex/.ready  ## build the command line as one file, and its archive for krew
	PYTHONPATH=dev .venv-pex/bin/python -m release.singlefile $(if $(SCIE),--scie)

# Needs helm on the PATH. The checksums are of everything in dist/, so run it last.
assets: .venv/.ready          ## write dist/install.yaml, the CRDs, the chart, the notes and SHA256SUMS; REGISTRY=registry.example.org/ml
	$(PY) -m release.assets v$(VERSION) dist $(REGISTRY)

# KEY is an SSH key; SIGN="gpg --detach-sign --output dist/SHA256SUMS.sig" signs otherwise, and VERIFY
# checks that. ARCHIVES is a folder of command lines that were built on other platforms. Each variable
# is passed through the environment, so that it may have spaces and quotes.
KEY ?= ~/.ssh/id_ed25519
release: export BUILD := $(BUILD)
release: export KEY := $(KEY)
release: export SIGN := $(SIGN)
release: export VERIFY := $(VERIFY)
release: .venv/.ready         ## make, sign and publish the release TAG=v1.2.3 to REGISTRY=registry.example.org/ml; DRY_RUN=1 publishes nothing
	@$(PY) -m release.publish "$(TAG)" --registry "$(REGISTRY)" --archives "$(ARCHIVES)" $(if $(DRY_RUN),--dry-run) \
	  --build="$$BUILD" --key="$$KEY" --sign="$$SIGN" --verify="$$VERIFY"

BILL = .venv-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON --output-reproducible

# The lock lists packages; the Dockerfile and BUILD state the rest.
BASE = PYTHONPATH=dev .venv-sbom/bin/python -m release.bill

sbom: .venv-sbom/.ready       ## write dist/*.cdx.json, the bill of materials of each image
	@mkdir -p dist
	$(foreach image,$(IMAGES),$(BILL) -o dist/$(image).cdx.json requirements/$(LOCK.$(image)).txt &&) true
	$(foreach image,$(IMAGES),$(BASE) dist/$(image).cdx.json $(if $(TARGET.$(image)),--kubectl) $(BUILD) &&) true

.venv-lock/.ready: requirements/lock.txt
	python3 -m venv .venv-lock
	.venv-lock/bin/pip install -q --no-compile --require-hashes -r requirements/lock.txt
	touch $@

# For the oldest Python that is supported. tests/supply/test_locks.py checks them for that of the images.
COMPILE = .venv-lock/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 $(if $(UPGRADE),--upgrade)

# Versions that a file locks already are kept, unless UPGRADE=1.
lock: .venv-lock/.ready       ## write requirements/*.txt again, with hashes; UPGRADE=1 takes the newest versions
	$(COMPILE) --extra operator pyproject.toml -o requirements/runtime.txt
	$(COMPILE) --extra operator --extra notifier --extra test --extra check --group build pyproject.toml -o requirements/dev.txt
	$(COMPILE) --extra operator --extra notifier --constraint requirements/dev.txt pyproject.toml -o requirements/notifier.txt
	$(COMPILE) --universal --constraint requirements/dev.txt --group cli pyproject.toml -o requirements/cli.txt
	$(COMPILE) --constraint requirements/dev.txt --group dashboard -o requirements/dashboard.txt
	$(COMPILE) --group fetch -o requirements/fetch.txt
	$(COMPILE) --group fetch --group fetch-test -c requirements/fetch.txt -o requirements/fetch-dev.txt
	$(COMPILE) --group mlflow -o requirements/mlflow.txt
	$(COMPILE) --group signing -o requirements/signing.txt
	$(COMPILE) --group pipelines -o requirements/pipelines.txt
	$(COMPILE) --universal --group airflow -o requirements/airflow.txt
	$(COMPILE) --group sbom -o requirements/sbom.txt
	$(COMPILE) --group pex -o requirements/pex.txt
	$(COMPILE) --group docs -o requirements/docs.txt
	$(COMPILE) --group demo-models -o requirements/demo-models.txt
	$(COMPILE) --group build --constraint requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --group lock -o requirements/lock.txt
	$(COMPILE) --extra operator --extra bench --constraint requirements/dev.txt pyproject.toml -o requirements/bench.txt

clean:                        ## delete environments and build results
	rm -rf .venv .venv-* .build dist
