# Needs Python 3.10 or newer and git, and a Docker Engine or root on a Debian to install one.
PYTHON ?= python3
VENV := .venv
# Where Ansible finds this checkout as a collection.
COLLECTION := .cache/collections/ansible_collections/cruntime/node
SETUP := $(VENV)/.made $(COLLECTION)

.PHONY: test test-unit test-roles bench lint sanity nodes molecule demo clean

# Every test, but of the roles only the short ones; ends with the line: N passed, N failed, N skipped
test: $(SETUP)
	@$(VENV)/bin/python tests/run.py

test-unit: $(SETUP)
	@$(VENV)/bin/python tests/run.py unit

lint sanity nodes molecule: $(SETUP)
	@$(VENV)/bin/python tests/run.py $@

# All tests of the roles, on nodes provisioned from bare and on a fleet that is switched.
test-roles: $(SETUP)
	@$(VENV)/bin/python tests/run.py molecule-bare molecule-fleet

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

$(COLLECTION):
	@mkdir -p $(@D)
	@ln -s ../../../.. $@

clean:
	rm -rf $(VENV) .cache
