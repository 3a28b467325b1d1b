# For check.sh and bench.sh: where NVIDIA's Python packages (nvidia-cudnn-cu13, nvidia-cublas, ...)
# are installed, the loader gets their folders, after those that are set already. A system's own cuDNN
# goes first.
python=${PYTHON:-python3}
packages=$("$python" - 2>/dev/null <<'PYTHON_END'
import glob
import importlib.util
spec = importlib.util.find_spec("nvidia")
for folder in spec.submodule_search_locations if spec else []:
    print(":".join(sorted(glob.glob(folder + "/*/lib"))))
PYTHON_END
)
packages=$(printf '%s' "$packages" | tr '\n' ':')
if [ -n "$packages" ]; then
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$packages"
fi
