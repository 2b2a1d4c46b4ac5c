# The commands of this repository; "make" alone lists them.
# All that they make is in .venv, .cache and .demo.

PYTHON ?= python3
VENV = .venv
# What the virtual environment is installed from: it is kept until one changes
PACKAGE = setup.py pyproject.toml tryton.cfg

.PHONY: help demo demo-reset test lint clean
.DELETE_ON_ERROR:

help:
	@echo "make demo        serve the module with an example company"
	@echo "make demo-reset  the same, beginning anew"
	@echo "make test        run all the tests (ARGS=--help for the options)"
	@echo "make lint        run the linters only"
	@echo "make clean       remove what the other commands made"

demo: $(VENV)/installed-demo
	@$(VENV)/bin/python demo/serve.py

demo-reset: $(VENV)/installed-demo
	@$(VENV)/bin/python demo/serve.py --reset

test: $(VENV)/installed-test
	@$(VENV)/bin/python .ci/run_tests.py $(ARGS)

lint: $(VENV)/installed-test
	$(VENV)/bin/flake8
	$(VENV)/bin/isort --check-only --diff .

clean:
	rm -rf $(VENV) .cache .demo .tox build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) \
		and "Python 3.10 or later is needed, set PYTHON to it")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-demo: $(PACKAGE) | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/installed-test: $(PACKAGE) | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check \
		-e '.[test]' flake8 isort
	@touch $@
