# Every target works from a fresh clone: .venv is made from the hashed lock on first use.
PY := .venv/bin/python
SHELL := /bin/bash
CODE := operator sandbox demo e2e dev tests bench conftest.py
# Environments that a target needs are made side by side.
MAKEFLAGS += --jobs=2

.PHONY: bench bench-attack bench-full bench-micro dist sbom demo demo-down packages test test-gateways test-unit mutations rules check generate lock clean

.venv/.ready: requirements/dev.txt pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install -q --no-compile --require-hashes -r requirements/dev.txt
	.venv/bin/pip install -q --no-deps --no-build-isolation -e .
	touch $@

# The fetcher's libraries and the operator's exclude each other, as in the two images.
.venv-fetch/.ready: requirements/fetch-dev.txt
	python3 -m venv .venv-fetch
	.venv-fetch/bin/pip install -q --no-compile --require-hashes -r requirements/fetch-dev.txt
	touch $@

.venv-sbom/.ready: requirements/sbom.txt
	python3 -m venv .venv-sbom
	.venv-sbom/bin/pip install -q --no-compile --require-hashes -r requirements/sbom.txt
	touch $@

# What the operator's image has: the bench measures that.
.venv-runtime/.ready: requirements/runtime.txt
	python3 -m venv .venv-runtime
	.venv-runtime/bin/pip install -q --require-hashes -r requirements/runtime.txt
	touch $@

demo: .venv/.ready            ## the whole story on a real cluster, with the real MLServer
	CANARIUM_SANDBOX_INSTALL=1 $(PY) -m demo

demo-down: .venv/.ready       ## takes the demo's cluster away
	$(PY) -m sandbox down

packages:                     ## what `make test` needs of Debian: installed as root, else the command is printed
	@dev/install-packages

# Two at a time keep two cores busy: with three, real servers start beside each other so slowly that
# probes and deadlines fail (load 28 was seen).
test: packages                ## unit, integration and end-to-end tests
	@$(MAKE) --no-print-directory .venv/.ready .venv-fetch/.ready
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-gateways: .venv/.ready   ## routes behind Envoy Gateway (built once, five minutes); what each gateway ignores
	$(PY) -m pytest e2e/test_gateway.py e2e/test_grpc.py e2e/gateway_limits.py --gateway=envoy-gateway
	$(PY) -m pytest e2e/gateway_limits.py

test-unit: .venv/.ready       ## the quick loop, under a minute on two cores: no cluster, server or simulation
	$(PY) -m pytest -q -n 2 --dist worksteal tests -m "not api and not slow"

mutations: .venv/.ready       ## undoes each fix in turn: a test has to fail
	$(PY) -m mutations $(FAULTS)

rules: .venv/.ready           ## the rules R0 to R25 with the tests that prove each
	@$(PY) -m pytest -q --collect-only --rules --no-header | sed '/::/!b; /^    /b; d'

.venv/.bench: .venv/.ready requirements/bench.txt
	.venv/bin/pip install -q --require-hashes -r requirements/bench.txt
	touch $@

# PEERS=1 is all of them; or a list, such as PEERS=rollouts-raised,flagger.
PEERED = $(if $(PEERS),--peers $(filter-out 1,$(PEERS)))

bench: .venv/.bench .venv-runtime/.ready           ## scale, latency and cost at 200 and 1,000 objects; PEERS=1: and the peers'
	$(PY) -m bench $(PEERED)

bench-full: .venv/.bench .venv-runtime/.ready      ## the same, and 10,000
	$(PY) -m bench --sizes 200,1000,10000 $(PEERED)

bench-attack: .venv/.ready    ## ten hostile namespaces beside a good one: how late are its rollbacks?
	$(PY) -m bench.attack

bench-micro: .venv/.bench     ## the pure core in µs, beside the commit before
	$(PY) -m bench.micro

check: .venv/.ready           ## lint, types, layers, generated files
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/ruff check $(CODE)
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m generators --check
	$(PY) -m canarium.diagram --check
	$(PY) tests/argocd/generate.py --check

generate: .venv/.ready        ## CRDs, references, the chart's schema and README, the table's page
	$(PY) -m generators
	$(PY) -m canarium.diagram
	$(PY) tests/argocd/generate.py

dist: .venv/.ready            ## the wheel: the same bytes whenever and wherever it is built
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PY) -m hatchling build -t wheel

sbom: .venv-sbom/.ready       ## dist/*.cdx.json: every package that each of the two images carries
	@mkdir -p dist
	.venv-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON --output-reproducible -o dist/canarium.cdx.json requirements/runtime.txt
	.venv-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON --output-reproducible -o dist/canarium-fetch.cdx.json requirements/fetch.txt

lock:                         ## re-locks the requirements, with hashes and no addresses
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra test --extra check --group build pyproject.toml -o requirements/dev.txt
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group fetch -o requirements/fetch.txt
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group fetch --group fetch-test -c requirements/fetch.txt -o requirements/fetch-dev.txt
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group sbom -o requirements/sbom.txt
	uv pip compile --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra bench --constraint requirements/dev.txt pyproject.toml -o requirements/bench.txt

clean:
	rm -rf .venv .venv-* .build dist
