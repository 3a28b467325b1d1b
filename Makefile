# The whole build. V=1 prints whole command lines.
#   make             builds the program, ./ferdag
#   make run         installs missing packages, builds, runs the demo, prints the path of its PDF
#   make check       installs missing packages, builds, runs every test that takes seconds
#   make check-long  ... and the tests that need real data, sanitizers, fuzzing or minutes
#   make bench       speed against other programs: make bench-train and make bench-classify;
#                    make bench-profile prints the time of a training step by layer
#   make check-gpu   checks the cuda backend on this machine's GPU, make bench-gpu measures it, in five
#                    minutes at most; they need nvcc and cuDNN, but no other library
#   make gpu-model   prints an estimate of the speed on a GPU (docs/gpu.md)
#   make install     installs the program, experiments, docs, man page and shell completions
#                    below PREFIX (default /usr/local); DESTDIR is put in front of all paths
#   make uninstall   removes what make install installed, with the same PREFIX and DESTDIR
#   make deb         builds a Debian package, build/ferdag_VERSION_ARCHITECTURE.deb; DEBFULLNAME
#                    and DEBEMAIL name its maintainer
#   make CUDA=       builds without the cuda backend, which is built where nvcc, cudnn.h and
#                    cublas_v2.h are; CUDA_ARCHS=90 builds it for some architectures only
#   make cudnn-engines  writes the table of the convolution engines that this cuDNN chooses
#   make schema      writes docs/ferdag.schema.json, which editors use
#   make format, make lint, make clean

CC       ?= cc
CXX      ?= c++
BUILD    ?= build
PREFIX   ?= /usr/local
OPTIMIZE ?= -O2
WARNINGS  = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion \
            $(if $(findstring clang,$(CC)),-Wno-pass-failed) # vectorising is a wish, not a duty
PKGS      = yaml-0.1 sqlite3 libarchive libcrypto libuv jansson libpng zlib
CPPFLAGS += -I. -I$(BUILD) $(shell pkg-config --cflags $(PKGS) openblas)
CFLAGS   += -std=gnu11 -g $(OPTIMIZE) -fopenmp -MMD -MP $(WARNINGS) $(SANITIZE)
CXXFLAGS += -std=c++17 -g $(OPTIMIZE:-O2=-O3) -fopenmp -MMD -MP -Wall -Wextra $(SANITIZE)
LDFLAGS  += -fopenmp $(SANITIZE)
LDLIBS   += $(shell pkg-config --libs $(PKGS) openblas) -ldnnl -lsvm \
            -l:libdlib.a -lstdc++ -lpthread -lm
VERSION  := $(shell cat VERSION)

# The cuda backend. NVCC is the compiler of CUDA; CUDA_HOME the toolkit's folder.
NVCC      ?= $(firstword $(shell command -v nvcc) \
               $(wildcard $(addsuffix /bin/nvcc,$(CUDA_HOME) /usr/local/cuda)))
NVCC      := $(NVCC)
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(NVCC))
HEADERS   := $(CUDA_HOME)/include /usr/include /usr/include/$(shell $(CC) -dumpmachine)
CUDA      ?= $(if $(and $(NVCC),$(wildcard $(HEADERS:=/cudnn.h)),$(wildcard $(HEADERS:=/cublas_v2.h))),1)
CUDA      := $(CUDA)
ifneq ($(CUDA),)
CUDA_ARCHS  ?= $(sort $(shell $(NVCC) --list-gpu-arch | sed 's/compute_//'))
CUDA_ARCHS  := $(CUDA_ARCHS)
CUDA_NEWEST := $(shell printf '%s\n' $(CUDA_ARCHS) | sort -n | tail -n 1)
CUDART       = -L$(firstword $(wildcard $(CUDA_HOME)/lib64 $(CUDA_HOME)/lib)) -lcudart_static -ldl -lrt
CPPFLAGS    += -DFERDAG_CUDA $(patsubst %,-isystem %,$(filter-out /usr/include,$(CUDA_HOME)/include))
NVCCFLAGS   += -O3 --std=c++17 -lineinfo -Werror all-warnings -Wno-deprecated-gpu-targets \
               -Xptxas -warn-spills,-warn-lmem-usage,--warning-as-error \
               -Xcompiler -Wall,-Wextra,-Wshadow -I. \
               $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
               -gencode arch=compute_$(CUDA_NEWEST),code=compute_$(CUDA_NEWEST)
endif

# $(call step,WORD) in front of a command prints "  WORD  target" in place of the command line.
step = @$(if $(V),set -x;,printf '  %-4s %s\n' $(1) $@;)

PARTS   = base cache dag kernels stages reports
FOUND  := $(sort $(shell find $(PARTS) tests -name '*.[ch]' -o -name '*.cpp' -o -name '*.cu'))
BUILT   = $(filter-out dag/commands/main.c tests/% $(NOT_BUILT),$(FOUND))
# CUDA is empty where the CUDA toolkit isn't found: then products of rows are computed on the CPU.
NOT_BUILT = $(if $(CUDA),kernels/math/products_none.c,kernels/cuda/% kernels/backends/cuda/% kernels/math/cuda/%)
SOURCES = $(filter %.c,$(BUILT))
CXXSOURCES = $(filter %.cpp,$(BUILT))
KERNELS = $(filter %.cu,$(BUILT))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o) $(CXXSOURCES:%.cpp=$(BUILD)/%.o) $(KERNELS:%=$(BUILD)/%.o)
LIBRARY = $(BUILD)/libferdag.a
UNITS   = $(patsubst %.c,$(BUILD)/%,$(filter-out $(CUDA_TESTS),$(filter tests/unit/%.c,$(FOUND))))

# Tests of the cuda backend run without a GPU: its kernels as host code, and doubles of the libraries.
CUDA_TESTS   = $(filter tests/unit/kernels/test_cuda_%,$(FOUND))
CUDA_UNITS   = $(if $(CUDA),$(filter-out $(CUDNN_UNITS),$(patsubst %,$(BUILD)/%,$(basename $(CUDA_TESTS)))))
# These use no doubles, but the real cuDNN, which makes plans for GPUs that aren't there.
CUDNN_UNITS  = $(if $(CUDA),$(addprefix $(BUILD)/tests/unit/kernels/test_cuda_,loader plans plan_calls))
HOST_KERNELS = $(KERNELS:%.cu=$(BUILD)/host/%.o)
DOUBLES      = $(patsubst %,$(BUILD)/%.o,$(basename $(filter-out tests/double/cu% tests/double/program.c,\
                 $(filter tests/double/%.c tests/double/%.cpp,$(FOUND)))))
DOUBLE_FILES = $(addprefix $(BUILD)/double/,libcudnn_graph.so.9 libcublas.so)

all: ferdag

ferdag: $(BUILD)/dag/commands/main.o $(LIBRARY)
	$(call step,LD) $(CC) $(LDFLAGS) -o $@ $^ $(CUDART) $(LDLIBS)

# q, not r: files of two folders may have the same name.
$(LIBRARY): $(OBJECTS)
	$(call step,AR) rm -f $@ && ar qcs $@ $^

# The version and, in a git repository, the commit. The file is written only when its text changes,
# so that nothing is built again without need.
$(BUILD)/built_version.h: always
	@mkdir -p $(@D)
	@commit= date=$$(date -r VERSION +%F); \
	if [ -e .git ] && commit=$$(git rev-parse --short=12 HEAD 2>/dev/null); then \
	    date=$$(git log -1 --format=%cs); \
	    [ -z "$$(GIT_OPTIONAL_LOCKS=0 git status --porcelain -uno 2>/dev/null)" ] || commit=$$commit+changes; \
	fi; \
	printf '#define FERDAG_VERSION "%s"\n#define FERDAG_COMMIT "%s"\n#define FERDAG_DATE "%s"\n' \
	    "$(VERSION)" "$$commit" "$$date" >$@.part; \
	if cmp -s $@.part $@; then rm $@.part; else mv $@.part $@; fi

$(BUILD)/dag/version.o: $(BUILD)/built_version.h

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	$(call step,CXX) $(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# CUDA's headers aren't in NVCCFLAGS: nvcc knows them.
$(BUILD)/%.cu.o: %.cu
	@mkdir -p $(@D)
	$(call step,NVCC) $(NVCC) $(NVCCFLAGS) -ccbin $(lastword $(CXX)) -MD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BUILD)/host/%.o: %.cu
	@mkdir -p $(@D)
	$(call step,CXX) $(CXX) $(CPPFLAGS) -DFERDAG_HOST_KERNELS $(CXXFLAGS) -c -o $@ -x c++ $<

$(HOST_KERNELS) $(DOUBLES): CXXFLAGS += -Wno-unknown-pragmas # such as unroll

# Unit tests: one cmocka program a file; what uses the classifiers' functions as they do; and what
# stories use.
units: $(UNITS) $(CUDA_UNITS) $(CUDNN_UNITS) $(if $(CUDA),$(addprefix $(BUILD)/,$(addprefix double/,ferdag check_gpu bench_gpu counts) tests/gpu/model)) $(BUILD)/tests/bench/bench_classify $(BUILD)/tests/stories/restamp $(BUILD)/tests/stories/sql

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIBRARY) $(LDFLAGS) -lcmocka $(CUDART) $(LDLIBS)

# The doubles replace cudart, and the host's kernels those of nvcc in the library.
$(CUDA_UNITS): %: %.o $(HOST_KERNELS) $(DOUBLES) $(LIBRARY) | $(DOUBLE_FILES)
	$(call step,LD) $(CXX) -rdynamic -o $@ $^ $(LDFLAGS) -lcmocka $(LDLIBS) -ldl

# The whole program on the doubles, for stories.
$(BUILD)/double/ferdag: $(BUILD)/dag/commands/main.o $(BUILD)/tests/double/program.o $(HOST_KERNELS) $(DOUBLES) \
                        $(LIBRARY) | $(DOUBLE_FILES)
	$(call step,LD) $(CXX) -rdynamic -o $@ $^ $(LDFLAGS) $(LDLIBS) -ldl

# Doubles of cuDNN and cuBLAS, which the program opens. They use its double of cudart (-rdynamic).
$(BUILD)/double/libcudnn_graph.so.9: $(filter tests/double/cudnn%.c,$(FOUND))
$(BUILD)/double/libcublas.so: tests/double/cublas.c
$(DOUBLE_FILES): tests/double/cudart.h tests/double/cudnn_double.h kernels/backends/backend.h
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) -fPIC -shared -o $@ $(filter %.c,$^)

# Programs that the comparisons with PyTorch (tests/oracles, tests/bench) run.
$(BUILD)/tests/%: tests/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIBRARY) $(LDFLAGS) $(CUDART) $(LDLIBS)

$(BUILD)/tests/bench/bench_train $(BUILD)/tests/bench/bench_profile: tests/bench/training.h

# Fuzz targets, with libFuzzer, against a library that clang has instrumented and sanitized.
INSTRUMENTED = $(BUILD)/instrumented/libferdag.a
FUZZED       = -fsanitize=address,undefined -fno-sanitize-recover=undefined

$(INSTRUMENTED): $(FOUND)
	@$(MAKE) --no-print-directory -s -j2 BUILD=$(@D) CUDA= CC=clang CXX=clang++ OPTIMIZE=-O1 \
	    SANITIZE='-fsanitize=fuzzer-no-link $(FUZZED)' $@

$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/scratch.h $(INSTRUMENTED)
	@mkdir -p $(@D)
	clang++ $(CPPFLAGS) -g -O1 -fopenmp -fsanitize=fuzzer $(FUZZED) -o $@ -x c -std=gnu11 $< -x none $(INSTRUMENTED) $(LDLIBS)

# Where a training step's time goes: one thread of ours, layer by layer. PROFILE: options of
# tests/bench/bench_profile.c, such as -m resnext29 -w 16; else the four nets at two widths.
bench-profile: $(BUILD)/tests/bench/bench_profile
	@if [ -n "$(PROFILE)" ]; then $< $(PROFILE); else \
	for w in 16 64; do for m in vgg19 resnet18 preact_resnet18 resnext29; do \
	    $< -m $$m -w $$w -r 9 || exit 1; done; done; fi

# What the build, the tests and the report need, by Debian's names.
PACKAGES = gcc g++ pkg-config libyaml-dev libsqlite3-dev libarchive-dev libssl-dev libuv1-dev \
           libjansson-dev libpng-dev libsvm-dev libdlib-dev libdnnl-dev \
           libopenblas-dev libcmocka-dev gnuplot-nox groff perl ghostscript poppler-utils \
           bubblewrap tmux
INSTALL  = apt-get install -y --no-install-recommends

setup:
	@missing=$$(for p in $(PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok' || echo $$p; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	missing=$$(echo $$missing); \
	if [ "$$(id -u)" = 0 ]; then sudo=; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=sudo; \
	else echo "Some packages are missing. Run this line, then make again:"; \
	     echo "  sudo $(INSTALL) $$missing"; exit 1; fi; \
	echo "installing $$missing"; \
	$$sudo apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $$sudo $(INSTALL) -qq $$missing >/dev/null

run: setup
	@$(MAKE) --no-print-directory -j2 ferdag
	./ferdag run experiments/demo.yaml
	@echo "The report: out/demo/report.pdf"

check: setup
	@$(MAKE) --no-print-directory -j2 ferdag units
	@BUILD=$(BUILD) tests/run.sh

check-long: check $(BUILD)/tests/oracles/net_dump
	@tests/long.sh

# Training and feature extraction against PyTorch, where PYTHON has it; else our own speed alone.
# BENCH: options of tests/bench/train.py, such as --models resnet18 --widths 16 --rounds 5.
PYTHON ?= python3
bench-train: $(BUILD)/tests/bench/bench_train $(BUILD)/tests/bench/bench_profile
	@$(PYTHON) tests/bench/train.py $(BUILD) $(BENCH)

# Training and prediction of Table V's classifiers against scikit-learn and LIBSVM's tools. FEATURES is
# a folder as extract_features or fuse_features writes it; BENCH: options of tests/bench/classify.py,
# such as --rows knn_5,tree --rounds 5. PYTHON needs numpy, and scikit-learn to compare with.
bench-classify: $(BUILD)/tests/bench/bench_classify
	@if [ -z "$(FEATURES)" ]; then echo "bench-classify needs FEATURES=folder of features" >&2; exit 2; fi
	@$(PYTHON) tests/bench/classify.py $(BUILD) $(FEATURES) $(BENCH)

bench: bench-train $(if $(FEATURES),bench-classify)

# Programs for a GPU: nets, the backends cuda and ref, and base only, so that the folder can be carried
# to a machine without our other libraries (tests/gpu/check.sh and bench.sh run them there).
GPU          = $(BUILD)/gpu
GPU_SOURCES  = base/clock.c base/error.c base/random.c base/utf8.c \
               $(filter kernels/nets/%.c kernels/backends/ref/%.c kernels/cuda/%.c kernels/backends/cuda/%.c,$(FOUND))
GPU_OBJECTS  = $(GPU_SOURCES:%.c=$(BUILD)/%.o) \
               $(patsubst %,$(BUILD)/%.o,$(filter kernels/backends/cuda/%.cu,$(FOUND))) $(GPU)/backend.o
GPU_SHARED   = $(BUILD)/tests/gpu/net_images.o
GPU_CHECK    = $(patsubst %.c,$(BUILD)/%.o,$(filter tests/gpu/check_%.c tests/gpu/side.c,$(FOUND)))
GPU_LINK     = $(call step,LD) $(CC) -o $@ $^ -static-libgcc $(GPU_OPENMP) -l:libstdc++.a $(CUDART) -lpthread -lm
GPU_OPENMP   = $(if $(findstring clang,$(CC)),-fopenmp,-l:libgomp.a)

$(GPU)/backend.o: kernels/backends/backend.c
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(CPPFLAGS) -DFERDAG_WITHOUT_CPU $(CFLAGS) -c -o $@ $<

$(GPU)/check_gpu: $(GPU_CHECK) $(GPU_SHARED) $(GPU_OBJECTS)
	$(GPU_LINK)

$(GPU)/bench_gpu: $(BUILD)/tests/gpu/bench_gpu.o $(GPU_SHARED) $(GPU_OBJECTS)
	$(GPU_LINK)

# The same on the doubles, without a GPU. A story runs the short form of check_gpu.
GPU_DOUBLE = $(GPU_SHARED) $(BUILD)/tests/double/program.o $(HOST_KERNELS) $(DOUBLES) $(LIBRARY)
$(BUILD)/double/check_gpu: $(GPU_CHECK) $(GPU_DOUBLE) | $(DOUBLE_FILES)
	$(call step,LD) $(CXX) -rdynamic -o $@ $^ $(LDFLAGS) $(LDLIBS) -ldl
$(BUILD)/double/bench_gpu: $(BUILD)/tests/gpu/bench_gpu.o $(GPU_DOUBLE) | $(DOUBLE_FILES)
	$(call step,LD) $(CXX) -rdynamic -o $@ $^ $(LDFLAGS) $(LDLIBS) -ldl

$(BUILD)/double/counts: $(BUILD)/tests/gpu/counts.o $(BUILD)/tests/gpu/step_model.o $(GPU_DOUBLE) | $(DOUBLE_FILES)
	$(call step,LD) $(CXX) -rdynamic -o $@ $^ $(LDFLAGS) $(LDLIBS) -ldl

need-cuda:
	@if [ -z "$(CUDA)" ]; then echo "this needs nvcc, cudnn.h and cublas_v2.h (docs/gpu.md)" >&2; exit 2; fi

check-gpu: need-cuda
	@$(MAKE) --no-print-directory $(GPU)/check_gpu
	@tests/gpu/check.sh $(GPU)

# BENCH: options of tests/gpu/bench_gpu.py, such as --models resnet18 --widths 64 --rounds 5.
bench-gpu: need-cuda
	@$(MAKE) --no-print-directory $(GPU)/bench_gpu
	@PYTHON=$(PYTHON) tests/gpu/bench.sh $(GPU) $(BENCH)

$(BUILD)/tests/gpu/model: $(BUILD)/tests/gpu/model.o $(BUILD)/tests/gpu/step_model.o $(LIBRARY)
	$(call step,LD) $(CC) -o $@ $^ $(LDFLAGS) $(CUDART) $(LDLIBS)

gpu-model: $(BUILD)/tests/gpu/model
	@$<

# What `make install` installs, and `make uninstall` removes again.
SHARE     = $(DESTDIR)$(PREFIX)/share
INSTALLED = $(DESTDIR)$(PREFIX)/bin/ferdag \
            $(addprefix $(SHARE)/ferdag/,$(wildcard experiments/*.yaml) docs/ferdag.schema.json) \
            $(addprefix $(SHARE)/doc/ferdag/,experiments.md cache.md) \
            $(SHARE)/man/man1/ferdag.1 \
            $(SHARE)/bash-completion/completions/ferdag \
            $(SHARE)/zsh/site-functions/_ferdag

install: ferdag
	install -D ferdag $(DESTDIR)$(PREFIX)/bin/ferdag
	install -d $(SHARE)/ferdag/experiments $(SHARE)/doc/ferdag $(SHARE)/man/man1 \
	    $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions
	install -m 644 experiments/*.yaml $(SHARE)/ferdag/experiments
	install -D -m 644 docs/ferdag.schema.json $(SHARE)/ferdag/docs/ferdag.schema.json
	install -m 644 docs/experiments.md docs/cache.md $(SHARE)/doc/ferdag
	./ferdag help --man >$(BUILD)/ferdag.1
	./ferdag completion bash >$(BUILD)/ferdag.bash
	./ferdag completion zsh >$(BUILD)/_ferdag
	install -m 644 $(BUILD)/ferdag.1 $(SHARE)/man/man1/ferdag.1
	install -m 644 $(BUILD)/ferdag.bash $(SHARE)/bash-completion/completions/ferdag
	install -m 644 $(BUILD)/_ferdag $(SHARE)/zsh/site-functions/_ferdag

# Folders of ferdag alone go too, where nothing else is in them.
uninstall:
	rm -f $(INSTALLED)
	for folder in $(addprefix $(SHARE)/,ferdag/experiments ferdag/docs ferdag doc/ferdag); do \
	    if [ -d $$folder ]; then rmdir --ignore-fail-on-non-empty $$folder; fi; done

deb: ferdag
	@packaging/deb.sh $(BUILD) $(VERSION)

cudnn-engines: $(BUILD)/tests/unit/kernels/test_cuda_plans
	$< write tests/unit/kernels/cudnn_engines.txt

schema: ferdag
	./ferdag schema > docs/ferdag.schema.json

format:
	clang-format -i $(FOUND)

# clang-tidy looks again only at what changed since; $(BUILD)/lint keeps what it said of each file.
TIDIED = $(patsubst %,$(BUILD)/lint/%.said,$(filter-out %.h %.cu $(if $(CUDA),,kernels/cuda/% kernels/backends/cuda/% kernels/math/cuda/% \
           tests/double/% tests/gpu/% $(CUDA_TESTS)),$(FOUND)))

lint: PACKAGES += clang-format clang-tidy shellcheck
lint: setup
	clang-format --dry-run -Werror $(FOUND)
	shellcheck .ci/run packaging/*.sh tests/*.sh tests/gpu/*.sh tests/stories/*.sh
	@$(MAKE) --no-print-directory -j2 -k $(TIDIED)

$(BUILD)/lint/%.said: % .clang-tidy $(filter %.h,$(FOUND)) | $(BUILD)/built_version.h
	@mkdir -p $(@D)
	@echo "clang-tidy $<"
	@clang-tidy --quiet $< -- $(CPPFLAGS) $(if $(filter %.cpp,$<),-std=c++17,-std=gnu11) \
	    >$@.part 2>&1 || { cat $@.part; exit 1; }
	@mv $@.part $@

clean:
	rm -rf $(BUILD) ferdag

.PHONY: all always units setup run check check-long bench bench-train bench-classify bench-profile \
        check-gpu bench-gpu gpu-model need-cuda \
        install uninstall deb schema cudnn-engines format lint clean
-include $(OBJECTS:.o=.d) $(BUILD)/dag/commands/main.d $(UNITS:=.d) $(CUDA_UNITS:=.d) $(CUDNN_UNITS:=.d) \
         $(HOST_KERNELS:.o=.d) $(DOUBLES:.o=.d) $(BUILD)/tests/double/program.d \
         $(patsubst %.c,$(BUILD)/%.d,$(filter tests/gpu/%.c,$(FOUND))) $(GPU)/backend.d
