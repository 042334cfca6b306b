# Requires Python 3.11 or newer, git, and a Docker Engine, or root on Debian to install one.
PYTHON ?= python3
VENV := .venv
# A link with which Ansible finds this checkout as a collection.
COLLECTION := .cache/collections/ansible_collections/cruntime/node
SETUP := $(VENV)/.made $(COLLECTION)

.PHONY: test test-unit test-roles test-vm test-vm-current test-matrix test-mutation coverage bench lint docs unit oldest sanity \
	nodes molecule slice demo pictures link clean

# Run the short form of every test except the matrix, and a slice of the long form. The last line is:
# N passed, N failed, N skipped
test: $(SETUP)
	@$(VENV)/bin/python tests/run.py

test-unit: unit

# Run one test stage, or all stages whose names start with this word. SLICE=NAME repeats a slice of the long form.
lint docs unit oldest sanity nodes molecule slice: $(SETUP)
	@$(VENV)/bin/python tests/run.py $@

# Run all tests of the roles, on bare nodes and on a fleet that is switched.
test-roles: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-bare molecule-fleet

# Run all tests of the virtual machine; `make test` has only the short ones.
test-vm: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-vm

# Run the tests of overridden keys and running containers on virtual machines with cgroup v2 and the newest runtimes.
test-vm-current: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-vm-current

# Run the tests with every supported ansible-core and every supported Python that is on the PATH.
test-matrix: $(SETUP)
	@$(VENV)/bin/python tests/run.py matrix

# Run mutation tests: change one operator at a time in the files of tests/mutation/targets.txt; a test must find each change.
test-mutation: $(SETUP)
	@$(VENV)/bin/nox --session mutation

# Measure the coverage of the unit tests and of one node per scenario, including the code on the nodes.
coverage: $(SETUP)
	@$(VENV)/bin/nox --session coverage

# Run the benchmarks against their baselines. Takes about 30 minutes on an idle machine.
bench: $(SETUP)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH=.cache/collections \
		$(VENV)/bin/python tests/bench/bench.py

# Provision a node, switch its runtime, and show that a second run changes nothing.
demo: $(SETUP)
	@$(VENV)/bin/python examples/demo.py

# Make the pictures and transcripts of the documentation from real runs. Takes minutes.
pictures: $(SETUP)
	@PYTHONPATH=.cache/collections $(VENV)/bin/python tests/pictures.py

$(VENV)/.made: requirements.txt requirements-test.txt
	@echo "== python environment"
	@tests/venv.sh $(VENV) $(PYTHON)
	@touch $@

# Link this checkout as a collection, to run nox from your own environment.
link: $(COLLECTION)

$(COLLECTION):
	@mkdir -p $(@D)
	@ln -s ../../../.. $@

clean:
	rm -rf $(VENV) .cache .nox
