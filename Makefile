# Two commands set up everything: make book, make test. Both install into .venv first.
# PYTHON: the interpreter of the environment; by default the first new enough one that is found.
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Waiting threads sleep instead of spinning: the two cores of a small machine are often shared.
export OMP_WAIT_POLICY ?= PASSIVE
# Modules are compiled once and kept, whatever the environment says: without that each of the hundreds of processes that
# the tests start would compile torch and all others anew, six seconds each.
unexport PYTHONDONTWRITEBYTECODE

# One that does not work is removed before anything else, so that it is made again.
$(shell sh .ci/venv.sh check $(VENV))

.PHONY: book pdf test faults gpu slurm hosts smoke pages check lint clean
.DEFAULT_GOAL := book

# pip first: where a pin does not fit the Python at hand, a new one says so and an old one tries everything else for
# hours. Then torch alone: with no torch installed yet, pip would look at every newer release for the others.
# Python compiles the modules that are imported; pip would compile all, which takes half a minute.
QUICKLY := --quiet --disable-pip-version-check --no-compile
$(STAMP): pyproject.toml constraints.txt
	sh .ci/venv.sh make $(VENV) $(PYTHON)
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt --upgrade pip
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt torch torchvision
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[dev]'
	touch $@

# The smoke study's longest chain through papermill: A, from it D at S=256, then 384, then jitter, each tested; and from
# D at S=256 one that gives boxes. All networks: snakemake --config study=smoke --cores 2
smoke: $(STAMP)
	$(BIN)/verydeep run smoke D jitter
	$(BIN)/verydeep localise smoke D 256

# Every warning is an error; a fault under runs/ stops the build. What still holds of the last build is kept.
pages: $(STAMP)
	$(BIN)/jupyter-book build book -W -n --keep-going

book: smoke
	$(MAKE) pages

# The chapters as one PDF, of the book as it was built last; the front page leads to it until the book is built again.
pdf: $(STAMP)
	tests/browser.sh
	test -e _build/html/index.html || $(MAKE) book
	$(BIN)/verydeep pdf

# Files of tests side by side, one a core (four at most: each may train a network), what takes longest first; see
# tests/conftest.py. Which files and which tests took longest is said at the end. Ruff keeps no cache: what it remembers of
# a file does not change when another file moves, and an import is sorted by which modules are ours.
test: $(STAMP)
	tests/browser.sh
	$(BIN)/ruff check --no-cache src tests benchmarks
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --no-loadscope-reorder

# Kills, faults of the machine and bad input, all of them; writes the record that the chapter shows.
faults: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m faults

# The CUDA path, on one card: its tests, then the rates that the chapter on cost shows. Under eight minutes, no download.
gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py --check
	$(BIN)/python -m pytest -m gpu tests/training
	$(BIN)/python benchmarks/gpu.py

# The smoke study through a Slurm cluster of three hosts in namespaces of this machine, and a training by torchrun on two
# such hosts: minutes each, as root. What is lost on the way goes on; both write the record that a chapter shows.
slurm: $(STAMP)
	tests/cluster/install.sh
	$(BIN)/python -m pytest -m slurm tests/test_cluster.py

hosts: $(STAMP)
	$(BIN)/python -m pytest -m hosts tests/test_cluster.py

check: $(STAMP)
	$(BIN)/verydeep check

lint: $(STAMP)
	$(BIN)/ruff check --no-cache --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/lint-imports

clean:
	rm -rf _build book/runs book/reference
