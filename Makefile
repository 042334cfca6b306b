# Needs Python 3.11 or newer and git, and a Docker Engine or root on a Debian to install one.
PYTHON ?= python3
VENV := .venv
# Where Ansible finds this checkout as a collection.
COLLECTION := .cache/collections/ansible_collections/cruntime/node
SETUP := $(VENV)/.made $(COLLECTION)

.PHONY: test test-unit test-roles test-vm test-matrix test-mutation coverage bench lint docs unit oldest sanity \
	nodes molecule slice demo link clean

# The short form of every test except the matrix, and a slice of the long form. Ends with the line:
# N passed, N failed, N skipped
test: $(SETUP)
	@$(VENV)/bin/python tests/run.py

test-unit: unit

# One stage, or the stages whose name begins so. SLICE=NAME repeats a slice of the long form.
lint docs unit oldest sanity nodes molecule slice: $(SETUP)
	@$(VENV)/bin/python tests/run.py $@

# All tests of the roles, on nodes provisioned from bare and on a fleet that is switched.
test-roles: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-bare molecule-fleet

# All tests of the machine with a kernel of its own; the whole run has only the short ones.
test-vm: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-vm

# Every ansible-core and every Python that is supported, as far as the Pythons are on the PATH.
test-matrix: $(SETUP)
	@$(VENV)/bin/python tests/run.py matrix

# Changes one operator at a time in the files of tests/mutation/targets.txt; a test must find each change.
test-mutation: $(SETUP)
	@$(VENV)/bin/nox --session mutation

# The unit tests and a node of each runtime's scenario, measured, on the nodes too.
coverage: $(SETUP)
	@$(VENV)/bin/nox --session coverage

# Measures, beside what it is to be compared with; takes half an hour on a quiet machine.
bench: $(SETUP)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH=.cache/collections \
		$(VENV)/bin/python tests/bench/bench.py

# Provisions a node, switches its runtime, shows that a second run changes nothing.
demo: $(SETUP)
	@$(VENV)/bin/python examples/demo.py

$(VENV)/.made: requirements.txt requirements-test.txt
	@echo "== python environment"
	@tests/venv.sh $(VENV) $(PYTHON)
	@touch $@

# For nox in an environment of one's own.
link: $(COLLECTION)

$(COLLECTION):
	@mkdir -p $(@D)
	@ln -s ../../../.. $@

clean:
	rm -rf $(VENV) .cache .nox
