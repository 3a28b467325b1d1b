"""Weights that train_cnn wrote, in the PyTorch models that people have: loads best.safetensors
strictly into each of the four nets (nets.py), feeds it the same images and compares logits and features
with those of extract_features, in all three views, and the gradients and the step of a batch with
ours from the same file (nets.compare).

  weights.py FERDAG NET_DUMP     paths of the programs; works in a temporary folder; exit 0 when all
                                 features and logits agree to 1e-5 and the rest within nets.py's bounds
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import nets

BOUND = 1e-5  # on differences of features and logits, which are about 1

PORTS = {
    "synthetic_faces": [],
    "ingest_csv": [("csv", "faces/faces.csv")],
    "train_cnn": [("images", "full/images")],
    "extract_features": [("images", "full/images"), ("weights", "{net}/best.safetensors")],
}


def stage(program, kind, folder, params, net=""):
    os.makedirs(folder, exist_ok=True)
    inputs = {}
    for port, path in PORTS[kind]:
        link = os.path.join(folder, port + ".in")
        if not os.path.lexists(link):
            os.symlink(os.path.abspath(path.format(net=net)), link)
        inputs[port] = [{"path": port + ".in"}]
    job = {"stage": folder, "kind": kind, "key": "00", "params": params, "inputs": inputs,
           "outputs": {}, "threads": 1, "backend": "auto"}
    with open(os.path.join(folder, "job.json"), "w") as f:
        json.dump(job, f)
    subprocess.run([program, "stage", kind], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def views(images, view, crop):
    """(views, n, 1, size, size)"""
    far = 48 - crop
    if view == "full":
        return images[None]
    if view == "center":
        return images[None, :, :, far // 2:far // 2 + crop, far // 2:far // 2 + crop]
    places = [(0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2)]
    five = torch.stack([images[:, :, y:y + crop, x:x + crop] for y, x in places])
    return torch.cat([five, five.flip(-1)])


def compare(model, folder, view, weights):
    with safe_open(weights, "pt") as f:
        notes = f.metadata()
    assert notes["model"] == model and notes["classes"].startswith("angry,disgust,")
    net = nets.make(model, int(notes["width"]))
    net.load_state_dict(load_file(weights), strict=True)
    net.double().eval()
    worst = 0
    for split in ["public", "private"]:
        pixels = torch.from_numpy(numpy.load(f"full/images/{split}_images.npy")).double()
        x = (pixels[:, None] / 255 - float(notes["mean"])) / float(notes["deviation"])
        with torch.no_grad():
            seen = views(x, view, int(notes["crop"]))
            logits = torch.stack([net(v) for v in seen]).mean(0)
            features = torch.stack([net.pooled(v) for v in seen]).mean(0)
        for ours, theirs in [(f"logits/{split}_logits.npy", logits),
                             (f"features/{split}_features.npy", features)]:
            mine = numpy.load(os.path.join(folder, ours))
            assert mine.shape == tuple(theirs.shape) and mine.dtype == numpy.float32
            worst = numpy.maximum(worst, numpy.abs(mine - theirs.numpy()).max())  # NaN stays
        decided = numpy.load(os.path.join(folder, f"predictions/{split}_predictions.npy"))
        mine = numpy.load(os.path.join(folder, f"logits/{split}_logits.npy"))
        assert (decided == mine.argmax(1)).all()
    print(f"{model:16} {view:9} largest difference {worst:.1e}", "" if worst <= BOUND else "BEYOND BOUNDS")
    return worst <= BOUND


def main():
    program, net_dump = (os.path.abspath(a) for a in sys.argv[1:3])
    good = True
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        stage(program, "synthetic_faces", "faces", {"train": 96, "public": 20, "private": 20})
        stage(program, "ingest_csv", "full", {})
        for model in nets.MODELS:
            net = "net-" + model
            stage(program, "train_cnn", net,
                  {"model": model, "width": 16, "epochs": 2, "batch_size": 32, "lr": 0.02})
            for view in ["center", "ten_crop", "full"]:
                folder = f"{net}-{view}"
                stage(program, "extract_features", folder, {"evaluation_view": view, "features_view": view}, net)
                good &= compare(model, folder, view, f"{net}/best.safetensors")
            good &= nets.compare(net_dump, model, 16, "fp32", weights=f"{net}/best.safetensors")[1]
    sys.exit(not good)


if __name__ == "__main__":
    main()
