# The commands of this repository; "make" alone lists them.
# All that they make is in .venv, .cache and .demo.

PYTHON ?= python3
VENV = .venv
# What the virtual environment is installed from: it is kept until one changes
PACKAGE = Makefile setup.py pyproject.toml tryton.cfg
# As by default, but with a profile for each as several may run at once
export TRYTOND_REPORT__CONVERT_COMMAND = soffice \
	"-env:UserInstallation=file://%(directory)s/profile" --headless \
	--nolockcheck --nodefault --norestore \
	--convert-to "%(output_extension)s" --outdir "%(directory)s" \
	"%(input_path)s"

.PHONY: help demo demo-reset test lint clean
.DELETE_ON_ERROR:

help:
	@echo "make demo        serve the module with an example company"
	@echo "make demo-reset  the same, beginning anew"
	@echo "make test        run the tests (ARGS=--help for the options)"
	@echo "make lint        run the linters and build the documentation"
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
	DOC_NO_NETWORK=1 $(VENV)/bin/sphinx-build -q -E -W --keep-going \
		doc .cache/doc

clean:
	rm -rf $(VENV) .cache .demo build dist *.egg-info
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
		-e '.[test]' flake8 isort sphinx
	@touch $@
