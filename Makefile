# Two commands do all the set-up: `make demo` and `make test`. Python 3.10 or newer is all they need.
PYTHON ?= python3
OLDEST ?= python3.10
VENV := .venv
BIN := $(VENV)/bin/python

.PHONY: demo test fuzz upset soak oldest venv clean

demo: venv
	$(BIN) -m foundry_ros.demo

test: venv
	$(BIN) -m pytest -q test

# Spoilt clouds and bundles by the ten thousand; the tests take a few hundred.
fuzz: venv
	PYTHONPATH=. $(BIN) test/fuzz_clouds.py
	PYTHONPATH=. $(BIN) test/fuzz_bundles.py

# The node, as a process, upset over the middleware, and 20,000 clouds through it; need ROS 2.
upset: venv
	PYTHONPATH=. $(BIN) test/upset_node.py

soak: venv
	PYTHONPATH=. $(BIN) test/soak_node.py

# The tests of the robot side with the oldest packages that it works with; needs Python 3.10.
oldest:
	$(OLDEST) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements-oldest.txt
	$(VENV)-oldest/bin/python -m pytest -q test

venv: $(VENV)/installed

# Marked only when everything is in, so that an interrupted installation is done again.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'foundry_ros needs Python 3.10 or newer; name one: make PYTHON=python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-oldest demo_output build install log
