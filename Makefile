# Two commands do all the set-up: `make demo` and `make test`. Python 3.10 or newer is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin/python

.PHONY: demo test venv clean

demo: venv
	$(BIN) -m foundry_ros.demo

test: venv
	$(BIN) -m pytest -q test

venv: $(VENV)/installed

# Marked only when everything is in, so that an interrupted installation is done again.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'foundry_ros needs Python 3.10 or newer; name one: make PYTHON=python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf $(VENV) demo_output build install log
