# The whole build. `make help` lists the targets.

CC       ?= cc
CXX      ?= c++
BUILD    ?= build
PREFIX   ?= /usr/local
OPTIMIZE ?= -O2
WARNINGS  = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
PKGS      = yaml-0.1 sqlite3 libarchive libcrypto libuv jansson libpng zlib
CPPFLAGS += -I. $(shell pkg-config --cflags $(PKGS) openblas)
CFLAGS   += -std=gnu11 -g $(OPTIMIZE) -fopenmp -MMD -MP $(WARNINGS) $(SANITIZE)
CXXFLAGS += -std=c++17 -g $(OPTIMIZE) -fopenmp -MMD -MP -Wall -Wextra -isystem /usr/include/opencv4 $(SANITIZE)
LDFLAGS  += -fopenmp $(SANITIZE)
LDLIBS   += $(shell pkg-config --libs $(PKGS) openblas) -ldnnl -lsvm \
            -lopencv_objdetect -lopencv_imgproc -lopencv_core -lstdc++ -lpthread -lm

PARTS   = base cache dag kernels stages reports
SOURCES = $(filter-out dag/main.c,$(foreach p,$(PARTS),$(wildcard $(p)/*.c)))
CXXSOURCES = $(foreach p,$(PARTS),$(wildcard $(p)/*.cpp))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o) $(CXXSOURCES:%.cpp=$(BUILD)/%.o)
LIBRARY = $(BUILD)/libferdag.a
UNITS   = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))

all: ferdag

ferdag: $(BUILD)/dag/main.o $(LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(OBJECTS)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# Unit tests: one cmocka program a file.
units: $(UNITS)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIBRARY) $(LDFLAGS) -lcmocka $(LDLIBS)

# Programs that the comparisons with PyTorch (tests/oracles, tests/bench) run.
$(BUILD)/tests/%: tests/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIBRARY) $(LDFLAGS) $(LDLIBS)

bench-train: $(BUILD)/tests/bench/bench_train
	@for m in vgg19 resnet18 preact_resnet18 resnext29; do $< -m $$m; done

clean:
	rm -rf $(BUILD) ferdag

.PHONY: all units clean bench-train
-include $(OBJECTS:.o=.d) $(BUILD)/dag/main.d $(UNITS:=.d)
